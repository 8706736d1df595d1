// SPDX-License-Identifier: GPL-2.0-only
#include <array>
#include <span>
#include <type_traits>

#include "capture/layout.h"
#include "schema/record.h"
#include "uapi/schedscope.h"

// The fields of each kind of record and how their columns are coded. A coding is a matter of
// size and speed alone: the file says which one was used, so it may change at any time.
namespace schedscope::capture {
namespace {

struct OwnField {
  std::string_view name;
  std::uint32_t offset;
  std::uint32_t width;
  std::uint32_t count;
  Element element;
  Coding coding;
  std::string_view by;
  std::uint16_t of = 0;  // 0: the same kind
};

template <typename Member>
constexpr OwnField describe(std::string_view name, std::size_t offset, Coding coding,
                            std::string_view by = {}, std::uint16_t of = 0) {
  using One = std::remove_all_extents_t<Member>;
  const bool text = std::is_array_v<Member> && sizeof(One) == 1;
  return {name,
          static_cast<std::uint32_t>(offset),
          sizeof(One),
          static_cast<std::uint32_t>(sizeof(Member) / sizeof(One)),
          text                    ? Element::text
          : std::is_signed_v<One> ? Element::signed_number
                                  : Element::number,
          coding,
          by,
          of};
}

constexpr OwnField no_text(OwnField field) {
  field.element = Element::bytes;
  return field;
}

// A macro, since only the preprocessor has both a member's name and its offset.
#define FIELD(type, member, coding, ...)                            \
  describe<decltype(type::member)>(#member, offsetof(type, member), \
                                   Coding::coding __VA_OPT__(, ) __VA_ARGS__)
#define FLAGS describe<__u16>("flags", offsetof(schedscope_rec, flags), Coding::plain)

// Every byte of a record must be in a column, or it would not come back: time, kind, size and
// cpu have 14 bytes of the header.
template <typename T, std::size_t n>
consteval std::array<OwnField, n> whole(const std::array<OwnField, n>& fields) {
  std::size_t bytes = sizeof(schedscope_rec) - sizeof(schedscope_rec::flags);
  for (const OwnField& field : fields) bytes += field.width * field.count;
  if (bytes != sizeof(T)) throw "a field of this record has no column";
  return fields;
}

constexpr auto switch_fields = whole<schedscope_switch>(std::array{
    FLAGS,
    FIELD(schedscope_switch, next_tid, dict),
    FIELD(schedscope_switch, prev_tid, chain, "next_tid"),
    FIELD(schedscope_switch, prev_state, key, "prev_tid"),
    FIELD(schedscope_switch, prev_switches, key, "prev_tid"),
    FIELD(schedscope_switch, prev_slice_ns, key, "prev_tid"),
    FIELD(schedscope_switch, prev_prio, key, "prev_tid"),
    FIELD(schedscope_switch, next_prio, key, "next_tid"),
    FIELD(schedscope_switch, prev_policy, key, "prev_tid"),
    FIELD(schedscope_switch, next_policy, key, "next_tid"),
    FIELD(schedscope_switch, clock_step, delta),
    FIELD(schedscope_switch, resched_tid, dict),
});

constexpr auto waking_fields = whole<schedscope_waking>(std::array{
    FLAGS,
    FIELD(schedscope_waking, tid, dict),
    FIELD(schedscope_waking, waker_tid, latest, "next_tid", SCHEDSCOPE_REC_SWITCH),
    FIELD(schedscope_waking, target_cpu, key, "tid"),
    FIELD(schedscope_waking, reserved, plain),
});

constexpr auto fork_fields = whole<schedscope_fork>(std::array{
    FLAGS,
    FIELD(schedscope_fork, parent_tid, dict),
    FIELD(schedscope_fork, tid, delta),
    FIELD(schedscope_fork, pid, delta),
    FIELD(schedscope_fork, reserved, plain),
});

constexpr auto exec_fields = whole<schedscope_exec>(std::array{
    FLAGS,
    FIELD(schedscope_exec, tid, delta),
    FIELD(schedscope_exec, old_tid, delta),
});

constexpr auto exit_fields = whole<schedscope_exit>(std::array{
    FLAGS,
    FIELD(schedscope_exit, tid, delta),
    FIELD(schedscope_exit, pid, delta),
    FIELD(schedscope_exit, switches, plain),
    FIELD(schedscope_exit, run_ns, plain),
    FIELD(schedscope_exit, run_at_ns, plain),
});

constexpr auto migrate_fields = whole<schedscope_migrate>(std::array{
    FLAGS,
    FIELD(schedscope_migrate, tid, dict),
    FIELD(schedscope_migrate, from_cpu, plain),
    FIELD(schedscope_migrate, to_cpu, plain),
    FIELD(schedscope_migrate, reserved, plain),
});

constexpr auto task_fields = whole<schedscope_task>(std::array{
    FLAGS,
    FIELD(schedscope_task, tid, delta),
    FIELD(schedscope_task, pid, delta),
    FIELD(schedscope_task, ppid, delta),
    FIELD(schedscope_task, state, plain),
    FIELD(schedscope_task, start_ns, delta),
    FIELD(schedscope_task, cgroup_id, delta),
    FIELD(schedscope_task, switches, plain),
    FIELD(schedscope_task, run_ns, plain),
    FIELD(schedscope_task, run_at_ns, delta),
    FIELD(schedscope_task, slice_ns, delta),
    FIELD(schedscope_task, prio, delta),
    FIELD(schedscope_task, nice, delta),
    FIELD(schedscope_task, policy, plain),
    FIELD(schedscope_task, task_cpu, plain),
    FIELD(schedscope_task, comm, bytes),
});

constexpr auto lost_fields = whole<schedscope_lost>(std::array{
    FLAGS,
    FIELD(schedscope_lost, count, plain),
    FIELD(schedscope_lost, begin_ns, delta),
    FIELD(schedscope_lost, end_ns, delta),
    FIELD(schedscope_lost, cause, plain),
    FIELD(schedscope_lost, tid, dict),
});

constexpr auto cpu_stats_fields = whole<schedscope_cpu_stats>(std::array{
    FLAGS,
    FIELD(schedscope_cpu_stats, produced, plain),
    FIELD(schedscope_cpu_stats, lost, plain),
    FIELD(schedscope_cpu_stats, switches, plain),
    FIELD(schedscope_cpu_stats, run_ns, plain),
    FIELD(schedscope_cpu_stats, runs, plain),
});

constexpr auto account_fields = whole<schedscope_account>(std::array{
    FLAGS,
    FIELD(schedscope_account, tid, delta),
    FIELD(schedscope_account, pid, delta),
    FIELD(schedscope_account, start_ns, delta),
    FIELD(schedscope_account, since_ns, delta),
    FIELD(schedscope_account, run_ns, plain),
    FIELD(schedscope_account, wait_ns, plain),
    FIELD(schedscope_account, sleep_ns, plain),
    FIELD(schedscope_account, block_ns, plain),
    FIELD(schedscope_account, unknown_ns, plain),
    FIELD(schedscope_account, slices, plain),
    FIELD(schedscope_account, voluntary, plain),
    FIELD(schedscope_account, involuntary, plain),
    FIELD(schedscope_account, migrations, plain),
    FIELD(schedscope_account, wakeups, plain),
    FIELD(schedscope_account, switches, plain),
    FIELD(schedscope_account, state, plain),
    FIELD(schedscope_account, cpu, plain),
    FIELD(schedscope_account, comm, bytes),
    FIELD(schedscope_account, slice_ns, delta),
    FIELD(schedscope_account, longest_slice_ns, plain),
    FIELD(schedscope_account, longest_slice_at_ns, plain),
    FIELD(schedscope_account, longest_wait_ns, plain),
    FIELD(schedscope_account, longest_wait_at_ns, plain),
    FIELD(schedscope_account, ends, plain),
    FIELD(schedscope_account, slice_hist, plain),
    FIELD(schedscope_account, wait_hist, plain),
    FIELD(schedscope_account, preemptor_tid, plain),
    FIELD(schedscope_account, preemptor_start_ns, plain),
    FIELD(schedscope_account, preemptor_count, plain),
    FIELD(schedscope_account, preemptor_missed_max, plain),
    FIELD(schedscope_account, preemptor_wait_ns, plain),
});

constexpr auto clock_fields = whole<schedscope_clock>(std::array{
    FLAGS,
    FIELD(schedscope_clock, boot_ns, delta),
    FIELD(schedscope_clock, real_ns, delta),
    FIELD(schedscope_clock, tsc, delta),
    FIELD(schedscope_clock, error_ns, plain),
});

constexpr auto user_fields = whole<schedscope_user>(std::array{
    FLAGS,
    FIELD(schedscope_user, id, dict),
    FIELD(schedscope_user, tid, delta),
    FIELD(schedscope_user, pid, delta),
});

constexpr auto user_name_fields = whole<schedscope_user_name>(std::array{
    FLAGS,
    FIELD(schedscope_user_name, id, delta),
    FIELD(schedscope_user_name, tid, delta),
    FIELD(schedscope_user_name, pid, delta),
    FIELD(schedscope_user_name, name, bytes),
});

constexpr auto futex_fields = whole<schedscope_futex>(std::array{
    FLAGS,
    FIELD(schedscope_futex, tid, dict),
    FIELD(schedscope_futex, word, key, "tid"),
    FIELD(schedscope_futex, op, key, "tid"),
    FIELD(schedscope_futex, expected, key, "tid"),
    FIELD(schedscope_futex, value, key, "tid"),
    FIELD(schedscope_futex, owner, dict),
    FIELD(schedscope_futex, users, key, "tid"),
    FIELD(schedscope_futex, type, key, "tid"),
    FIELD(schedscope_futex, reserved, plain),
});

constexpr auto stack_fields = whole<schedscope_stack>(std::array{
    FLAGS,
    FIELD(schedscope_stack, tid, dict),
    FIELD(schedscope_stack, kernel, dict),
    FIELD(schedscope_stack, user, dict),
    FIELD(schedscope_stack, reserved, plain),
});

constexpr auto frame_fields = whole<schedscope_frame>(std::array{
    FLAGS,
    FIELD(schedscope_frame, where, delta),
    FIELD(schedscope_frame, symbol_offset, plain),
    FIELD(schedscope_frame, stack, delta),
    FIELD(schedscope_frame, index, delta),
    FIELD(schedscope_frame, frames, plain),
    FIELD(schedscope_frame, part, plain),
    FIELD(schedscope_frame, parts, plain),
    FIELD(schedscope_frame, build_id_bytes, plain),
    no_text(FIELD(schedscope_frame, build_id, bytes)),
    FIELD(schedscope_frame, symbol, bytes),
    FIELD(schedscope_frame, file, bytes),
});

constexpr auto cgroup_fields = whole<schedscope_cgroup>(std::array{
    FLAGS,
    FIELD(schedscope_cgroup, cgroup_id, delta),
    FIELD(schedscope_cgroup, at, plain),
    FIELD(schedscope_cgroup, path_bytes, plain),
    FIELD(schedscope_cgroup, part, bytes),
});

constexpr auto namespace_fields = whole<schedscope_namespace>(std::array{
    FLAGS,
    FIELD(schedscope_namespace, tid, delta),
    FIELD(schedscope_namespace, level, plain),
    FIELD(schedscope_namespace, ns_tid, delta),
    FIELD(schedscope_namespace, ns_pid, delta),
    FIELD(schedscope_namespace, ns_id, delta),
});

constexpr auto counts_fields = whole<schedscope_counts>(std::array{
    FLAGS,
    FIELD(schedscope_counts, switches, plain),
    FIELD(schedscope_counts, run_ns, plain),
    FIELD(schedscope_counts, tid, delta),
    FIELD(schedscope_counts, reserved, plain),
});

constexpr auto hotplug_fields = whole<schedscope_hotplug>(std::array{
    FLAGS,
    FIELD(schedscope_hotplug, of_cpu, plain),
    FIELD(schedscope_hotplug, reserved, plain),
});

constexpr auto interrupts_fields = whole<schedscope_interrupts>(std::array{
    FLAGS,
    FIELD(schedscope_interrupts, hard_ns, plain),
    FIELD(schedscope_interrupts, soft_ns, plain),
    FIELD(schedscope_interrupts, for_ns, plain),
    FIELD(schedscope_interrupts, tid, dict),
    FIELD(schedscope_interrupts, of_cpu, plain),
    FIELD(schedscope_interrupts, hard_count, plain),
    FIELD(schedscope_interrupts, soft_count, plain),
});

constexpr auto eevdf_fields = whole<schedscope_eevdf>(std::array{
    FLAGS,
    FIELD(schedscope_eevdf, tid, dict),
    FIELD(schedscope_eevdf, vruntime, key, "tid"),
    FIELD(schedscope_eevdf, deadline, key, "tid"),
    FIELD(schedscope_eevdf, lag, key, "tid"),
    FIELD(schedscope_eevdf, protected_until, key, "tid"),
    FIELD(schedscope_eevdf, queue_vruntime, delta),
    FIELD(schedscope_eevdf, slice_ns, key, "tid"),
    FIELD(schedscope_eevdf, weight, key, "tid"),
    FIELD(schedscope_eevdf, reserved, plain),
});

constexpr auto tally_fields = whole<schedscope_tally>(std::array{
    FLAGS,
    FIELD(schedscope_tally, what, plain),
    FIELD(schedscope_tally, of_class, plain),
    FIELD(schedscope_tally, since_ns, delta),
    FIELD(schedscope_tally, count, plain),
    FIELD(schedscope_tally, sum_ns, plain),
    FIELD(schedscope_tally, max_ns, plain),
    FIELD(schedscope_tally, hist, plain),
});

#undef FLAGS
#undef FIELD

std::span<const OwnField> fields_of(std::uint16_t kind) {
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
static_assert(SCHEDSCOPE_REC_MAX == SCHEDSCOPE_REC_TALLY, "a new kind needs its fields here");

// `earlier`: the kinds of smaller numbers.
Kind own_kind(const Layout& earlier, std::uint16_t number) {
  Kind kind{.kind = number,
            .name = std::string(record_kind_name(number)),
            .bytes = static_cast<std::uint32_t>(record_bytes(number)),
            .fields = {}};
  for (const OwnField& own : fields_of(number)) {
    Field field{.name = std::string(own.name),
                .offset = own.offset,
                .width = own.width,
                .count = own.count,
                .coding = own.coding,
                .of = own.of,
                .element = own.element};
    const auto& others = own.of != 0 ? earlier.find(own.of)->fields : kind.fields;
    for (std::size_t i = 0; i < others.size(); ++i) {
      if (others[i].name == own.by) field.by = static_cast<int>(i);
    }
    kind.fields.push_back(std::move(field));
  }
  return kind;
}

}  // namespace

const Layout& own_layout() {
  static const Layout layout = [] {
    Layout own{.version = SCHEDSCOPE_SCHEMA_VERSION, .kinds = {}};
    for (std::uint16_t kind = 1; kind <= SCHEDSCOPE_REC_MAX; ++kind) {
      if (record_bytes(kind) != 0) own.kinds.push_back(own_kind(own, kind));
    }
    return own;
  }();
  return layout;
}

}  // namespace schedscope::capture
