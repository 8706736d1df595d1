// SPDX-License-Identifier: GPL-2.0-only
#include "schedule.h"

#include <array>

namespace schedscope::golden {

// One word a schedule.
#define SCHEDULES(one)                                                                             \
  one(handoff) one(fifo_order) one(round_robin) one(deadline) one(yield) one(yield_disturbed)      \
      one(migrate) one(fair_equal) one(fair_weight) one(quota) one(quota_beside) one(sleeper)      \
          one(wakeup_preempt) one(wake_before_switch) one(short_lives) one(hotplug) one(inversion) \
              one(starved_ring) one(interrupted) one(virtual_time) one(fibers_alone)               \
                  one(fibers_contended) one(fiber_hostage)

#define DECLARE(name) extern const Schedule name;
SCHEDULES(DECLARE)
#undef DECLARE

std::span<const Schedule* const> schedules() {
#define ADDRESS(name) &name,
  static constexpr std::array all = {SCHEDULES(ADDRESS)};
#undef ADDRESS
  return all;
}

}  // namespace schedscope::golden
