// SPDX-License-Identifier: GPL-2.0-only
//
// Which thread a tid stands for: births, reused tids, and what the walks read.
#include <algorithm>
#include <string>

#include "timeline/kernel.h"

namespace schedscope::timeline {
namespace {

constexpr std::uint32_t dead_bits = 0x10 | 0x20 | 0x80;
// Asleep for certain: interruptible, uninterruptible, stopped, traced, parked, an RT lock.
constexpr std::uint32_t asleep_bits = 0x1 | 0x2 | 0x4 | 0x8 | 0x40 | 0x1000;
constexpr std::uint32_t between_bits = 0x200 | 0x800;  // TASK_WAKING, TASK_NEW

enum class Read : std::uint8_t { unclear, on_cpu, waiting, sleeping, blocked, dead };

// What a walk's reading of a task says for certain. Queued and yet in a sleeping state may be a
// delayed dequeue (6.12 on) or a preemption on the way to sleep: unclear.
Read read_state(const schedscope_task& record) {
  if ((record.state & dead_bits) != 0) return Read::dead;
  if ((record.rec.flags & SCHEDSCOPE_TASK_ON_CPU) != 0) return Read::on_cpu;
  const bool queued = (record.rec.flags & SCHEDSCOPE_TASK_ON_RQ) != 0;
  if (queued) return record.state == 0 ? Read::waiting : Read::unclear;
  if ((record.state & between_bits) != 0 || (record.state & asleep_bits) == 0) return Read::unclear;
  return off_state(record.state) == State::block ? Read::blocked : Read::sleeping;
}

}  // namespace

ThreadIndex KernelTimeline::add_thread(std::uint32_t tid, std::uint64_t born, std::uint64_t t) {
  const ThreadIndex old = by_tid_.find(tid);
  if (old != no_index) supersede(old, t);
  const auto index = static_cast<ThreadIndex>(threads_.size());
  Thread& thread = threads_.emplace_back();
  thread.index = index;
  thread.tid = tid;
  thread.born_ns = born;
  Track& track = tracks_.emplace_back();
  restart(track, State::unknown, born);
  track.cut = true;
  track.gaps_seen = gaps_.count();
  by_tid_.set(tid, index);
  return index;
}

// A thread that nothing announced was there from the start, unless its announcement was lost
// or left out.
ThreadIndex KernelTimeline::create(std::uint32_t tid, std::uint64_t t) {
  const bool all_announced = scope_ == Timeline::Scope::whole_machine && gaps_.count() == 0;
  return add_thread(tid, all_announced ? std::min(start_ns_, t) : t, t);
}

// The tid has a new owner. The old one is over, unless it is on a CPU: then its last switch
// is still to come, and is known by the CPU that it is on.
void KernelTimeline::supersede(ThreadIndex old, std::uint64_t t) {
  Track& track = tracks_[old];
  Thread& thread = threads_[old];
  if (track.place == Place::running || track.place == Place::gone) return;
  if (track.place == Place::off) {
    see_gaps(old, t);
    track.state[track.segments - 1U] = State::unknown;
    give_out(old, t, true);
  }
  thread.gone_ns = track.place == Place::unborn ? thread.born_ns : t;
  thread.exited = true;
  track.place = Place::gone;
  if (track.carrier) carrier_sink_->carrier_gone(old, t);
}

void KernelTimeline::be_born(ThreadIndex thread, State state, std::uint64_t t) {
  threads_[thread].born_ns = t;
  threads_[thread].announced = true;
  Track& track = tracks_[thread];
  restart(track, state, t);
  track.place = state == State::run ? Place::running : Place::off;
  track.cut = false;
  track.seen = true;
  track.number = 0;  // the kernel counts from its birth
  track.number_known = true;
  track.gaps_seen = gaps_.count();
}

void KernelTimeline::on_wakeup_new(const schedscope_waking& record, std::uint64_t t) {
  if (record.tid == 0) return;
  ThreadIndex index = by_tid_.find(record.tid);
  // Its identity may have come before it; then it is the same thread, though its fork was lost.
  const bool expected =
      index != no_index && (tracks_[index].place == Place::unborn ||
                            (tracks_[index].place == Place::off && !tracks_[index].seen &&
                             threads_[index].start_ns > start_ns_));
  if (!expected) index = add_thread(record.tid, t, t);
  be_born(index, State::wait, t);
}

void KernelTimeline::on_fork(const schedscope_fork& record, std::uint64_t t) {
  if (record.tid == 0) return;
  const ThreadIndex parent = by_tid_.find(record.parent_tid);
  const ThreadIndex index = add_thread(record.tid, t, t);
  tracks_[index].place = Place::unborn;
  Thread& thread = threads_[index];
  thread.pid = record.pid;
  if (parent == no_index) return;
  // As the kernel does: a new thread has its maker's name and priority until it changes them.
  const bool same_process = threads_[parent].pid == record.pid;
  thread.ppid = same_process ? threads_[parent].ppid : threads_[parent].pid;
  thread.comm = threads_[parent].comm;
  thread.prio = threads_[parent].prio;
  thread.nice = threads_[parent].nice;
  thread.policy = threads_[parent].policy;
}

// A thread that is not its process's first one and calls execve takes the first one's tid and start
// time. It is told of twice, when it is first seen and when it is done.
void KernelTimeline::on_exec(const schedscope_exec& record, std::uint64_t t) {
  if (record.tid == record.old_tid || record.tid == 0 || record.old_tid == 0) return;
  const ThreadIndex leader = by_tid_.find(record.tid);
  if (leader != no_index && tracks_[leader].tid_before == record.old_tid) {
    const ThreadIndex other = by_tid_.find(record.old_tid);
    if (other == no_index || other == tracks_[leader].leader) return;
  }
  const ThreadIndex caller = find_or_create(record.old_tid, t);
  tracks_[caller].tid_before = record.old_tid;
  tracks_[caller].leader = leader;
  threads_[caller].tid = record.tid;
  threads_[caller].start_ns = leader != no_index ? threads_[leader].start_ns : 0;
  by_tid_.set(record.tid, caller);
  by_tid_.erase(record.old_tid);
  if (leader == no_index) return;
  threads_[leader].tid = record.old_tid;  // its last switch may be still to come
  by_tid_.set(record.old_tid, leader);
}

void KernelTimeline::on_task(const schedscope_task& record, std::uint64_t t) {
  if (record.tid == 0) return;
  const std::uint16_t flags = record.rec.flags;
  ThreadIndex index = by_tid_.find(record.tid);
  if (index != no_index && record.start_ns != 0 && threads_[index].start_ns != 0 &&
      record.start_ns != threads_[index].start_ns) {
    index = add_thread(record.tid, t, t);
  }
  if (crosses(record, index)) {
    learn(cross(record, index, t), record, t);
    return;
  }
  if (index == no_index) {
    if (read_state(record) == Read::dead) return;  // a zombie: no thread any more
    // Of a selection it may have come into that since, though it is older.
    const bool older = scope_ == Timeline::Scope::whole_machine && record.start_ns != 0 &&
                       record.start_ns <= start_ns_;
    const bool old = older || (flags & SCHEDSCOPE_TASK_BEGIN) != 0;
    index = add_thread(record.tid, old ? start_ns_ : t, t);
  }
  learn(index, record, t);
  const Track& track = tracks_[index];
  if (track.seen || track.place != Place::off) return;
  if ((flags & SCHEDSCOPE_TASK_BEGIN) != 0 && gaps_.count() == 0) {
    read_place(index, record);
    if (read_state(record) == Read::on_cpu && record.task_cpu < SCHEDSCOPE_CPU_NONE) {
      cpu_at(static_cast<std::uint16_t>(record.task_cpu)).candidate = index;
    }
  }
  if ((flags & SCHEDSCOPE_TASK_END) != 0) read_at_end(index, record);
}

// No switch and no wakeup between its first moment and the reading: what was read has been so
// since then.
void KernelTimeline::read_place(ThreadIndex index, const schedscope_task& record) {
  Track& track = tracks_[index];
  const Read read = read_state(record);
  track.left_cpu = record.task_cpu < SCHEDSCOPE_CPU_NONE
                       ? static_cast<std::uint16_t>(record.task_cpu)
                       : SCHEDSCOPE_CPU_NONE;
  track.begin_switches = record.switches;
  track.number = static_cast<std::uint32_t>(record.switches);
  track.number_known = track.number_walked = true;
  if (read != Read::waiting && read != Read::blocked && read != Read::sleeping) return;
  const State state = read == Read::waiting   ? State::wait
                      : read == Read::blocked ? State::block
                                              : State::sleep;
  restart(track, state, threads_[index].born_ns);
  track.from_walk = true;
}

void KernelTimeline::read_at_end(ThreadIndex index, const schedscope_task& record) {
  Track& track = tracks_[index];
  if (track.seen || track.place != Place::off || !track.from_walk) return;
  const Read read = read_state(record);
  const State then = read == Read::waiting    ? State::wait
                     : read == Read::blocked  ? State::block
                     : read == Read::sleeping ? State::sleep
                                              : State::unknown;
  track.read_at_end = true;
  track.same_at_end = then == track.state[0] && record.switches == track.begin_switches;
}

// Whether the record tells that its thread has come into the selection, or has left it. One who
// has left may still be told of by who found him in: only a move brings him back. One who was only
// met may also be found by the walk.
bool KernelTimeline::crosses(const schedscope_task& record, ThreadIndex index) const {
  if (scope_ == Timeline::Scope::whole_machine) return false;
  const bool outside = (record.rec.flags & SCHEDSCOPE_TASK_BYSTANDER) != 0;
  const bool moved = (record.rec.flags & SCHEDSCOPE_TASK_MOVED) != 0;
  if (index == no_index) return !outside && moved;
  if (!threads_[index].identified || threads_[index].bystander == outside) return false;
  const bool walked = (record.rec.flags & SCHEDSCOPE_TASK_BEGIN) != 0;
  return outside || moved || (walked && !tracks_[index].left);
}

// What was recorded before is one stretch of its life, what comes from now on another, and each
// has a thread of its own here: nothing is known of the time between two in the selection.
ThreadIndex KernelTimeline::cross(const schedscope_task& record, ThreadIndex old, std::uint64_t t) {
  const bool enters = (record.rec.flags & SCHEDSCOPE_TASK_BYSTANDER) == 0;
  std::uint16_t left_on = SCHEDSCOPE_CPU_NONE;
  if (old != no_index && tracks_[old].place != Place::gone) {
    Track& track = tracks_[old];
    if (track.place == Place::running) left_on = track.cpu;
    read_at_end(old, record);
    end_thread(old, t);
    track.place = Place::gone;
    if (track.carrier) carrier_sink_->carrier_gone(old, t);
    threads_[old].partial = true;
  }
  const ThreadIndex index = add_thread(record.tid, t, t);
  threads_[index].partial = true;
  tracks_[index].left = !enters;
  if (left_on != SCHEDSCOPE_CPU_NONE) {
    cpus_[left_on].current = Cpu::Current::unknown;
    cpus_[left_on].since = t;
  }
  if (enters) {
    // Where a thread that was not selected is by its records, it may have been long ago.
    tracks_[index].entered = true;
    read_place(index, record);
    if (read_state(record) == Read::on_cpu && record.task_cpu < SCHEDSCOPE_CPU_NONE) {
      enter_on_cpu(index, static_cast<std::uint16_t>(record.task_cpu), t);
    }
  } else if (left_on != SCHEDSCOPE_CPU_NONE) {
    enter_on_cpu(index, left_on, t);
  }
  return index;
}

// Nobody saw it come to the CPU. Where another selected thread is there by its records, the two
// have just changed places, and the next switch tells.
void KernelTimeline::enter_on_cpu(ThreadIndex thread, std::uint16_t number, std::uint64_t t) {
  Cpu& cpu = cpu_at(number);
  if (cpu.current == Cpu::Current::thread) {
    if (all_recorded(cpu.thread)) return;
    take_off(cpu, number, t);
  } else {
    give_cpu(number, CpuState::unknown, cpu.since, t);
  }
  Track& track = tracks_[thread];
  restart(track, State::run, t);
  track.place = Place::running;
  track.cpu = track.left_cpu = number;
  track.slice_cut = true;
  track.from_walk = false;
  cpu.current = Cpu::Current::thread;
  cpu.thread = thread;
  cpu.since = cpu.sure = t;
}

void KernelTimeline::learn(ThreadIndex index, const schedscope_task& record, std::uint64_t t) {
  Thread& thread = threads_[index];
  if (record.cgroup_id != 0 && record.cgroup_id != thread.cgroup_id) {
    const bool moved = (record.rec.flags & SCHEDSCOPE_TASK_MOVED) != 0;
    const bool from_birth = thread.cgroup_id == 0 && (!moved || thread.born_ns == t);
    for (Sink* sink : sinks_) {
      sink->in_cgroup(index, record.cgroup_id, from_birth ? 0 : t, moved || from_birth);
    }
  }
  if (!thread.identified) {
    thread.bystander = (record.rec.flags & SCHEDSCOPE_TASK_BYSTANDER) != 0;
  }
  thread.identified = true;
  thread.pid = record.pid;
  thread.ppid = record.ppid;
  const auto* name = reinterpret_cast<const char*>(record.comm);
  thread.comm.assign(name, std::find(name, name + sizeof(record.comm), '\0'));
  thread.policy = record.policy;
  thread.prio = record.prio;
  thread.nice = record.nice;
  thread.kernel_thread = (record.rec.flags & SCHEDSCOPE_TASK_KTHREAD) != 0;
  thread.start_ns = record.start_ns;
  if (record.cgroup_id != 0) thread.cgroup_id = record.cgroup_id;
  if (record.slice_ns != 0) thread.slice_ns = record.slice_ns;
}

void KernelTimeline::on_namespace(const schedscope_namespace& record) {
  const ThreadIndex index = by_tid_.find(record.tid);
  if (index == no_index) return;
  forget_ns_tid(index);
  Thread& thread = threads_[index];
  thread.ns_tid = record.ns_tid;
  thread.ns_pid = record.ns_pid;
  thread.ns_id = record.ns_id;
  if (thread.pid != 0) by_ns_tid_.set({thread.pid, thread.ns_tid}, index);
}

void KernelTimeline::forget_ns_tid(ThreadIndex thread) {
  const ProcessKey key{threads_[thread].pid, threads_[thread].ns_tid};
  if (key.id != 0 && by_ns_tid_.find(key) == thread) by_ns_tid_.erase(key);
}

ThreadIndex KernelTimeline::adopt_carrier(std::uint32_t tid, std::uint64_t t) {
  const ThreadIndex index = find_or_create(tid, t);
  tracks_[index].carrier = true;
  return index;
}

}  // namespace schedscope::timeline
