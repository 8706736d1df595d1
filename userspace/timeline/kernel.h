// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "schema/record.h"
#include "timeline/flat_map.h"
#include "timeline/gaps.h"
#include "timeline/interrupts.h"
#include "timeline/sink.h"
#include "timeline/slice_end.h"
#include "timeline/timeline.h"
#include "timeline/types.h"

namespace schedscope::timeline {

// Takes the stretches of those threads that are carriers, as they become certain.
class CarrierSink {
 public:
  virtual ~CarrierSink() = default;
  virtual void carrier_stretch(ThreadIndex thread, State state, std::uint64_t begin_ns,
                               std::uint64_t end_ns) = 0;
  virtual void carrier_gone(ThreadIndex thread, std::uint64_t at_ns) = 0;
};

// The kernel-level half of a timeline: threads and CPUs.
//
// Of each thread it holds the stretches since its last switch-out, at most three: off the CPU,
// wait, run. They are given out at the next switch-out, whose number shows whether a switch was
// missed in between: only then are they certain, however late a gap may be told of.
class KernelTimeline {
 public:
  KernelTimeline(std::uint64_t start_ns, std::uint32_t cpus, std::vector<Sink*> sinks,
                 Timeline::Scope scope);

  // `t`: the record's time, never less than that of the record before.
  void on_switch(const schedscope_switch& record, std::uint64_t t);
  void on_waking(const schedscope_waking& record, std::uint64_t t);
  void on_wakeup_new(const schedscope_waking& record, std::uint64_t t);
  void on_fork(const schedscope_fork& record, std::uint64_t t);
  void on_exec(const schedscope_exec& record, std::uint64_t t);
  void on_migrate(const schedscope_migrate& record);
  void on_futex(const schedscope_futex& record);
  void on_stack(const schedscope_stack& record);
  void on_task(const schedscope_task& record, std::uint64_t t);
  void on_namespace(const schedscope_namespace& record);
  void on_hotplug(const schedscope_hotplug& record, std::uint64_t t);
  void on_interrupts(const schedscope_interrupts& record, std::uint64_t t);
  // A gap of one CPU's stream, or of all of them (SCHEDSCOPE_CPU_NONE).
  void on_gap(std::uint16_t cpu, std::uint64_t begin_ns, std::uint64_t t);
  void finish(std::uint64_t end_ns);

  [[nodiscard]] const std::vector<Thread>& threads() const { return threads_; }
  [[nodiscard]] ThreadIndex find(std::uint32_t tid) const { return by_tid_.find(tid); }
  [[nodiscard]] std::uint64_t discontinuities() const { return old_misses_ + misses_.size(); }

  // For the user threads' half: makes the thread known and reports its stretches from now on.
  ThreadIndex adopt_carrier(std::uint32_t tid, std::uint64_t t);
  void set_carrier_sink(CarrierSink* sink) { carrier_sink_ = sink; }
  [[nodiscard]] bool gone(ThreadIndex thread) const { return tracks_[thread].place == Place::gone; }
  struct OpenStretch {
    State state;
    std::uint64_t begin_ns;
  };
  // What is open and not yet certain, in time order; returns how many.
  std::size_t open_stretches(ThreadIndex thread, std::array<OpenStretch, 3>& out) const;

 private:
  enum class Place : std::uint8_t {
    unborn,   // forked, not yet woken for the first time
    off,      // not on a CPU: the last segment says how
    running,  // the last segment is its slice
    gone,
  };

  // What is known of a thread since its last switch-out, and how.
  struct Track {
    std::array<std::uint64_t, 3> begin{};
    std::array<State, 3> state{};
    std::uint8_t segments = 0;
    Place place = Place::off;
    std::uint16_t cpu = SCHEDSCOPE_CPU_NONE;       // that it is on, or left last
    std::uint16_t left_cpu = SCHEDSCOPE_CPU_NONE;  // that it left last
    std::uint32_t number = 0;                      // of its last switch
    bool number_known = false;
    bool number_walked = false;      // read from the task: its next switch may be in it already
    bool cut = false;                // the first segment began before what is seen
    bool wake_pending = false;       // woken while it ran
    bool maybe_awake = false;        // went to sleep with a wake pending: consumed in place or not
    bool maybe_lost_waking = false;  // went to sleep, and a gap may hold a waking before that
    bool proven_asleep = false;      // … and was taken for asleep, since a waking followed
    bool guessed_awake = false;      // … and was taken for not consumed, since it ran next
    bool seen = false;               // a switch or a wakeup told of it
    bool entered = false;            // came into the selection while it was recorded
    bool left = false;               // a bystander since it left that
    std::uint32_t tid_before = 0;    // execve gave it another one, which was
    ThreadIndex leader = no_index;   // … this one's, its group's leader's
    bool from_walk = false;          // not seen yet, and the walk told its state
    bool slice_cut = false;          // its slice began before what is seen
    bool carrier = false;
    bool held = false;  // its last slice waits in held_
    bool read_at_end = false;
    bool same_at_end = false;  // the walk at the end read the same state
    bool waker_timer = false;
    bool has_futex = false;        // that of the first segment is in futexes_
    bool has_stacks = false;       // likewise in stacks_
    Syscall syscall{};             // that the first segment is in
    ThreadIndex waker = no_index;  // who ended the first segment
    std::uint64_t gaps_seen = 0;
    std::uint64_t begin_switches = 0;  // kernel's count at the walks
  };

  struct Cpu {
    enum class Current : std::uint8_t { unknown, idle, thread, off };
    Current current = Current::unknown;
    bool idle_number_known = false;
    bool quiet_since_start = true;  // no record, no gap so far
    ThreadIndex thread = no_index;
    ThreadIndex candidate = no_index;  // read on this CPU by the walk at the start
    std::uint32_t idle_number = 0;
    std::uint64_t since = 0;  // what is there now, or is not known, began here
    std::uint64_t sure = 0;   // nothing was lost since: who is on it now has been since then
    // Who goes to sleep for a futex at the switch that has this time.
    std::uint32_t futex_tid = 0;
    std::uint64_t futex_at = 0;
    Futex futex{};
    // Likewise with its stacks.
    std::uint32_t stacks_tid = 0;
    std::uint64_t stacks_at = 0;
    Stacks stacks{};
    InterruptsHere interrupts{};
  };

  Cpu& cpu_at(std::uint16_t cpu) {
    if (cpu >= cpus_.size()) add_cpus(cpu);
    return cpus_[cpu];
  }
  void add_cpus(std::uint16_t last);
  // Whose identity (kernel_identity.cc).
  ThreadIndex add_thread(std::uint32_t tid, std::uint64_t born, std::uint64_t t);
  ThreadIndex find_or_create(std::uint32_t tid, std::uint64_t t) {
    const ThreadIndex index = by_tid_.find(tid);
    return index != no_index ? index : create(tid, t);
  }
  ThreadIndex create(std::uint32_t tid, std::uint64_t t);
  void supersede(ThreadIndex old, std::uint64_t t);
  void forget_ns_tid(ThreadIndex thread);
  void be_born(ThreadIndex thread, State state, std::uint64_t t);
  void learn(ThreadIndex index, const schedscope_task& record, std::uint64_t t);
  void read_place(ThreadIndex index, const schedscope_task& record);
  void read_at_end(ThreadIndex index, const schedscope_task& record);
  [[nodiscard]] bool crosses(const schedscope_task& record, ThreadIndex index) const;
  ThreadIndex cross(const schedscope_task& record, ThreadIndex old, std::uint64_t t);
  void enter_on_cpu(ThreadIndex thread, std::uint16_t cpu, std::uint64_t t);

  // What a switch does (kernel.cc).
  void leave_idle(Cpu& cpu, const schedscope_switch& record, std::uint64_t t);
  void leave(Cpu& cpu, ThreadIndex prev, ThreadIndex next, const schedscope_switch& record,
             std::uint64_t t);
  [[nodiscard]] bool number_follows(ThreadIndex prev, std::uint32_t number, std::uint64_t t);
  void depart(ThreadIndex prev, const Departure& departure, std::uint32_t number, std::uint64_t t);
  void fall_asleep(const Cpu& cpu, ThreadIndex prev, const schedscope_switch& record,
                   std::uint64_t t);
  void arrive(Cpu& cpu, std::uint16_t number, ThreadIndex next, std::uint64_t t);
  [[nodiscard]] ThreadIndex caused_by(const schedscope_switch& record, SliceEnd end,
                                      ThreadIndex next) const;
  [[nodiscard]] std::uint64_t sure_from(const Cpu& cpu, ThreadIndex prev, std::uint64_t t) const;

  // A CPU comes and goes (kernel_gaps.cc).
  void go_off(Cpu& cpu, std::uint16_t number, bool found, std::uint64_t t);
  void come_on(Cpu& cpu, std::uint16_t number, std::uint64_t t);

  // What contradicts or was lost (kernel_gaps.cc).
  void take_off(Cpu& cpu, std::uint16_t number, std::uint64_t t);
  void take_off_elsewhere(ThreadIndex thread, std::uint64_t t);
  void place_on(std::uint16_t cpu, ThreadIndex thread, std::uint64_t sure, std::uint64_t t);
  void lose_cpu(Cpu& cpu, std::uint16_t number, std::uint64_t begin_ns, std::uint64_t t);
  void lose_the_off(std::uint64_t begin_ns, std::uint64_t t);
  [[nodiscard]] Interrupts interrupts_of_open(const Cpu& cpu, std::uint64_t begin,
                                              std::uint64_t end) const;
  void become_unknown_from(ThreadIndex thread, std::uint64_t from, std::uint64_t t);
  void doubt_way_here(ThreadIndex thread, std::uint64_t gaps);
  void see_gaps(ThreadIndex thread, std::uint64_t t) {
    if (tracks_[thread].gaps_seen != gaps_.count()) see_new_gaps(thread, t);
  }
  void see_new_gaps(ThreadIndex thread, std::uint64_t t);
  [[nodiscard]] bool all_recorded(ThreadIndex thread) const;
  void missed(std::uint64_t t);
  void end_cpu(Cpu& cpu, std::uint16_t number, std::uint64_t end);
  void end_thread(ThreadIndex thread, std::uint64_t end);
  void settle_unseen(ThreadIndex thread, std::uint64_t end);

  // Gives out all segments up to `until`, but the slice.
  void give_out(ThreadIndex thread, std::uint64_t until, bool end_cut = false);
  void give_span(const Span& span);
  void give_slice(const Slice& slice);
  void give_cpu(std::uint16_t cpu, CpuState state, std::uint64_t begin, std::uint64_t end);
  void release_held(ThreadIndex thread) {
    if (tracks_[thread].held) give_held(thread);
  }
  void give_held(ThreadIndex thread);
  static void restart(Track& track, State state, std::uint64_t since) {
    track.begin[0] = since;
    track.state[0] = state;
    track.segments = 1;
  }
  static void append(Track& track, State state, std::uint64_t since) {
    track.begin[track.segments] = since;
    track.state[track.segments] = state;
    ++track.segments;
  }

  std::uint64_t start_ns_;
  Timeline::Scope scope_;
  std::vector<Sink*> sinks_;
  CarrierSink* carrier_sink_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<Track> tracks_;
  std::vector<Cpu> cpus_;
  TidMap by_tid_;
  ProcessKeyMap by_ns_tid_;  // a process's threads, by their tids in its own pid namespace
  Gaps gaps_;
  std::unordered_map<ThreadIndex, Slice> held_;
  std::unordered_map<ThreadIndex, Futex> futexes_;
  std::unordered_map<ThreadIndex, Stacks> stacks_;
  std::vector<std::uint64_t> misses_;  // when; a gap told of later may explain them
  std::uint64_t old_misses_ = 0;
};

}  // namespace schedscope::timeline
