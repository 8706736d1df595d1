// SPDX-License-Identifier: GPL-2.0-only
#include "timeline/slice_end.h"

namespace schedscope::timeline {
namespace {

// The kernel's task state bits (include/linux/sched.h). They are no ABI but have kept these
// values since 4.14; the collector translates where a kernel differs.
constexpr std::uint32_t uninterruptible = 0x2;
constexpr std::uint32_t stopped_or_traced = 0x4 | 0x8;
constexpr std::uint32_t dead = 0x10 | 0x20 | 0x80;  // EXIT_DEAD, EXIT_ZOMBIE, TASK_DEAD
constexpr std::uint32_t no_load = 0x400;
constexpr std::uint32_t rt_lock_wait = 0x1000;  // a sleeping spinlock of PREEMPT_RT
constexpr std::uint32_t frozen = 0x8000;

// A thread of higher class takes the CPU; within real time the higher priority counts as such.
bool outranks(int next_prio, int prev_prio) {
  const SchedClass next = class_of(next_prio);
  const SchedClass prev = class_of(prev_prio);
  if (next != prev) return next > prev;
  return next == SchedClass::real_time && next_prio < prev_prio;
}

SliceEnd runnable_end(const schedscope_switch& record) {
  const std::uint16_t flags = record.rec.flags;
  // What somebody else asked for while it was in the call, it most often leaves for on its way out:
  // the kernel looks for that before it returns from the switch that the call made.
  constexpr std::uint16_t not_its_own =
      SCHEDSCOPE_SWITCH_PREEMPT | SCHEDSCOPE_SWITCH_TICK | SCHEDSCOPE_SWITCH_WAKEUP;
  if ((flags & SCHEDSCOPE_SWITCH_YIELD) != 0 && (flags & not_its_own) == 0) {
    return SliceEnd::yielded;
  }
  if ((flags & SCHEDSCOPE_SWITCH_THROTTLED) != 0) return SliceEnd::throttled;
  // The idle task is picked only when nothing in the queue may run: prev is runnable and yet
  // not allowed to, so its group's quota or its own budget is used up.
  if (record.next_tid == 0) return SliceEnd::throttled;
  if (outranks(record.next_prio, record.prev_prio)) return SliceEnd::outranked;
  // A lower class gets the CPU from a runnable thread only when the higher one's budget is used up.
  if (class_of(record.next_prio) < class_of(record.prev_prio)) return SliceEnd::throttled;
  if ((flags & SCHEDSCOPE_SWITCH_WAKEUP) != 0) return SliceEnd::preempted;
  if ((flags & SCHEDSCOPE_SWITCH_TICK) != 0) return SliceEnd::expired;
  return SliceEnd::unknown;
}

}  // namespace

SchedClass class_of(int prio) {
  if (prio < 0) return SchedClass::deadline;
  return prio < 100 ? SchedClass::real_time : SchedClass::fair;
}

State off_state(std::uint32_t bits) {
  if ((bits & (rt_lock_wait | frozen)) != 0) return State::block;
  return (bits & uninterruptible) != 0 && (bits & no_load) == 0 ? State::block : State::sleep;
}

Departure departure_of(const schedscope_switch& record) {
  const bool preempt = (record.rec.flags & SCHEDSCOPE_SWITCH_PREEMPT) != 0;
  if (preempt || record.prev_state == 0) {
    return {.end = runnable_end(record), .then = State::wait, .runnable = true};
  }
  if ((record.prev_state & dead) != 0) return {.end = SliceEnd::exited, .then = State::unknown};
  if ((record.prev_state & stopped_or_traced) != 0) {
    return {.end = SliceEnd::stopped, .then = State::sleep};
  }
  return {.end = SliceEnd::blocked, .then = off_state(record.prev_state)};
}

}  // namespace schedscope::timeline
