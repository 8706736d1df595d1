// SPDX-License-Identifier: GPL-2.0-only
#include "timeline/slice_end.h"

#include <gtest/gtest.h>

// As the kernel has them.
#define TASK_UNINTERRUPTIBLE 0x0002
#define __TASK_STOPPED 0x0004
#define __TASK_TRACED 0x0008
#define EXIT_TRACE 0x0030
#define TASK_DEAD 0x0080
#define TASK_NOLOAD 0x0400
#define TASK_RTLOCK_WAIT 0x1000
#define TASK_FROZEN 0x8000
namespace module {
#include "ledger_math.h"
}

namespace schedscope::timeline {
namespace {

struct Case {
  const char* name;
  std::uint32_t state;
  std::uint16_t flags;
  int prev_prio, next_prio;
  SliceEnd end;
  State then = State::wait;
  std::uint32_t next_tid = 8;
};

constexpr std::uint16_t kernel_mode = SCHEDSCOPE_SWITCH_PREEMPT;
constexpr std::uint16_t yield = SCHEDSCOPE_SWITCH_YIELD;
constexpr std::uint16_t tick = SCHEDSCOPE_SWITCH_TICK;
constexpr std::uint16_t told = SCHEDSCOPE_SWITCH_THROTTLED;
constexpr std::uint16_t wakeup = SCHEDSCOPE_SWITCH_WAKEUP;

TEST(SliceEnd, Rules) {
  using enum SliceEnd;
  const Case cases[] = {
      {"interruptible", 1, 0, 120, 120, blocked, State::sleep},
      {"uninterruptible", 2, 0, 120, 120, blocked, State::block},
      {"killable", 0x102, 0, 120, 120, blocked, State::block},
      {"idle kernel thread", 0x402, 0, 120, 120, blocked, State::sleep},
      {"RT sleeping lock", 0x1000, 0, 120, 120, blocked, State::block},
      {"frozen", 0x8000, 0, 120, 120, blocked, State::block},
      {"freezable", 0x2001, 0, 120, 120, blocked, State::sleep},
      {"parked", 0x40, 0, 120, 120, blocked, State::sleep},
      {"stopped", 4, 0, 120, 120, stopped, State::sleep},
      {"traced", 8, 0, 120, 120, stopped, State::sleep},
      {"dead", 0x80, 0, 120, 120, exited, State::unknown},
      {"the tick", 0, tick, 120, 120, expired},
      {"a wakeup", 0, wakeup, 120, 120, preempted},
      {"yield", 0, yield, 120, 120, yielded},
      {"yield, but a wakeup had asked", 0, yield | wakeup, 120, 120, preempted},
      {"yield, but somebody of higher class woke", 0, yield | wakeup, 120, 89, outranked},
      {"yield, but the tick had asked", 0, yield | tick, 120, 120, expired},
      {"yield that was preempted in the kernel", 0, yield | kernel_mode | tick, 120, 120, expired},
      {"preempted on the way to sleep", 1, kernel_mode | wakeup, 120, 120, preempted},
      {"no cause told", 0, 0, 120, 120, unknown},
      {"a real-time thread woke", 0, wakeup, 120, 89, outranked},
      {"FIFO 10 by FIFO 20", 0, wakeup, 89, 79, outranked},
      {"the same priority", 0, wakeup, 89, 89, preempted},
      {"round robin", 0, tick, 89, 89, expired},
      {"a deadline thread woke", 0, wakeup, 79, -1, outranked},
      {"real time throttled", 0, tick, 79, 120, throttled},
      {"deadline budget", 0, 0, -1, 120, throttled},
      {"quota, nobody else", 0, tick, 120, 120, throttled, State::wait, 0},
      {"quota, told by the kernel", 0, kernel_mode | told | tick, 120, 120, throttled},
      {"yield, and the quota is used up", 0, yield | told, 120, 120, yielded},
      {"nice is no class", 0, wakeup, 120, 100, preempted},
  };
  for (const Case& c : cases) {
    schedscope_switch record{};
    record.rec.flags = c.flags;
    record.prev_tid = 7;
    record.next_tid = c.next_tid;
    record.prev_state = c.state;
    record.prev_prio = static_cast<std::int16_t>(c.prev_prio);
    record.next_prio = static_cast<std::int16_t>(c.next_prio);
    const Departure departure = departure_of(record);
    EXPECT_EQ(name_of(departure.end), name_of(c.end)) << c.name;
    EXPECT_EQ(name_of(departure.then), name_of(c.then)) << c.name;
  }
}

// The module's ledger decides with code of its own, in C.
int differences(const schedscope_switch& record) {
  const Departure ours = departure_of(record);
  const module::departure its =
      module::departure_of(record.rec.flags, record.prev_state, record.prev_prio, record.next_prio,
                           record.next_tid == 0);
  const bool exited = ours.end == SliceEnd::exited;
  const bool same = its.end == static_cast<std::uint32_t>(ours.end) &&
                    (its.state == SCHEDSCOPE_STATE_EXITED) == exited &&
                    (exited || its.state == static_cast<std::uint32_t>(ours.then)) &&
                    (its.state == SCHEDSCOPE_STATE_WAIT) == ours.runnable;
  EXPECT_TRUE(same) << "flags " << record.rec.flags << " state " << record.prev_state << " prio "
                    << record.prev_prio << " to " << record.next_prio << ", tid " << record.next_tid
                    << ": " << name_of(ours.end) << ", the module " << its.end;
  return same ? 0 : 1;
}

constexpr std::uint16_t flag_values = 1 << 5;

TEST(SliceEnd, TheLedgerHasTheSameRulesForEveryRunnableThread) {
  for (std::uint16_t flags = 0; flags < flag_values; ++flags) {
    for (std::int16_t prev = -1; prev < 140; ++prev) {
      for (std::int16_t next = -1; next < 140; ++next) {
        for (const std::uint32_t tid : {0U, 8U}) {
          schedscope_switch record{};
          record.rec.flags = flags;
          record.prev_prio = prev;
          record.next_prio = next;
          record.next_tid = tid;
          ASSERT_EQ(differences(record), 0);
        }
      }
    }
  }
}

TEST(SliceEnd, TheLedgerHasTheSameRulesForEveryState) {
  for (std::uint16_t flags = 0; flags < flag_values; ++flags) {
    for (std::uint32_t state = 0; state < 1 << 18; ++state) {
      schedscope_switch record{};
      record.rec.flags = flags;
      record.prev_state = state;
      record.prev_prio = record.next_prio = 120;
      record.next_tid = 8;
      ASSERT_EQ(differences(record), 0);
    }
  }
}

static_assert(SCHEDSCOPE_ENDS == slice_end_count);
static_assert(SCHEDSCOPE_END_UNKNOWN == static_cast<int>(SliceEnd::unknown));

}  // namespace
}  // namespace schedscope::timeline
