// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>

// Field numbers of Perfetto's trace format, as far as schedscope writes it, after
// protos/perfetto/trace/*.proto. Numbers there are never given a new meaning.
namespace schedscope::report::perfetto {

enum Trace : std::uint32_t { trace_packet = 1 };

enum Packet : std::uint32_t {
  packet_ftrace_events = 1,
  packet_process_tree = 2,
  packet_clock_snapshot = 6,
  packet_timestamp = 8,
  packet_trusted_sequence_id = 10,
  packet_track_event = 11,
  packet_sequence_flags = 13,
  packet_previous_dropped = 42,
  packet_system_info = 45,
  packet_track_descriptor = 60,
};
enum SequenceFlags : std::uint32_t { sequence_incremental_state_cleared = 1 };

enum Bundle : std::uint32_t { bundle_cpu = 1, bundle_event = 2, bundle_lost_events = 3 };

enum Event : std::uint32_t {
  event_timestamp = 1,
  event_pid = 2,
  event_sched_switch = 4,
  event_sched_waking = 20,
  event_sched_wakeup_new = 114,
  event_sched_process_free = 240,
};

enum SchedSwitch : std::uint32_t {
  switch_prev_comm = 1,
  switch_prev_pid = 2,
  switch_prev_prio = 3,
  switch_prev_state = 4,
  switch_next_comm = 5,
  switch_next_pid = 6,
  switch_next_prio = 7,
};

// sched_waking, sched_wakeup_new and, up to prio, sched_process_free.
enum SchedTask : std::uint32_t {
  task_comm = 1,
  task_pid = 2,
  task_prio = 3,
  task_success = 4,
  task_target_cpu = 5,
};

enum ProcessTree : std::uint32_t { tree_processes = 1, tree_threads = 2 };
enum Process : std::uint32_t { process_pid = 1, process_ppid = 2, process_cmdline = 3 };
enum Thread : std::uint32_t { thread_tid = 1, thread_name = 2, thread_tgid = 3 };

enum SystemInfo : std::uint32_t { system_utsname = 1 };
enum Utsname : std::uint32_t { uts_sysname = 1, uts_version = 2, uts_release = 3, uts_machine = 4 };

enum ClockSnapshot : std::uint32_t { snapshot_clocks = 1, snapshot_primary = 2 };
enum Clock : std::uint32_t { clock_id = 1, clock_timestamp = 2 };
enum BuiltinClock : std::uint32_t { clock_realtime = 1, clock_monotonic = 3, clock_boottime = 6 };

enum TrackDescriptor : std::uint32_t {
  track_uuid = 1,
  track_name = 2,
  track_process = 3,
  track_parent_uuid = 5,
};
enum TrackProcess : std::uint32_t { track_process_pid = 1, track_process_name = 6 };
enum TrackEvent : std::uint32_t {
  event_debug_annotations = 4,
  event_type = 9,
  event_track_uuid = 11,
  event_categories = 22,
  event_name = 23,
};
enum TrackEventType : std::uint32_t { type_slice_begin = 1, type_slice_end = 2 };
enum DebugAnnotation : std::uint32_t { annotation_string = 6, annotation_name = 10 };

}  // namespace schedscope::report::perfetto
