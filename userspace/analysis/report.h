// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "capture/machine.h"
#include "schema/record.h"
#include "timeline/types.h"

namespace schedscope::analysis {

// Log2 buckets of ns, as in the module's ledger: bucket b counts 2^b <= ns < 2^(b+1).
using Histogram = std::vector<std::uint64_t>;

// A peer that took something from a thread, or gave it.
struct Peer {
  timeline::ThreadIndex thread = timeline::no_index;
  std::uint32_t tid = 0;
  std::string comm{};
  std::uint64_t count = 0;
  std::uint64_t ns = 0;
};

// Who ended a sleep; `unknown`: nobody so far, or nobody knows.
enum class WakerKind : std::uint8_t { thread, timer, interrupt, unknown };
inline constexpr std::size_t waker_kind_count = 4;
[[nodiscard]] inline WakerKind waker_of(const timeline::Span& span) {
  if (span.end_cut) return WakerKind::unknown;
  if (span.waker_timer) return WakerKind::timer;
  return span.waker == timeline::no_index ? WakerKind::interrupt : WakerKind::thread;
}

// What kept a thread off the CPU: its sleeps and blocks of one kind.
struct OffCpu {
  timeline::State state = timeline::State::sleep;
  timeline::Syscall syscall{};  // none: a kernel thread, or no system call, see metrics
  WakerKind waker = WakerKind::unknown;
  bool others = false;  // of more kinds than are kept: only count, ns and max_ns say something
  std::uint64_t count = 0, ns = 0, max_ns = 0;
};

// A frame of a stack. Texts are bytes, not trusted.
struct Frame {
  std::string symbol{};  // as its table of symbols has it; "" when not known
  std::string file{};    // path; in the kernel the module, "" for the kernel itself
  std::string build_id{};
  std::uint64_t where = 0;  // in the file, else the address; 0: not told
  std::uint64_t symbol_offset = 0;
  bool kernel = false;
  bool in_file = false;
};

// A thread's sleeps with the same stacks.
struct OffCpuStack {
  timeline::Stacks stacks{};
  bool others = false;  // of more than are kept: only count, ns and max_ns say something
  std::uint64_t count = 0, ns = 0, max_ns = 0;
};

struct Sleeps {
  std::uint64_t count = 0, ns = 0;

  void add(std::uint64_t more, std::uint64_t more_ns) {
    count += more;
    ns += more_ns;
  }
};

// The sleeps that have no stack of one sort, by why; see SCHEDSCOPE_STACK_*.
struct MissingStacks {
  Sleeps unreadable{}, no_room{}, gone{};
  Sleeps untold{};  // its number is there, and its frames are not: the capture was cut off
  Sleeps unread{};  // likewise, of a part of a capture
};

// What a capture with stacks says of them.
struct StackReport {
  std::vector<Frame> frames;  // each different one
  // By number: a stack's frames, the innermost first.
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> stacks;
  bool in_part = false;  // not all of the capture was read
  Sleeps with{};         // whose stacks were recorded, even if one of the two is missing
  MissingStacks kernel{}, user{};
  Sleeps before{};  // that began before the recording or the reported span
  Sleeps lost{};    // whose record is missing

  // nullptr: there is none of that number.
  [[nodiscard]] const std::vector<std::uint32_t>* find(std::uint32_t number) const {
    const auto found = stacks.find(number);
    return found == stacks.end() ? nullptr : &found->second;
  }
};

// Who had a futex that others slept for, and where its time went meanwhile, by State.
struct FutexOwner {
  timeline::ThreadIndex thread = timeline::no_index;
  std::uint64_t waits = 0, ns = 0;                              // of those who slept for it
  std::array<std::uint64_t, timeline::state_count> state_ns{};  // the sum is ns
};

// A futex, by its address in a process.
struct FutexReport {
  std::uint32_t pid = 0;
  std::uint64_t word = 0;  // 0: of several, see metrics
  std::uint64_t waits = 0, ns = 0, max_ns = 0;
  std::uint64_t owned_ns = 0;        // of ns, the sleeps whose owner is known
  std::vector<FutexOwner> owners{};  // most time first
};

// Slices by their length in quarters of their nominal slice: [0] up to a quarter of it, the last
// one 4 times it and more. Of slices that are whole and whose nominal slice is known.
inline constexpr std::size_t nominal_quarters = 17;
struct AgainstNominal {
  using Counts = std::array<std::uint32_t, nominal_quarters>;
  Counts all{};      // however they ended
  Counts expired{};  // of them, those that the timer interrupt ended

  void add(std::size_t quarter, bool did_expire) {
    if (all[quarter] == ~0U) return;
    ++all[quarter];
    if (did_expire) ++expired[quarter];
  }
  [[nodiscard]] bool any() const {
    return std::ranges::any_of(all, [](std::uint32_t count) { return count != 0; });
  }
};

// What interrupts took of run time.
struct InterruptReport {
  std::uint64_t irq_ns = 0, softirq_ns = 0;  // disjoint
  std::uint64_t irqs = 0, softirqs = 0;
  std::uint64_t unknown_ns = 0;  // run time of which it is not known
};

// What the scheduler owed a thread at one end of its slices, in virtual ns.
struct LagReport {
  std::uint64_t count = 0;
  std::uint64_t p50_ns = 0, p99_ns = 0;  // of its absolute value; upper bounds, see metrics
  std::int64_t least_ns = 0, most_ns = 0;
};

// A fair thread by the scheduler's own virtual times.
struct EevdfReport {
  LagReport lag_in, lag_out;
  // Slices with both ends told: by whether the request that they began with was used up, and how
  // much virtual time they took.
  std::uint64_t before_deadline = 0, past_deadline = 0, vruntime_ns = 0;
  std::uint64_t left_protected = 0;                  // runnable, before the end of its protection
  std::uint64_t delayed = 0;                         // went to sleep and stayed in the queue
  std::uint64_t slice_min_ns = 0, slice_max_ns = 0;  // of its requests; 0: not known
  bool custom_slice = false;                         // the last one was its own
};

struct ThreadReport {
  timeline::Thread who;
  std::uint64_t run_ns = 0, wait_ns = 0, sleep_ns = 0, block_ns = 0, unknown_ns = 0, wall_ns = 0;
  std::uint64_t slices = 0;
  std::vector<std::uint64_t> ends;  // by SliceEnd
  std::uint64_t wait_p50_ns = 0, wait_p99_ns = 0,
                wait_max_ns = 0;  // p50, p99: upper bounds, see metrics
  std::uint64_t slice_max_ns = 0, slice_max_at_ns = 0, wait_max_at_ns = 0;
  std::uint64_t migrations = 0;
  std::uint64_t wakeups = 0;
  std::vector<Peer> preempted_by;   // most time first; ns: this thread's wait that followed
  std::vector<Peer> waited_behind;  // most time first; ns: of wait_ns, while this one ran there
  std::uint64_t waited_behind_unknown_ns = 0;  // the rest of wait_ns
  std::vector<Peer> woken_by;               // most often first; ns: sleep and block that it ended
  std::vector<OffCpu> off_cpu;              // most time first; the sum is sleep_ns + block_ns
  std::vector<OffCpuStack> off_cpu_stacks;  // likewise, of the sleeps that have stacks
  Histogram slice_hist, wait_hist;
  AgainstNominal against_nominal;
  std::optional<InterruptReport> interrupts;  // of run_ns; absent: not recorded
  std::optional<EevdfReport> eevdf;           // absent: not recorded, or never a fair one
  // The kernel's own counters between two readings, and what was recorded between the same
  // two. Absent when the capture has no two readings.
  struct Judge {
    std::uint64_t kernel_switches, recorded_switches;
    std::uint64_t kernel_run_ns, recorded_run_ns;
    // Of the recorded: what the clock that the kernel charges by did not go (interrupts, stolen
    // time, a late stamp). kernel = recorded - clock, within so much: 8 us a slice, and the error
    // of clock_ns.
    std::int64_t clock_ns;
    std::uint64_t within_ns;
  };
  std::optional<Judge> judge;
  // The module's count of ended slices between two readings of the ledger, and the switches
  // recorded by BPF between the same two (matched by the kernel's switch number).
  struct Module {
    std::uint64_t module_slices, recorded_slices;
    // By SliceEnd, of the same slices; empty when the two cannot be compared.
    std::vector<std::uint64_t> module_ends{}, recorded_ends{};
    // The ledger's longest slice and wait up to its last reading; absent when they began before
    // the first one.
    std::optional<std::uint64_t> slice_max_ns{}, wait_max_ns{};
  };
  std::optional<Module> module;
};

// Of how many threads the kernel's own counters were compared.
struct KernelCounts {
  std::uint64_t threads = 0;            // their switches
  std::uint64_t run_times = 0;          // and of those that, too
  std::uint64_t run_times_short = 0;    // less than 10 ms: not compared
  std::uint64_t run_times_unknown = 0;  // as of when the kernel had counted: likewise
};

// What a second witness's records say of the first's, switch by switch.
struct SecondWitnessReport {
  std::uint64_t produced = 0, kept = 0, lost = 0;           // its own records
  std::uint64_t compared = 0;                               // switches that both saw
  std::uint64_t missed_by_first = 0, missed_by_second = 0;  // while both were watching
  std::uint64_t other_values = 0;                           // state, priority, slice, sleep
  std::uint64_t other_ends = 0;                             // who asked for the switch
};

struct CpuReport {
  std::uint16_t cpu = 0;
  std::uint64_t run_ns = 0, idle_ns = 0, off_ns = 0, unknown_ns = 0, switches = 0;
  std::optional<InterruptReport> interrupts{};         // of run_ns and idle_ns
  std::uint64_t idle_irq_ns = 0, idle_softirq_ns = 0;  // of them, of idle_ns
};

// The whole slices of all threads, while they had one policy.
struct PolicyReport {
  std::uint32_t policy = 0;  // SCHED_*
  std::uint64_t threads = 0, slices = 0, ns = 0;
  std::uint64_t nominal_min_ns = 0, nominal_max_ns = 0;  // 0: none is known
  AgainstNominal against_nominal{};
};

// What the threads of one cgroup did while they were in it, not below it.
struct CgroupReport {
  std::uint64_t id = 0;  // 0: those whose cgroup is not known
  std::string path{};    // bytes as the recorder saw it; "" when not known
  std::uint64_t threads = 0;
  std::uint64_t run_ns = 0, wait_ns = 0, sleep_ns = 0, block_ns = 0, unknown_ns = 0;
};

struct UserReport {
  timeline::UserThread who;
  std::vector<std::uint64_t> state_ns;  // by UserState
  std::uint64_t wall_ns = 0;
  std::uint64_t switches = 0;  // times it was switched to
};

// A stretch in which one source lost records.
struct Gap {
  std::uint64_t begin_ns = 0, end_ns = 0;  // of the first and the last that was lost
  std::uint64_t count = 0;
  std::string cause{};
  std::optional<std::uint16_t> cpu{};  // whose ring it was

  auto operator<=>(const Gap&) const = default;
};

// One stretch of a critical path.
struct PathSegment {
  timeline::ThreadIndex thread = timeline::no_index;
  timeline::State state = timeline::State::unknown;
  WakerKind cause = WakerKind::unknown;     // sleep, block: what ended it; a thread's is followed
  std::uint16_t cpu = SCHEDSCOPE_CPU_NONE;  // run: on it; wait: in its queue
  std::uint32_t depth = 0;                  // how many sleepers were behind it
  std::uint64_t begin_ns = 0, end_ns = 0;
  // wait: who had that CPU most of it, and how long. no_index: nobody, it was idle; with 0 ns: who
  // is unknown.
  timeline::ThreadIndex behind = timeline::no_index;
  std::uint64_t behind_ns = 0;
};

// A thread's part of a critical path.
struct PathThread {
  timeline::ThreadIndex thread = timeline::no_index;
  std::uint32_t tid = 0;
  std::string comm{};
  std::uint64_t ns = 0;
  std::array<std::uint64_t, timeline::state_count> state_ns{};  // the sum is ns
  std::array<std::uint64_t, waker_kind_count> sleep_ns{};       // of it, sleep by cause
};

// What a thread's time from `from_ns` to `to_ns` depended on.
struct CriticalPath {
  timeline::ThreadIndex thread = timeline::no_index;
  std::uint64_t from_ns = 0, to_ns = 0;  // the reported span, as far as the thread lived
  std::vector<PathThread> threads;       // most time first; the sum is to_ns - from_ns
  std::vector<Peer> waited_behind;       // most time first
  std::uint64_t waited_behind_unknown_ns = 0;
  std::vector<PathSegment> segments;                     // in the order of their times
  std::uint64_t segments_left_out = 0, left_out_ns = 0;  // the shortest, beyond a million
  bool adds_up = false;
};

// How often something took how long, in one scheduling class, on all CPUs together.
struct TallyReport {
  std::uint32_t what = 0;      // SCHEDSCOPE_TALLY_*
  std::uint32_t of_class = 0;  // SCHEDSCOPE_CLASS_*
  std::uint64_t count = 0, sum_ns = 0, max_ns = 0;
  std::array<std::uint64_t, SCHEDSCOPE_HIST_BUCKETS> hist{};  // as in struct schedscope_tally

  // So many of 1000 took no longer: the end of a bucket, so at most twice the true value; or the
  // longest.
  [[nodiscard]] std::uint64_t percentile(unsigned permille) const;
};

// Counted in the kernel, whole machine, whatever else was recorded and for how long.
struct Tallies {
  std::uint64_t since_ns = 0, at_ns = 0;
  std::vector<TallyReport> rows;  // by what, then by class
};

enum class Severity : std::uint8_t { info, notice, warning };

struct Finding {
  std::string kind{};
  std::string text{};
  Severity severity = Severity::info;
  std::optional<timeline::ThreadIndex> thread{};
  std::optional<timeline::UserIndex> user_thread{};
  std::optional<std::uint16_t> cpu{};
  std::uint64_t at_ns = 0;  // 0: the whole capture
  std::uint64_t for_ns = 0;
};

// Kinds of findings about what was recorded; the others are about the recording.
inline constexpr std::array<std::string_view, 7> finding_kinds = {
    "contention", "hostage", "interrupts", "inversion", "long-wait", "throttled", "wake_chain"};

// Everything that the text, JSON and HTML reports show: one value, computed once.
struct Report {
  capture::Machine machine;
  std::string file;
  std::uint64_t bytes = 0;
  bool complete = false;
  std::string damage;                      // "" when complete
  std::uint64_t start_ns = 0, end_ns = 0;  // CLOCK_MONOTONIC of the reported span

  std::uint64_t produced = 0, kept = 0, switches = 0;
  std::map<std::string, std::uint64_t> lost;  // by cause, only what is not 0
  std::uint64_t late_records = 0, unknown_records = 0, clock_reversals = 0, discontinuities = 0;
  std::vector<Gap> gaps;  // in the order of their times

  std::vector<std::pair<std::uint64_t, std::uint64_t>> skipped;  // likewise, of what was not read

  // Absent: the capture does not hold what the check needs.
  std::optional<bool> records_conserved, threads_conserved, cpus_conserved, user_threads_conserved,
      cgroups_conserved;
  std::optional<bool> bpf_module_agree, kernel_counts_agree;
  KernelCounts kernel_counts;
  std::optional<bool> ledger_agrees;  // the module's ledger with the records, whosever they are
  // Slices that both the ledger and the records give a reason for their end, and those of them
  // where it is another one. Who asked for a switch is seen by each for itself.
  std::uint64_t ledger_ends = 0, ledger_other_ends = 0;
  std::optional<SecondWitnessReport> second_witness;
  std::vector<std::string> agreement_details;  // what did not agree, a sentence each

  std::optional<double> overhead_ns_per_switch, overhead_cpu_percent;
  std::uint64_t agent_cpu_ns = 0;            // 0 when the recording was cut off
  std::optional<double> agent_core_percent;  // that, as a share of one CPU's time
  std::uint64_t recorded_switches = 0;       // in the whole capture

  std::vector<ThreadReport> threads;  // most run time first
  // nullptr when it is not among them.
  [[nodiscard]] const ThreadReport* find(timeline::ThreadIndex thread) const {
    const auto at = std::find_if(threads.begin(), threads.end(),
                                 [&](const auto& row) { return row.who.index == thread; });
    return at == threads.end() ? nullptr : &*at;
  }
  std::vector<CpuReport> cpus;
  std::vector<UserReport> user_threads;
  std::vector<PolicyReport> policies;  // most time first
  std::vector<CgroupReport> cgroups;   // most run time first; none when no thread's is known
  // Threads that turned out to be in another cgroup than was told of last: a move was missed, and
  // their time since counts for the old one up to then.
  std::uint64_t cgroup_moves_missed = 0;
  bool syscalls_known = false;        // the capture says in which system calls threads slept
  std::vector<FutexReport> futexes;   // most time first, at most 100
  std::uint64_t futex_ns = 0;         // sleeps for these and all others
  std::optional<StackReport> stacks;  // absent: they were not recorded
  std::vector<Finding> findings;
  // That could be part of a wake chain, and that were not looked at for one.
  std::uint64_t sleeps = 0, sleeps_passed_over = 0;
  std::optional<Tallies> tallies;
  // Only when it was asked for; an error when it cannot be told of that thread.
  std::optional<Result<CriticalPath>> critical_path;
};

}  // namespace schedscope::analysis
