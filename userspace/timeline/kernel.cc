// SPDX-License-Identifier: GPL-2.0-only
#include "timeline/kernel.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "timeline/futex.h"

namespace schedscope::timeline {
// It takes a thread off its CPU to move it to another one, and all of them when the CPU goes.
bool is_stopper(const Thread& thread) {
  return thread.prio == 0 && thread.kernel_thread &&
         std::string_view(thread.comm).starts_with("migration/");
}

KernelTimeline::KernelTimeline(std::uint64_t start_ns, std::uint32_t cpus, std::vector<Sink*> sinks,
                               Timeline::Scope scope)
    : start_ns_(start_ns), scope_(scope), sinks_(std::move(sinks)) {
  if (cpus != 0) cpu_at(static_cast<std::uint16_t>(std::min(cpus, 0xffffU) - 1));
}

void KernelTimeline::add_cpus(std::uint16_t last) {
  Cpu fresh;
  fresh.since = fresh.sure = start_ns_;
  cpus_.resize(last + 1U, fresh);
}

// Its steps are functions for the reader's sake: most of them are called here only, for each
// switch.
[[gnu::flatten]] void KernelTimeline::on_switch(const schedscope_switch& record, std::uint64_t t) {
  const std::uint16_t number = record.rec.cpu;
  if (number == SCHEDSCOPE_CPU_NONE) return;
  Cpu& cpu = cpu_at(number);
  if (cpu.current == Cpu::Current::off) come_on(cpu, number, t);
  ThreadIndex prev = no_index;
  if (record.prev_tid != 0) {
    // The CPU's own thread comes first: a tid may have a new owner before the old one's last
    // switch.
    const bool here =
        cpu.current == Cpu::Current::thread && threads_[cpu.thread].tid == record.prev_tid;
    prev = here ? cpu.thread : find_or_create(record.prev_tid, t);
  }
  ThreadIndex next = record.next_tid != 0 ? find_or_create(record.next_tid, t) : no_index;
  if (prev == no_index) {
    leave_idle(cpu, record, t);
  } else {
    leave(cpu, prev, next, record, t);
  }
  cpu.quiet_since_start = false;
  cpu.interrupts.forget();
  if (next == no_index) {
    cpu.current = Cpu::Current::idle;
    cpu.since = t;
    return;
  }
  if (tracks_[next].place == Place::gone) next = add_thread(record.next_tid, t, t);
  arrive(cpu, number, next, t);
  threads_[next].prio = record.next_prio;
  threads_[next].policy = record.next_policy;
}

// Since when whoever leaves a CPU has been on it, when nobody was seen to come: its coming would
// have been recorded, if all of its switches are.
std::uint64_t KernelTimeline::sure_from(const Cpu& cpu, ThreadIndex prev, std::uint64_t t) const {
  if (!all_recorded(prev)) return t;
  return std::clamp(cpu.sure, cpu.since, std::max(cpu.since, t));
}

void KernelTimeline::leave_idle(Cpu& cpu, const schedscope_switch& record, std::uint64_t t) {
  const std::uint16_t number = record.rec.cpu;
  switch (cpu.current) {
    case Cpu::Current::idle: {
      const bool follows = !cpu.idle_number_known || record.prev_switches == 0 ||
                           record.prev_switches == cpu.idle_number + 1;
      if (!follows && all_recorded(no_index)) missed(t);
      give_cpu(number, follows ? CpuState::idle : CpuState::unknown, cpu.since, t);
      break;
    }
    case Cpu::Current::off:  // on_switch() has seen to it
    case Cpu::Current::unknown: {
      const std::uint64_t sure = sure_from(cpu, no_index, t);
      give_cpu(number, CpuState::unknown, cpu.since, sure);
      give_cpu(number, CpuState::idle, sure, t);
      break;
    }
    case Cpu::Current::thread:
      if (all_recorded(cpu.thread)) missed(t);
      take_off(cpu, number, t);
      break;
  }
  // A witness that does not number the idle task's switches writes 0.
  cpu.idle_number = record.prev_switches;
  cpu.idle_number_known = record.prev_switches != 0;
}

void KernelTimeline::leave(Cpu& cpu, ThreadIndex prev, ThreadIndex next,
                           const schedscope_switch& record, std::uint64_t t) {
  const std::uint16_t number = record.rec.cpu;
  if (cpu.current == Cpu::Current::unknown) {
    place_on(number, prev, sure_from(cpu, prev, t), t);
    give_cpu(number, CpuState::unknown, cpu.since,
             tracks_[prev].begin[tracks_[prev].segments - 1U]);
  } else if (cpu.current != Cpu::Current::thread || cpu.thread != prev) {
    const bool thread_here = cpu.current == Cpu::Current::thread;
    if (all_recorded(prev) || all_recorded(thread_here ? cpu.thread : no_index)) missed(t);
    if (thread_here) {
      take_off(cpu, number, t);
    } else {
      give_cpu(number, CpuState::unknown, cpu.since, t);
    }
    place_on(number, prev, t, t);
  }
  const Departure departure = departure_of(record);
  Track& track = tracks_[prev];
  const std::uint64_t begin = track.begin[track.segments - 1U];
  if (number_follows(prev, record.prev_switches, t)) {
    give_out(prev, begin);
    const Slice slice{.thread = prev,
                      .cpu = number,
                      .end = departure.end,
                      .begin_ns = begin,
                      .end_ns = t,
                      .nominal_ns = record.prev_slice_ns,
                      .next = next,
                      .by = caused_by(record, departure.end, next),
                      .switch_number = record.prev_switches,
                      .clock_step = record.clock_step,
                      .policy = record.prev_policy,
                      .begin_cut = track.slice_cut,
                      .interrupts = cpu.interrupts.of_slice(record.prev_tid, begin, t, true)};
    // Whether the stopper came to move this very thread shows only after the switch.
    if (departure.runnable && next != no_index && is_stopper(threads_[next])) {
      release_held(prev);
      held_.emplace(prev, slice);
      track.held = true;
    } else {
      give_slice(slice);
    }
  } else {
    give_span({.thread = prev, .cpu = track.left_cpu, .begin_ns = track.begin[0], .end_ns = t});
    give_cpu(number, CpuState::unknown, begin, t);
  }
  Thread& thread = threads_[prev];
  thread.prio = record.prev_prio;
  thread.policy = record.prev_policy;
  if (record.prev_slice_ns != 0) thread.slice_ns = record.prev_slice_ns;
  depart(prev, departure, record.prev_switches, t);
  if (tracks_[prev].place == Place::off) fall_asleep(cpu, prev, record, t);
}

// False when a switch of this thread was missed since its last one: then nothing of the time
// since is certain. When a gap explains it, its slice still is: a CPU's gap is told of before its
// next record.
bool KernelTimeline::number_follows(ThreadIndex prev, std::uint32_t number, std::uint64_t t) {
  Track& track = tracks_[prev];
  const bool gap_since = gaps_.count() != track.gaps_seen;
  const bool follows =
      number == track.number + 1 || (track.number_walked && number == track.number);
  if (follows) {
    // That no switch was missed says nothing of the waking that a guess rests on.
    if (track.guessed_awake && gap_since) track.state[0] = State::unknown;
    return true;
  }
  if (track.number_known && !gap_since) {
    if (all_recorded(prev)) missed(t);
    return false;
  }
  if (!track.number_known && gaps_.count() == 0) return true;  // the first one seen of it
  const std::uint64_t begin = track.begin[track.segments - 1U];
  if (track.segments > 1) {
    restart(track, State::unknown, track.begin[0]);
    append(track, State::run, begin);
  }
  return true;
}

ThreadIndex KernelTimeline::caused_by(const schedscope_switch& record, SliceEnd end,
                                      ThreadIndex next) const {
  if (end != SliceEnd::preempted && end != SliceEnd::outranked) return no_index;
  if ((record.rec.flags & SCHEDSCOPE_SWITCH_WAKEUP) != 0 && record.resched_tid != 0) {
    return by_tid_.find(record.resched_tid);
  }
  return end == SliceEnd::outranked ? next : no_index;
}

void KernelTimeline::depart(ThreadIndex prev, const Departure& departure, std::uint32_t number,
                            std::uint64_t t) {
  Track& track = tracks_[prev];
  // A waking before its switch-out may be among what was lost.
  const bool gap_since = gaps_.count() != track.gaps_seen;
  const bool came_in_gap = track.slice_cut && gaps_.count() != 0;
  track.maybe_lost_waking = !departure.runnable && (gap_since || came_in_gap);
  track.number = number;
  track.number_known = true;
  track.number_walked = false;
  track.gaps_seen = gaps_.count();
  track.seen = true;
  track.cut = false;
  track.left_cpu = track.cpu;
  if (departure.end == SliceEnd::exited) {
    Thread& thread = threads_[prev];
    thread.exited = true;
    thread.gone_ns = t;
    track.place = Place::gone;
    if (by_tid_.find(thread.tid) == prev) by_tid_.erase(thread.tid);
    forget_ns_tid(prev);
    if (track.carrier) carrier_sink_->carrier_gone(prev, t);
    return;
  }
  track.place = Place::off;
  restart(track, departure.then, t);
  track.maybe_awake = !departure.runnable && track.wake_pending;
  track.wake_pending = false;
  track.guessed_awake = track.proven_asleep = false;
  track.waker = no_index;
  track.waker_timer = false;
}

// What a thread sleeps in and for. A record of its futex and one of its stacks stand right before
// its switch.
void KernelTimeline::fall_asleep(const Cpu& cpu, ThreadIndex prev, const schedscope_switch& record,
                                 std::uint64_t t) {
  Track& track = tracks_[prev];
  track.syscall = {};
  if ((record.rec.flags & SCHEDSCOPE_SWITCH_SYSCALL) != 0) {
    track.syscall = {.number = record.resched_tid,
                     .compat = (record.rec.flags & SCHEDSCOPE_SWITCH_COMPAT) != 0};
  }
  track.has_stacks = cpu.stacks_tid == record.prev_tid && cpu.stacks_at == record.rec.time_ns;
  if (track.has_stacks) stacks_.insert_or_assign(prev, cpu.stacks);
  track.has_futex = cpu.futex_tid == record.prev_tid && cpu.futex_at == record.rec.time_ns;
  if (!track.has_futex) return;
  futexes_.insert_or_assign(prev, cpu.futex);
  for (Sink* sink : sinks_) sink->futex_wait(prev, cpu.futex, t);
}

void KernelTimeline::on_stack(const schedscope_stack& record) {
  if (record.rec.cpu == SCHEDSCOPE_CPU_NONE) return;
  Cpu& cpu = cpu_at(record.rec.cpu);
  cpu.stacks_tid = record.tid;
  cpu.stacks_at = record.rec.time_ns;
  cpu.stacks = {.kernel = record.kernel, .user = record.user};
}

void KernelTimeline::on_futex(const schedscope_futex& record) {
  if (record.rec.cpu == SCHEDSCOPE_CPU_NONE) return;
  Cpu& cpu = cpu_at(record.rec.cpu);
  cpu.futex_tid = record.tid;
  cpu.futex_at = record.rec.time_ns;
  cpu.futex = {.word = record.word};
  const ThreadIndex thread = by_tid_.find(record.tid);
  const std::uint32_t tid = owner_tid(record);
  if (thread == no_index || tid == 0 || threads_[thread].pid == 0) return;
  const std::uint32_t pid = threads_[thread].pid;
  const bool in_namespace = (record.rec.flags & SCHEDSCOPE_FUTEX_NAMESPACE) != 0;
  const ThreadIndex owner = in_namespace ? by_ns_tid_.find({pid, tid}) : by_tid_.find(tid);
  if (owner == no_index || owner == thread || threads_[owner].pid != pid) return;
  if (tracks_[owner].place != Place::gone) cpu.futex.owner = owner;
}

// Stands right before the switch that ends what it is of, or tells of a part of that.
void KernelTimeline::on_interrupts(const schedscope_interrupts& record, std::uint64_t t) {
  if (record.of_cpu >= most_cpus) return;
  Cpu& cpu = cpu_at(static_cast<std::uint16_t>(record.of_cpu));
  // After a gap: whoever is there now may have been since it ended.
  const bool gap = cpu.current == Cpu::Current::unknown && cpu.sure <= t;
  cpu.interrupts.add(record, gap ? std::max(cpu.since, cpu.sure) : cpu.since, t);
}

void KernelTimeline::arrive(Cpu& cpu, std::uint16_t number, ThreadIndex next, std::uint64_t t) {
  Track& track = tracks_[next];
  if (track.place == Place::unborn) {
    be_born(next, State::run, t);
  } else {
    if (track.place == Place::running) {
      if (all_recorded(next)) missed(t);
      take_off_elsewhere(next, t);
    }
    see_gaps(next, t);
    State& last = track.state[track.segments - 1U];
    if (last == State::sleep || last == State::block) {
      // It runs and no waking was seen: either the one that came before its switch-out left it
      // runnable, so that it never slept, or a waking was missed.
      track.guessed_awake = track.maybe_awake;
      last = track.maybe_awake ? State::wait : State::unknown;
    }
    append(track, State::run, t);
  }
  track.maybe_awake = track.maybe_lost_waking = false;
  track.from_walk = false;
  track.seen = true;
  track.slice_cut = false;
  track.place = Place::running;
  track.cpu = number;
  cpu.current = Cpu::Current::thread;
  cpu.thread = next;
  cpu.since = t;
}

void KernelTimeline::on_waking(const schedscope_waking& record, std::uint64_t t) {
  if (record.tid == 0) return;
  const ThreadIndex index = find_or_create(record.tid, t);
  const ThreadIndex waker = record.waker_tid != 0 ? by_tid_.find(record.waker_tid) : no_index;
  const bool timer = (record.rec.flags & SCHEDSCOPE_WAKING_TIMER) != 0;
  Track& track = tracks_[index];
  switch (track.place) {
    case Place::gone:
      return;
    case Place::unborn:
      be_born(index, State::wait, t);
      return;
    case Place::running:
      track.wake_pending = true;
      return;
    case Place::off:
      break;
  }
  see_gaps(index, t);
  track.seen = true;
  State& last = track.state[track.segments - 1U];
  // A waiting thread is not woken; one that the walk took for waiting was not waiting.
  if (last == State::wait && !track.from_walk) return;
  if (last == State::wait) last = State::unknown;
  track.proven_asleep = track.maybe_awake || track.maybe_lost_waking;
  track.maybe_awake = track.maybe_lost_waking = false;
  track.from_walk = false;
  track.waker = timer ? no_index : waker;
  track.waker_timer = timer;
  append(track, State::wait, t);
  if (!track.has_futex) return;
  for (Sink* sink : sinks_) sink->futex_woken(index, t);
}

void KernelTimeline::on_migrate(const schedscope_migrate& record) {
  const ThreadIndex index = by_tid_.find(record.tid);
  if (index == no_index || !tracks_[index].held) return;
  Slice& slice = held_.at(index);
  const Cpu& cpu = cpus_[slice.cpu];
  // Only by the stopper that took it off the CPU: another CPU may pull it over meanwhile.
  if (record.rec.cpu == slice.cpu && cpu.current == Cpu::Current::thread &&
      cpu.thread == slice.next) {
    slice.end = SliceEnd::migrated;
  }
}

void KernelTimeline::give_held(ThreadIndex thread) {
  tracks_[thread].held = false;
  const auto node = held_.extract(thread);
  give_slice(node.mapped());
}

void KernelTimeline::give_out(ThreadIndex thread, std::uint64_t until, bool end_cut) {
  const Track& track = tracks_[thread];
  for (std::size_t i = 0; i < track.segments && track.state[i] != State::run; ++i) {
    const bool last = i + 1U == track.segments;
    const bool off = track.state[i] == State::sleep || track.state[i] == State::block;
    const bool woken = i == 0 && off && !last;
    give_span({.thread = thread,
               .state = track.state[i],
               .cpu = track.left_cpu,
               .begin_ns = track.begin[i],
               .end_ns = last ? until : track.begin[i + 1],
               .waker = woken ? track.waker : no_index,
               .waker_timer = woken && track.waker_timer,
               .syscall = i == 0 && off ? track.syscall : Syscall{},
               .futex = i == 0 && off && track.has_futex ? &futexes_.at(thread) : nullptr,
               .stacks = i == 0 && off && track.has_stacks ? &stacks_.at(thread) : nullptr,
               .begin_cut = i == 0 && track.cut,
               .end_cut = last && end_cut});
  }
}

void KernelTimeline::give_span(const Span& span) {
  release_held(span.thread);
  if (span.begin_ns == span.end_ns) return;
  if (tracks_[span.thread].carrier) {
    carrier_sink_->carrier_stretch(span.thread, span.state, span.begin_ns, span.end_ns);
  }
  for (Sink* sink : sinks_) sink->span(span);
}

void KernelTimeline::give_slice(const Slice& slice) {
  release_held(slice.thread);
  if (slice.end_ns <= start_ns_) return;  // its record is from before the recording
  if (tracks_[slice.thread].carrier) {
    carrier_sink_->carrier_stretch(slice.thread, State::run, slice.begin_ns, slice.end_ns);
  }
  for (Sink* sink : sinks_) sink->slice(slice);
}

void KernelTimeline::give_cpu(std::uint16_t cpu, CpuState state, std::uint64_t begin,
                              std::uint64_t end) {
  if (begin == end) return;
  const CpuSpan span{.cpu = cpu, .state = state, .begin_ns = begin, .end_ns = end};
  for (Sink* sink : sinks_) sink->cpu_span(span);
}

}  // namespace schedscope::timeline
