// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "uapi/schedscope.h"

namespace schedscope::timeline {

// Why a slice ended: the closed list. `ends` in JSON uses these words.
enum class SliceEnd : std::uint8_t {
  blocked,
  yielded,
  expired,
  preempted,
  outranked,
  migrated,
  throttled,
  stopped,
  exited,
  unknown,
};
inline constexpr std::size_t slice_end_count = 10;
[[nodiscard]] std::string_view name_of(SliceEnd end);

// Where a thread is. Wall time is the sum of these, exactly.
enum class State : std::uint8_t { run, wait, sleep, block, unknown };
inline constexpr std::size_t state_count = 5;
[[nodiscard]] std::string_view name_of(State state);

// Where a user thread is. Wall time is the sum of these, exactly.
enum class UserState : std::uint8_t {
  running,
  preempted,
  blocking,
  queued,
  hostage,
  parked,
  unknown,
};
inline constexpr std::size_t user_state_count = 7;
[[nodiscard]] std::string_view name_of(UserState state);

// Dense index of a thread within one capture. A reused tid gets a new index.
using ThreadIndex = std::uint32_t;
// Dense index of a user thread within one capture.
using UserIndex = std::uint32_t;
inline constexpr std::uint32_t no_index = 0xffffffff;
inline constexpr std::uint32_t most_cpus = 1U << 13;  // the kernel's own most

// A thread, as far as the capture says. Text is bytes as the kernel gave them.
struct Thread {
  ThreadIndex index = no_index;
  std::uint32_t tid = 0;
  std::uint32_t pid = 0;     // 0 when not known
  std::uint32_t ppid = 0;    // 0 when not known
  std::string comm;          // latest, "" when not known
  std::uint32_t policy = 0;  // SCHED_*, latest
  int prio = 120;            // kernel priority, latest; 120 (nice 0) until it is known
  int nice = 0;
  bool identified = false;  // pid, comm, … came from a task record
  bool kernel_thread = false;
  bool bystander = false;       // not selected: seen only where it met a selected thread
  bool partial = false;         // came into the selection, or left it, while it lived
  bool announced = false;       // its birth was recorded
  std::uint64_t start_ns = 0;   // kernel start_time, 0 when not known
  std::uint64_t cgroup_id = 0;  // latest, 0 when not known
  std::uint64_t slice_ns = 0;   // nominal slice, latest, 0 when the kernel has none
  // As its own pid namespace sees it; all 0 in the first one, or when not known.
  std::uint32_t ns_tid = 0, ns_pid = 0;
  std::uint64_t ns_id = 0;
  // Wall time is [born_ns, gone_ns): from wakeup_new or the start of recording (or, for a
  // thread that no record announced, its first record) to its last switch or the end; of a
  // selection, from when the thread came into it to when it left.
  std::uint64_t born_ns = 0;
  std::uint64_t gone_ns = 0;
  bool exited = false;
};

// The stopper thread of a CPU.
[[nodiscard]] bool is_stopper(const Thread& thread);

// What interrupts took of a slice, where that was recorded.
struct Interrupts {
  std::uint64_t hard_ns = 0, soft_ns = 0;  // soft: without the hard ones within
  std::uint64_t unknown_ns = 0;            // part of the slice of which it is not known
  std::uint32_t hard = 0, soft = 0;        // how many

  [[nodiscard]] bool any() const {
    return (hard_ns | soft_ns | unknown_ns) != 0 || hard + soft != 0;
  }
};

// One uninterrupted stay of a thread on one CPU.
struct Slice {
  ThreadIndex thread = no_index;
  std::uint16_t cpu = 0;
  SliceEnd end = SliceEnd::unknown;
  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = 0;
  std::uint32_t nominal_ns = 0;     // what the scheduler granted, 0 when it has no such thing
  ThreadIndex next = no_index;      // who got the CPU; no_index: idle, or not known
  ThreadIndex by = no_index;        // preempted, outranked: the woken thread that caused it
  std::uint32_t switch_number = 0;  // the kernel\'s, of the switch that ended it; not when end_cut
  std::int16_t clock_step = 0;      // of that switch, see struct schedscope_switch
  std::uint8_t policy = 0;          // SCHED_*, when it ended; not when end_cut
  bool begin_cut = false;           // running when recording began or after a gap: longer than seen
  bool end_cut = false;  // still running at the end, or a gap: longer than seen; end is unknown
  Interrupts interrupts{};
};

// The system call that a thread sleeps in.
struct Syscall {
  static constexpr std::uint32_t none = 0xffffffff;
  std::uint32_t number = none;
  bool compat = false;  // of the 32-bit table

  friend bool operator==(const Syscall&, const Syscall&) = default;
};

// A futex that a thread sleeps for.
struct Futex {
  std::uint64_t word = 0;        // its address in the thread's process; 0: several
  ThreadIndex owner = no_index;  // who has it, when that is known: a thread of the same process
};

// Numbers of the stacks that a thread went to sleep with, see struct schedscope_stack.
struct Stacks {
  std::uint32_t kernel = SCHEDSCOPE_STACK_NONE;
  std::uint32_t user = SCHEDSCOPE_STACK_NONE;

  friend auto operator<=>(const Stacks&, const Stacks&) = default;
};

// A stretch of a thread's time off the CPU (wait, sleep, block) or of which nothing is known.
struct Span {
  ThreadIndex thread = no_index;
  State state = State::unknown;
  std::uint16_t cpu = 0;  // where it last ran, SCHEDSCOPE_CPU_NONE when not known
  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = 0;
  ThreadIndex waker = no_index;    // sleep, block: who ended it; no_index: idle CPU, or not known
  bool waker_timer = false;        // the timer interrupt ended it
  Syscall syscall{};               // sleep, block: in which call
  const Futex* futex = nullptr;    // sleep: for which; valid during the call
  const Stacks* stacks = nullptr;  // sleep, block: with which; likewise
  bool begin_cut = false;
  bool end_cut = false;
};

// A stretch of a user thread's time.
struct UserSpan {
  UserIndex user = no_index;
  UserState state = UserState::unknown;
  ThreadIndex carrier = no_index;  // running, preempted, blocking
  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = 0;
};

// A user thread, as its runtime told of it. Text is bytes as the runtime gave them.
struct UserThread {
  UserIndex index = no_index;
  std::uint64_t id = 0;  // unique within its process
  std::uint32_t pid = 0;
  std::string name;           // "" when it was not named
  std::string runtime;        // "" when the carrier did not say
  std::uint64_t born_ns = 0;  // first told of
  std::uint64_t gone_ns = 0;
  bool ended = false;
  // Whole after Timeline::finish(): time by UserState, and how often it was switched to.
  std::array<std::uint64_t, user_state_count> state_ns{};
  std::uint64_t switches = 0;
};

// A stretch in which the user threads of a run queue that were ready could not run, because no
// carrier of that run queue was on a CPU.
struct HostageSpan {
  ThreadIndex carrier = no_index;  // the last one to leave its CPU
  UserIndex user = no_index;       // its current user thread; no_index: the runtime itself
  State why = State::unknown;      // where that carrier went: wait, sleep or block
  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = 0;
  std::uint32_t hostages = 0;  // most that were ready at once
  std::uint64_t total_ns = 0;  // hostage time of all of them together
};

// Time of a CPU with no thread on it: nobody but its idle task, or it was taken down, or nothing
// is known.
enum class CpuState : std::uint8_t { unknown, idle, off };
struct CpuSpan {
  std::uint16_t cpu = 0;
  CpuState state = CpuState::unknown;
  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = 0;
};

}  // namespace schedscope::timeline
