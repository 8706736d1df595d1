// SPDX-License-Identifier: GPL-2.0-only
#include "report/perfetto_writer.h"

#include <bit>
#include <cstdlib>
#include <utility>

#include <protozero/pbf_writer.hpp>

#include "base/text.h"
#include "report/perfetto_fields.h"

namespace schedscope::report {
namespace {

using namespace perfetto;
using protozero::pbf_writer;

// Big enough that a packet's own bytes do not matter, small enough that CPUs interleave.
constexpr std::size_t bundle_bytes = 32 * 1024;
// Only a suspend moves BOOTTIME against MONOTONIC; anything less is how well the two were read.
constexpr std::int64_t suspend_ns = 1'000'000;
constexpr std::uint32_t dead = 0x10;  // EXIT_DEAD, as sched_switch prints TASK_DEAD

void put_process(pbf_writer& tree, std::uint32_t pid, std::uint32_t ppid, const std::string& name) {
  pbf_writer process(tree, tree_processes);
  process.add_int32(process_pid, static_cast<std::int32_t>(pid));
  process.add_int32(process_ppid, static_cast<std::int32_t>(ppid));
  if (!name.empty()) process.add_string(process_cmdline, name);
}

void put_thread(pbf_writer& tree, std::uint32_t tid, std::uint32_t pid, const std::string& name) {
  pbf_writer thread(tree, tree_threads);
  thread.add_int32(thread_tid, static_cast<std::int32_t>(tid));
  if (!name.empty()) thread.add_string(thread_name, name);
  thread.add_int32(thread_tgid, static_cast<std::int32_t>(pid));
}

void put_clock(pbf_writer& snapshot, std::uint32_t id, std::uint64_t time_ns) {
  pbf_writer clock(snapshot, snapshot_clocks);
  clock.add_uint32(clock_id, id);
  clock.add_uint64(clock_timestamp, time_ns);
}

}  // namespace

void PerfettoNames::add(RecordView record) {
  if (record.kind() == SCHEDSCOPE_REC_CLOCK && !clock) {
    clock = record.as<schedscope_clock>();
  } else if (record.kind() == SCHEDSCOPE_REC_TASK) {
    const auto& task = record.as<schedscope_task>();
    tasks.try_emplace(
        task.tid,
        Task{.pid = task.pid, .ppid = task.ppid, .comm = printable(task.comm), .prio = task.prio});
  }
}

std::uint32_t ftrace_state(std::uint32_t task_state, std::uint16_t switch_flags) {
  // include/linux/sched.h: TASK_REPORT, TASK_IDLE and the order of "RSDTtXZPI".
  constexpr std::uint32_t report = 0x7f, idle = 0x402, report_idle = 0x80, preempted = 0x100;
  constexpr std::uint32_t task_dead = 0x80, rtlock_wait = 0x1000, uninterruptible = 0x2;
  if ((switch_flags & SCHEDSCOPE_SWITCH_PREEMPT) != 0) return preempted;
  if ((task_state & idle) == idle) return report_idle;
  if ((task_state & rtlock_wait) != 0) return uninterruptible;
  if ((task_state & task_dead) != 0) return dead;
  return std::bit_floor(task_state & report);
}

PerfettoWriter::PerfettoWriter(const capture::Machine& machine, PerfettoNames names, Emit emit)
    : names_(std::move(names)), emit_(std::move(emit)) {
  // The idle task of every CPU has tid 0 and no record of its own.
  names_.tasks[0] = {.pid = 0, .ppid = 0, .comm = "swapper", .prio = 120};
  if (names_.clock) {
    boot_offset_ns_ = static_cast<std::int64_t>(names_.clock->boot_ns - names_.clock->rec.time_ns);
  }
  begin(machine);
}

void PerfettoWriter::packet(std::string_view body) {
  std::string bytes;
  pbf_writer trace(bytes);
  trace.add_message(trace_packet, body.data(), body.size());
  emit_(bytes);
}

std::uint64_t PerfettoWriter::boot(std::uint64_t time_ns) const {
  return time_ns + static_cast<std::uint64_t>(boot_offset_ns_);
}

void PerfettoWriter::begin(const capture::Machine& machine) {
  if (names_.clock) clock(*names_.clock);
  std::string info;
  {
    pbf_writer writer(info);
    pbf_writer system(writer, packet_system_info);
    pbf_writer uts(system, system_utsname);
    uts.add_string(uts_sysname, "Linux");
    uts.add_string(uts_version, printable(machine.kernel_build));
    // Without a release the reader decodes task states by the tables of an old kernel.
    uts.add_string(uts_release, printable(machine.kernel));
  }
  packet(info);
  std::string tree_packet;
  {
    pbf_writer writer(tree_packet);
    writer.add_uint64(packet_timestamp, boot(machine.start_ns));
    pbf_writer tree(writer, packet_process_tree);
    for (const auto& [tid, task] : names_.tasks) {
      if (tid != 0 && tid == task.pid) put_process(tree, tid, task.ppid, task.comm);
    }
    for (const auto& [tid, task] : names_.tasks) {
      if (tid != 0 && task.pid != 0) put_thread(tree, tid, task.pid, task.comm);
    }
  }
  packet(tree_packet);
}

void PerfettoWriter::clock(const schedscope_clock& clock) {
  const auto offset = static_cast<std::int64_t>(clock.boot_ns - clock.rec.time_ns);
  if (std::abs(offset - boot_offset_ns_) > suspend_ns) boot_offset_ns_ = offset;
  std::string body;
  {
    pbf_writer writer(body);
    pbf_writer snapshot(writer, packet_clock_snapshot);
    put_clock(snapshot, clock_boottime, boot(clock.rec.time_ns));
    put_clock(snapshot, clock_monotonic, clock.rec.time_ns);
    put_clock(snapshot, clock_realtime, clock.real_ns);
    snapshot.add_enum(snapshot_primary, clock_boottime);
  }
  packet(body);
}

void PerfettoWriter::record(RecordView record) {
  switch (record.kind()) {
    case SCHEDSCOPE_REC_SWITCH:
      return switched(record.as<schedscope_switch>());
    case SCHEDSCOPE_REC_WAKING:
      return waking(record.as<schedscope_waking>(), event_sched_waking);
    case SCHEDSCOPE_REC_WAKEUP_NEW:
      return waking(record.as<schedscope_waking>(), event_sched_wakeup_new);
    case SCHEDSCOPE_REC_TASK:
      return task(record.as<schedscope_task>());
    case SCHEDSCOPE_REC_LOST:
      return lost(record.as<schedscope_lost>());
    case SCHEDSCOPE_REC_CLOCK:
      return clock(record.as<schedscope_clock>());
    default:
      return;
  }
}

const PerfettoNames::Task& PerfettoWriter::who(std::uint32_t tid) const {
  static const PerfettoNames::Task nobody;
  const auto found = names_.tasks.find(tid);
  return found == names_.tasks.end() ? nobody : found->second;
}

// A name or a process that changed takes effect from here on.
void PerfettoWriter::task(const schedscope_task& task) {
  if (task.tid == 0) return;
  PerfettoNames::Task now{
      .pid = task.pid, .ppid = task.ppid, .comm = printable(task.comm), .prio = task.prio};
  PerfettoNames::Task& known = names_.tasks[task.tid];
  const bool same = known.pid == now.pid && known.comm == now.comm;
  known = std::move(now);
  if (same || known.pid == 0) return;
  std::string body;
  {
    pbf_writer writer(body);
    writer.add_uint64(packet_timestamp, boot(task.rec.time_ns));
    pbf_writer tree(writer, packet_process_tree);
    if (task.tid == task.pid) put_process(tree, task.tid, task.ppid, known.comm);
    put_thread(tree, task.tid, known.pid, known.comm);
  }
  packet(body);
}

void PerfettoWriter::switched(const schedscope_switch& record) {
  const std::uint32_t state = ftrace_state(record.prev_state, record.rec.flags);
  const auto& prev = who(record.prev_tid);
  std::string body;
  pbf_writer writer(body);
  writer.add_string(switch_prev_comm, prev.comm);
  writer.add_int32(switch_prev_pid, static_cast<std::int32_t>(record.prev_tid));
  writer.add_int32(switch_prev_prio, record.prev_prio);
  writer.add_int64(switch_prev_state, state);
  writer.add_string(switch_next_comm, who(record.next_tid).comm);
  writer.add_int32(switch_next_pid, static_cast<std::int32_t>(record.next_tid));
  writer.add_int32(switch_next_prio, record.next_prio);
  event(record.rec.cpu, record.rec.time_ns, record.prev_tid, event_sched_switch, body);
  if (state != dead || record.prev_tid == 0) return;
  // The tid may be given to another thread from here on. One ns later, since a reader may take
  // events of one time in any order.
  std::string freed;
  pbf_writer free_writer(freed);
  free_writer.add_string(task_comm, prev.comm);
  free_writer.add_int32(task_pid, static_cast<std::int32_t>(record.prev_tid));
  free_writer.add_int32(task_prio, record.prev_prio);
  event(record.rec.cpu, record.rec.time_ns + 1, record.next_tid, event_sched_process_free, freed);
}

void PerfettoWriter::waking(const schedscope_waking& record, std::uint32_t field) {
  const auto& task = who(record.tid);
  std::string body;
  pbf_writer writer(body);
  writer.add_string(task_comm, task.comm);
  writer.add_int32(task_pid, static_cast<std::int32_t>(record.tid));
  writer.add_int32(task_prio, task.prio);
  writer.add_int32(task_success, 1);
  writer.add_int32(task_target_cpu, static_cast<std::int32_t>(record.target_cpu));
  event(record.rec.cpu, record.rec.time_ns, record.waker_tid, field, body);
}

void PerfettoWriter::event(std::uint16_t cpu, std::uint64_t time_ns, std::uint32_t tid,
                           std::uint32_t field, std::string_view body) {
  if (cpu == SCHEDSCOPE_CPU_NONE) return;
  if (cpu >= bundles_.size()) bundles_.resize(cpu + 1U);
  Bundle& bundle = bundles_[cpu];
  {
    pbf_writer writer(bundle.events);
    pbf_writer event(writer, bundle_event);
    event.add_uint64(event_timestamp, boot(time_ns));
    event.add_uint32(event_pid, tid);
    event.add_message(field, body.data(), body.size());
  }
  if (bundle.events.size() >= bundle_bytes) flush(cpu);
}

// Says of the events that follow on this CPU that some before them are missing.
void PerfettoWriter::lost(const schedscope_lost& lost) {
  if (lost.rec.cpu == SCHEDSCOPE_CPU_NONE) {
    user_packets_dropped_ = true;
    return;
  }
  flush(lost.rec.cpu);
  if (lost.rec.cpu >= bundles_.size()) bundles_.resize(lost.rec.cpu + 1U);
  bundles_[lost.rec.cpu].lost = true;
}

void PerfettoWriter::flush(std::uint16_t cpu) {
  if (cpu >= bundles_.size()) return;
  Bundle& bundle = bundles_[cpu];
  if (bundle.events.empty() && !bundle.lost) return;
  std::string head;
  {
    pbf_writer writer(head);
    writer.add_uint32(bundle_cpu, cpu);
    if (bundle.lost) writer.add_bool(bundle_lost_events, true);
  }
  std::string body;
  pbf_writer writer(body);
  writer.add_message(packet_ftrace_events, head + bundle.events);
  packet(body);
  bundle = {};
}

void PerfettoWriter::finish() {
  for (std::size_t cpu = 0; cpu < bundles_.size(); ++cpu) flush(static_cast<std::uint16_t>(cpu));
}

}  // namespace schedscope::report
