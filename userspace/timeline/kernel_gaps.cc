// SPDX-License-Identifier: GPL-2.0-only
//
// What a timeline does when records contradict each other, were lost, or end.
#include <algorithm>

#include "timeline/kernel.h"

namespace schedscope::timeline {
namespace {

constexpr std::uint64_t never = ~0ULL;
constexpr std::size_t most_held_gaps = 1 << 16;
constexpr std::size_t most_held_misses = 1 << 16;

}  // namespace

// Every switch of this thread is recorded; no_index: of an idle task. Where most are left out on
// purpose, one that does not follow says nothing; nor does the first one of a thread that came
// into the selection, which may have been on its way when it was read.
bool KernelTimeline::all_recorded(ThreadIndex thread) const {
  if (scope_ == Timeline::Scope::whole_machine) return true;
  if (thread == no_index || threads_[thread].bystander) return false;
  return tracks_[thread].seen || !tracks_[thread].entered;
}

void KernelTimeline::missed(std::uint64_t t) {
  if (!misses_.empty() && misses_.back() == t) return;  // one switch is missed once
  if (misses_.size() == most_held_misses) {
    old_misses_ += misses_.size() / 2;
    misses_.erase(misses_.begin(), misses_.begin() + most_held_misses / 2);
  }
  misses_.push_back(t);
}

// The CPU's thread left it and that was not seen: nothing is known of it since it came.
void KernelTimeline::take_off(Cpu& cpu, std::uint16_t number, std::uint64_t t) {
  Track& track = tracks_[cpu.thread];
  const std::uint64_t begin = track.begin[track.segments - 1U];
  give_out(cpu.thread, begin);
  restart(track, State::unknown, begin);
  track.place = Place::off;
  track.number_known = false;
  track.wake_pending = false;
  track.cut = true;
  track.left_cpu = number;
  track.gaps_seen = gaps_.count();
  give_cpu(number, CpuState::unknown, cpu.since, t);
  cpu.current = Cpu::Current::unknown;
  cpu.since = t;
  cpu.sure = never;
}

void KernelTimeline::take_off_elsewhere(ThreadIndex thread, std::uint64_t t) {
  const std::uint16_t number = tracks_[thread].cpu;
  Cpu& cpu = cpus_[number];
  if (cpu.current == Cpu::Current::thread && cpu.thread == thread) take_off(cpu, number, t);
}

// `thread` leaves a CPU that it was not seen to come to; `sure`: from when on nobody else can
// have been there.
void KernelTimeline::place_on(std::uint16_t cpu, ThreadIndex thread, std::uint64_t sure,
                              std::uint64_t t) {
  Track& track = tracks_[thread];
  std::uint64_t from = t;
  if (track.place == Place::running) {
    if (all_recorded(thread)) missed(t);
    take_off_elsewhere(thread, t);
  }
  if (track.place == Place::unborn) {
    from = std::max(sure, threads_[thread].born_ns);
    be_born(thread, State::run, from);
  } else {
    see_gaps(thread, t);
    // Woken after a gap, and on the CPU all along: the waking was consumed in place.
    if (track.segments == 2 && track.state[0] == State::unknown) track.segments = 1;
    const bool open = track.segments == 1 && (track.state[0] == State::unknown || track.from_walk);
    if (open) {
      from = std::max(sure, track.begin[0]);
    } else if (all_recorded(thread)) {
      missed(t);
    }
    track.state[track.segments - 1U] = State::unknown;
    if (open && from == track.begin[0]) {
      track.state[0] = State::run;
    } else {
      append(track, State::run, from);
    }
  }
  track.place = Place::running;
  track.maybe_awake = track.maybe_lost_waking = false;
  track.from_walk = false;
  track.slice_cut = true;
  track.cpu = cpu;
}

// No switch number will show whether a thread on a CPU came there straight from its last switch;
// when one of the first `gaps` gaps was told of since, it may have run in it.
void KernelTimeline::doubt_way_here(ThreadIndex thread, std::uint64_t gaps) {
  Track& track = tracks_[thread];
  if (gaps == track.gaps_seen || track.segments == 1) return;
  const std::uint64_t begin = track.begin[track.segments - 1U];
  restart(track, State::unknown, track.begin[0]);
  append(track, State::run, begin);
}

void KernelTimeline::on_hotplug(const schedscope_hotplug& record, std::uint64_t t) {
  if (record.of_cpu >= most_cpus) return;
  const auto number = static_cast<std::uint16_t>(record.of_cpu);
  Cpu& cpu = cpu_at(number);
  if ((record.rec.flags & SCHEDSCOPE_HOTPLUG_OFF) == 0) {
    come_on(cpu, number, t);
  } else if (cpu.current != Cpu::Current::off) {
    go_off(cpu, number, record.rec.cpu == SCHEDSCOPE_CPU_NONE, t);
  }
}

// Its last switch was to its idle task. That of its stopper, which takes the CPU down, no
// tracepoint tells: the CPU counts as gone by then. Any other thread that is still on it left
// unseen. A CPU that the recorder found off was so from the start if nothing was heard of it.
void KernelTimeline::go_off(Cpu& cpu, std::uint16_t number, bool found, std::uint64_t t) {
  if (cpu.current == Cpu::Current::thread) {
    if (!is_stopper(threads_[cpu.thread]) && all_recorded(cpu.thread)) missed(t);
    take_off(cpu, number, t);
  }
  const bool from_start = found && cpu.quiet_since_start;
  if (!from_start) {
    const bool idle = cpu.current == Cpu::Current::idle;
    give_cpu(number, idle ? CpuState::idle : CpuState::unknown, cpu.since, t);
    cpu.since = t;
  }
  cpu.current = Cpu::Current::off;
  cpu.quiet_since_start = false;
  cpu.candidate = no_index;
}

void KernelTimeline::come_on(Cpu& cpu, std::uint16_t number, std::uint64_t t) {
  if (cpu.current != Cpu::Current::off) return;
  give_cpu(number, CpuState::off, cpu.since, t);
  cpu.current = Cpu::Current::idle;
  cpu.since = cpu.sure = t;
  cpu.idle_number_known = false;
}

void KernelTimeline::on_gap(std::uint16_t cpu, std::uint64_t begin_ns, std::uint64_t t) {
  gaps_.add(begin_ns);
  while (!misses_.empty() && misses_.back() >= begin_ns) misses_.pop_back();
  if (cpu == SCHEDSCOPE_CPU_NONE) {
    for (std::size_t i = 0; i < cpus_.size(); ++i) {
      lose_cpu(cpus_[i], static_cast<std::uint16_t>(i), begin_ns, t);
    }
  } else {
    lose_cpu(cpu_at(cpu), cpu, begin_ns, t);
    lose_the_off(begin_ns, t);
  }
  if (gaps_.held() < most_held_gaps) return;
  for (ThreadIndex i = 0; i < tracks_.size(); ++i) {
    if (tracks_[i].place == Place::off) see_gaps(i, t);
  }
  gaps_.forget();
}

// What brings a CPU up again is told on another one: the gap may hold it.
void KernelTimeline::lose_the_off(std::uint64_t begin_ns, std::uint64_t t) {
  for (std::size_t i = 0; i < cpus_.size(); ++i) {
    if (cpus_[i].current != Cpu::Current::off) continue;
    lose_cpu(cpus_[i], static_cast<std::uint16_t>(i), begin_ns, t);
  }
}

// Of the slice that a gap or the end cuts off.
Interrupts KernelTimeline::interrupts_of_open(const Cpu& cpu, std::uint64_t begin,
                                              std::uint64_t end) const {
  return cpu.interrupts.of_slice(threads_[cpu.thread].tid, begin, end, false);
}

void KernelTimeline::lose_cpu(Cpu& cpu, std::uint16_t number, std::uint64_t begin_ns,
                              std::uint64_t t) {
  const std::uint64_t at = std::clamp(begin_ns, cpu.since, t);
  if (cpu.current == Cpu::Current::idle) give_cpu(number, CpuState::idle, cpu.since, at);
  if (cpu.current == Cpu::Current::off) give_cpu(number, CpuState::off, cpu.since, at);
  if (cpu.current == Cpu::Current::thread) {
    Track& track = tracks_[cpu.thread];
    const std::uint64_t begin = track.begin[track.segments - 1U];
    if (at > begin) {
      doubt_way_here(cpu.thread, gaps_.count() - 1);  // this gap is its own
      give_out(cpu.thread, begin);
      give_slice({.thread = cpu.thread,
                  .cpu = number,
                  .begin_ns = begin,
                  .end_ns = at,
                  .begin_cut = track.slice_cut,
                  .end_cut = true,
                  .interrupts = interrupts_of_open(cpu, begin, at)});
      restart(track, State::unknown, at);
    } else {
      // It came during the gap: what it did before on the way is no more certain than this.
      track.state[track.segments - 1U] = State::unknown;
      become_unknown_from(cpu.thread, begin_ns, t);
    }
    track.place = Place::off;
    track.number_known = false;
    track.wake_pending = false;
    track.cut = true;
    track.left_cpu = number;
    track.gaps_seen = gaps_.count();
  }
  if (cpu.current != Cpu::Current::unknown) cpu.since = at;
  cpu.interrupts.forget();
  cpu.current = Cpu::Current::unknown;
  cpu.sure = t;
  cpu.quiet_since_start = false;
  cpu.idle_number_known = false;
}

// A thread off the CPU may have run, slept and been woken on a CPU whose records were lost.
void KernelTimeline::see_new_gaps(ThreadIndex thread, std::uint64_t t) {
  Track& track = tracks_[thread];
  const std::uint64_t begin_ns = gaps_.earliest_after(track.gaps_seen);
  track.gaps_seen = gaps_.count();
  track.number_known = false;
  become_unknown_from(thread, begin_ns, t);
}

void KernelTimeline::become_unknown_from(ThreadIndex thread, std::uint64_t from, std::uint64_t t) {
  Track& track = tracks_[thread];
  const std::uint64_t at = std::clamp(from, track.begin[0], t);
  // The waking that showed it asleep proves nothing when it may have run before it.
  const bool doubtful = track.proven_asleep && track.segments > 1 && at < track.begin[1];
  if (track.maybe_awake || track.maybe_lost_waking || doubtful) track.state[0] = State::unknown;
  track.maybe_awake = track.maybe_lost_waking = track.proven_asleep = false;
  track.from_walk = false;
  // Woken after one gap and not seen to run before the next: it may have been on a CPU all along.
  if (track.segments == 2 && track.state[0] == State::unknown) track.segments = 1;
  while (track.segments > 1 && track.begin[track.segments - 1U] >= at) --track.segments;
  if (track.state[track.segments - 1U] == State::unknown) return;
  if (at > track.begin[0]) {
    give_out(thread, at, true);
    track.cut = true;
  }
  restart(track, State::unknown, at);
}

void KernelTimeline::finish(std::uint64_t end_ns) {
  for (std::size_t i = 0; i < cpus_.size(); ++i) {
    Cpu& cpu = cpus_[i];
    // Not one switch on this CPU, and the walk saw a thread on it: it ran all the time.
    if (!cpu.quiet_since_start || cpu.candidate == no_index) continue;
    if (tracks_[cpu.candidate].seen || tracks_[cpu.candidate].place != Place::off) continue;
    place_on(static_cast<std::uint16_t>(i), cpu.candidate, start_ns_, end_ns);
    cpu.current = Cpu::Current::thread;
    cpu.thread = cpu.candidate;
  }
  for (ThreadIndex i = 0; i < tracks_.size(); ++i) end_thread(i, end_ns);
  for (std::size_t i = 0; i < cpus_.size(); ++i) {
    const Cpu& cpu = cpus_[i];
    if (cpu.current == Cpu::Current::thread) continue;  // tiled by that thread's slice
    const CpuState state = cpu.current == Cpu::Current::idle  ? CpuState::idle
                           : cpu.current == Cpu::Current::off ? CpuState::off
                                                              : CpuState::unknown;
    give_cpu(static_cast<std::uint16_t>(i), state, cpu.since, end_ns);
  }
}

// A thread that no switch and no wakeup told of: the two walks are all there is.
void KernelTimeline::settle_unseen(ThreadIndex thread, std::uint64_t end) {
  Track& track = tracks_[thread];
  if (track.from_walk && track.read_at_end) {
    // The kernel's own count says that it never ran, gap or not.
    track.gaps_seen = gaps_.count();
    if (!track.same_at_end) track.state[0] = State::unknown;
    return;
  }
  see_gaps(thread, end);
}

void KernelTimeline::end_thread(ThreadIndex thread, std::uint64_t end) {
  Track& track = tracks_[thread];
  release_held(thread);
  if (track.place == Place::gone) return;
  threads_[thread].gone_ns = end;
  if (track.place == Place::unborn) {
    threads_[thread].gone_ns = threads_[thread].born_ns;
    return;
  }
  if (track.place == Place::running) {
    const std::uint64_t begin = track.begin[track.segments - 1U];
    doubt_way_here(thread, gaps_.count());
    give_out(thread, begin);
    give_slice({.thread = thread,
                .cpu = track.cpu,
                .begin_ns = begin,
                .end_ns = end,
                .begin_cut = track.slice_cut,
                .end_cut = true,
                .interrupts = interrupts_of_open(cpus_[track.cpu], begin, end)});
    return;
  }
  if (track.seen) {
    see_gaps(thread, end);
  } else {
    settle_unseen(thread, end);
  }
  if (track.maybe_awake || track.maybe_lost_waking) track.state[0] = State::unknown;
  give_out(thread, end, true);
}

std::size_t KernelTimeline::open_stretches(ThreadIndex thread,
                                           std::array<OpenStretch, 3>& out) const {
  const Track& track = tracks_[thread];
  if (track.place == Place::gone || track.place == Place::unborn) return 0;
  for (std::size_t i = 0; i < track.segments; ++i) out[i] = {track.state[i], track.begin[i]};
  return track.segments;
}

}  // namespace schedscope::timeline
