// SPDX-License-Identifier: GPL-2.0-only
#include "schema/record.h"

#include <array>

namespace schedscope {
namespace {

struct Kind {
  std::string_view name;
  std::size_t bytes;
};

constexpr std::array<Kind, SCHEDSCOPE_REC_MAX + 1> kinds = {{
    {"unknown", 0},
    {"switch", sizeof(schedscope_switch)},
    {"waking", sizeof(schedscope_waking)},
    {"wakeup_new", sizeof(schedscope_waking)},
    {"fork", sizeof(schedscope_fork)},
    {"exec", sizeof(schedscope_exec)},
    {"exit", sizeof(schedscope_exit)},
    {"migrate", sizeof(schedscope_migrate)},
    {"task", sizeof(schedscope_task)},
    {"lost", sizeof(schedscope_lost)},
    {"cpu_stats", sizeof(schedscope_cpu_stats)},
    {"account", sizeof(schedscope_account)},
    {"clock", sizeof(schedscope_clock)},
    {"user_switch", sizeof(schedscope_user)},
    {"user_ready", sizeof(schedscope_user)},
    {"user_park", sizeof(schedscope_user)},
    {"user_end", sizeof(schedscope_user)},
    {"user_name", sizeof(schedscope_user_name)},
    {"user_carrier", sizeof(schedscope_user_name)},
    {"futex", sizeof(schedscope_futex)},
    {"stack", sizeof(schedscope_stack)},
    {"frame", sizeof(schedscope_frame)},
    {"cgroup", sizeof(schedscope_cgroup)},
    {"namespace", sizeof(schedscope_namespace)},
    {"counts", sizeof(schedscope_counts)},
    {"hotplug", sizeof(schedscope_hotplug)},
    {"interrupts", sizeof(schedscope_interrupts)},
    {"eevdf", sizeof(schedscope_eevdf)},
    {"tally", sizeof(schedscope_tally)},
}};

constexpr std::array<std::string_view, SCHEDSCOPE_LOST_CAUSES> causes = {
    "ring_full", "recursion", "overrun", "write", "invalid", "preempted"};

static_assert(sizeof(schedscope_switch) <= 48, "a switch has at most 48 bytes");

}  // namespace

std::size_t record_bytes(std::uint16_t kind) {
  return kind < kinds.size() ? kinds[kind].bytes : 0;
}

std::string_view record_kind_name(std::uint16_t kind) {
  return kind < kinds.size() ? kinds[kind].name : kinds[0].name;
}

std::string_view lost_cause_name(std::uint32_t cause) {
  return cause < causes.size() ? causes[cause] : "unknown";
}

}  // namespace schedscope
