// SPDX-License-Identifier: GPL-2.0-only
#include "report/record_fields.h"

#include <array>
#include <type_traits>

#include "uapi/schedscope.h"

namespace schedscope::report {
namespace {

template <typename T>
constexpr FieldType type_of() {
  if constexpr (std::is_array_v<T>) {
    if constexpr (std::is_same_v<std::remove_extent_t<T>, __u8>) return FieldType::text;
    if constexpr (std::is_same_v<std::remove_extent_t<T>, __u32>) return FieldType::u32_list;
    return FieldType::u64_list;
  } else if constexpr (std::is_same_v<T, __u8>) {
    return FieldType::u8;
  } else if constexpr (std::is_same_v<T, __s16>) {
    return FieldType::s16;
  } else if constexpr (std::is_same_v<T, __s64>) {
    return FieldType::s64;
  } else if constexpr (std::is_same_v<T, __u16>) {
    return FieldType::u16;
  } else if constexpr (std::is_same_v<T, __u32>) {
    return FieldType::u32;
  } else {
    static_assert(std::is_same_v<T, __u64>);
    return FieldType::u64;
  }
}

// The name in the table is the name in the struct: they cannot drift apart.
#define FIELD(record, name)                                                                \
  Field {                                                                                  \
    #name, type_of<decltype(record::name)>(), offsetof(record, name), sizeof(record::name) \
  }
// Of an array that is no text.
#define BYTES(record, name)                                               \
  Field {                                                                 \
    #name, FieldType::bytes, offsetof(record, name), sizeof(record::name) \
  }

constexpr std::array switch_fields = {
    FIELD(schedscope_switch, prev_tid),      FIELD(schedscope_switch, next_tid),
    FIELD(schedscope_switch, prev_state),    FIELD(schedscope_switch, prev_switches),
    FIELD(schedscope_switch, prev_slice_ns), FIELD(schedscope_switch, prev_prio),
    FIELD(schedscope_switch, next_prio),     FIELD(schedscope_switch, prev_policy),
    FIELD(schedscope_switch, next_policy),   FIELD(schedscope_switch, clock_step),
    FIELD(schedscope_switch, resched_tid)};
constexpr std::array waking_fields = {FIELD(schedscope_waking, tid),
                                      FIELD(schedscope_waking, waker_tid),
                                      FIELD(schedscope_waking, target_cpu)};
constexpr std::array fork_fields = {FIELD(schedscope_fork, parent_tid), FIELD(schedscope_fork, tid),
                                    FIELD(schedscope_fork, pid)};
constexpr std::array exec_fields = {FIELD(schedscope_exec, tid), FIELD(schedscope_exec, old_tid)};
constexpr std::array exit_fields = {
    FIELD(schedscope_exit, tid), FIELD(schedscope_exit, pid), FIELD(schedscope_exit, switches),
    FIELD(schedscope_exit, run_ns), FIELD(schedscope_exit, run_at_ns)};
constexpr std::array migrate_fields = {FIELD(schedscope_migrate, tid),
                                       FIELD(schedscope_migrate, from_cpu),
                                       FIELD(schedscope_migrate, to_cpu)};
constexpr std::array task_fields = {
    FIELD(schedscope_task, tid),       FIELD(schedscope_task, pid),
    FIELD(schedscope_task, ppid),      FIELD(schedscope_task, state),
    FIELD(schedscope_task, start_ns),  FIELD(schedscope_task, cgroup_id),
    FIELD(schedscope_task, switches),  FIELD(schedscope_task, run_ns),
    FIELD(schedscope_task, run_at_ns), FIELD(schedscope_task, slice_ns),
    FIELD(schedscope_task, prio),      FIELD(schedscope_task, nice),
    FIELD(schedscope_task, policy),    FIELD(schedscope_task, task_cpu),
    FIELD(schedscope_task, comm)};
constexpr std::array lost_fields = {FIELD(schedscope_lost, count), FIELD(schedscope_lost, begin_ns),
                                    FIELD(schedscope_lost, end_ns), FIELD(schedscope_lost, cause),
                                    FIELD(schedscope_lost, tid)};
constexpr std::array cpu_stats_fields = {
    FIELD(schedscope_cpu_stats, produced), FIELD(schedscope_cpu_stats, lost),
    FIELD(schedscope_cpu_stats, switches), FIELD(schedscope_cpu_stats, run_ns),
    FIELD(schedscope_cpu_stats, runs)};
constexpr std::array account_fields = {FIELD(schedscope_account, tid),
                                       FIELD(schedscope_account, pid),
                                       FIELD(schedscope_account, start_ns),
                                       FIELD(schedscope_account, since_ns),
                                       FIELD(schedscope_account, run_ns),
                                       FIELD(schedscope_account, wait_ns),
                                       FIELD(schedscope_account, sleep_ns),
                                       FIELD(schedscope_account, block_ns),
                                       FIELD(schedscope_account, unknown_ns),
                                       FIELD(schedscope_account, slices),
                                       FIELD(schedscope_account, voluntary),
                                       FIELD(schedscope_account, involuntary),
                                       FIELD(schedscope_account, migrations),
                                       FIELD(schedscope_account, wakeups),
                                       FIELD(schedscope_account, switches),
                                       FIELD(schedscope_account, state),
                                       FIELD(schedscope_account, cpu),
                                       FIELD(schedscope_account, comm),
                                       FIELD(schedscope_account, slice_ns),
                                       FIELD(schedscope_account, longest_slice_ns),
                                       FIELD(schedscope_account, longest_slice_at_ns),
                                       FIELD(schedscope_account, longest_wait_ns),
                                       FIELD(schedscope_account, longest_wait_at_ns),
                                       FIELD(schedscope_account, ends),
                                       FIELD(schedscope_account, slice_hist),
                                       FIELD(schedscope_account, wait_hist),
                                       FIELD(schedscope_account, preemptor_tid),
                                       FIELD(schedscope_account, preemptor_start_ns),
                                       FIELD(schedscope_account, preemptor_count),
                                       FIELD(schedscope_account, preemptor_missed_max),
                                       FIELD(schedscope_account, preemptor_wait_ns)};
constexpr std::array clock_fields = {FIELD(schedscope_clock, boot_ns),
                                     FIELD(schedscope_clock, real_ns), FIELD(schedscope_clock, tsc),
                                     FIELD(schedscope_clock, error_ns)};
constexpr std::array user_fields = {FIELD(schedscope_user, tid), FIELD(schedscope_user, pid),
                                    FIELD(schedscope_user, id)};
constexpr std::array user_name_fields = {
    FIELD(schedscope_user_name, tid), FIELD(schedscope_user_name, pid),
    FIELD(schedscope_user_name, id), FIELD(schedscope_user_name, name)};
constexpr std::array futex_fields = {
    FIELD(schedscope_futex, word),  FIELD(schedscope_futex, tid),
    FIELD(schedscope_futex, op),    FIELD(schedscope_futex, expected),
    FIELD(schedscope_futex, value), FIELD(schedscope_futex, owner),
    FIELD(schedscope_futex, users), FIELD(schedscope_futex, type)};

constexpr std::array stack_fields = {FIELD(schedscope_stack, tid), FIELD(schedscope_stack, kernel),
                                     FIELD(schedscope_stack, user)};
constexpr std::array frame_fields = {
    FIELD(schedscope_frame, where),    FIELD(schedscope_frame, symbol_offset),
    FIELD(schedscope_frame, stack),    FIELD(schedscope_frame, index),
    FIELD(schedscope_frame, frames),   FIELD(schedscope_frame, part),
    FIELD(schedscope_frame, parts),    FIELD(schedscope_frame, build_id_bytes),
    BYTES(schedscope_frame, build_id), FIELD(schedscope_frame, symbol),
    FIELD(schedscope_frame, file)};
constexpr std::array cgroup_fields = {
    FIELD(schedscope_cgroup, cgroup_id), FIELD(schedscope_cgroup, at),
    FIELD(schedscope_cgroup, path_bytes), FIELD(schedscope_cgroup, part)};
constexpr std::array namespace_fields = {
    FIELD(schedscope_namespace, tid), FIELD(schedscope_namespace, level),
    FIELD(schedscope_namespace, ns_tid), FIELD(schedscope_namespace, ns_pid),
    FIELD(schedscope_namespace, ns_id)};
constexpr std::array counts_fields = {FIELD(schedscope_counts, switches),
                                      FIELD(schedscope_counts, run_ns),
                                      FIELD(schedscope_counts, tid)};
constexpr std::array hotplug_fields = {FIELD(schedscope_hotplug, of_cpu)};
constexpr std::array interrupts_fields = {
    FIELD(schedscope_interrupts, hard_ns),   FIELD(schedscope_interrupts, soft_ns),
    FIELD(schedscope_interrupts, for_ns),    FIELD(schedscope_interrupts, tid),
    FIELD(schedscope_interrupts, of_cpu),    FIELD(schedscope_interrupts, hard_count),
    FIELD(schedscope_interrupts, soft_count)};
constexpr std::array eevdf_fields = {FIELD(schedscope_eevdf, vruntime),
                                     FIELD(schedscope_eevdf, deadline),
                                     FIELD(schedscope_eevdf, lag),
                                     FIELD(schedscope_eevdf, protected_until),
                                     FIELD(schedscope_eevdf, queue_vruntime),
                                     FIELD(schedscope_eevdf, slice_ns),
                                     FIELD(schedscope_eevdf, weight),
                                     FIELD(schedscope_eevdf, tid)};
constexpr std::array tally_fields = {
    FIELD(schedscope_tally, what),     FIELD(schedscope_tally, of_class),
    FIELD(schedscope_tally, since_ns), FIELD(schedscope_tally, count),
    FIELD(schedscope_tally, sum_ns),   FIELD(schedscope_tally, max_ns),
    FIELD(schedscope_tally, hist)};

#undef FIELD
#undef BYTES

}  // namespace

std::span<const Field> fields_of(std::uint16_t kind) {
  switch (kind) {
    case SCHEDSCOPE_REC_SWITCH:
      return switch_fields;
    case SCHEDSCOPE_REC_WAKING:
    case SCHEDSCOPE_REC_WAKEUP_NEW:
      return waking_fields;
    case SCHEDSCOPE_REC_FORK:
      return fork_fields;
    case SCHEDSCOPE_REC_EXEC:
      return exec_fields;
    case SCHEDSCOPE_REC_EXIT:
      return exit_fields;
    case SCHEDSCOPE_REC_MIGRATE:
      return migrate_fields;
    case SCHEDSCOPE_REC_TASK:
      return task_fields;
    case SCHEDSCOPE_REC_LOST:
      return lost_fields;
    case SCHEDSCOPE_REC_CPU_STATS:
      return cpu_stats_fields;
    case SCHEDSCOPE_REC_ACCOUNT:
      return account_fields;
    case SCHEDSCOPE_REC_CLOCK:
      return clock_fields;
    case SCHEDSCOPE_REC_USER_SWITCH:
    case SCHEDSCOPE_REC_USER_READY:
    case SCHEDSCOPE_REC_USER_PARK:
    case SCHEDSCOPE_REC_USER_END:
      return user_fields;
    case SCHEDSCOPE_REC_USER_NAME:
    case SCHEDSCOPE_REC_USER_CARRIER:
      return user_name_fields;
    case SCHEDSCOPE_REC_FUTEX:
      return futex_fields;
    case SCHEDSCOPE_REC_STACK:
      return stack_fields;
    case SCHEDSCOPE_REC_FRAME:
      return frame_fields;
    case SCHEDSCOPE_REC_CGROUP:
      return cgroup_fields;
    case SCHEDSCOPE_REC_NAMESPACE:
      return namespace_fields;
    case SCHEDSCOPE_REC_COUNTS:
      return counts_fields;
    case SCHEDSCOPE_REC_HOTPLUG:
      return hotplug_fields;
    case SCHEDSCOPE_REC_INTERRUPTS:
      return interrupts_fields;
    case SCHEDSCOPE_REC_EEVDF:
      return eevdf_fields;
    case SCHEDSCOPE_REC_TALLY:
      return tally_fields;
    default:
      return {};
  }
}

}  // namespace schedscope::report
