// SPDX-License-Identifier: GPL-2.0-only
//
// kernel-switch-cost: the two middle rungs of the ladder, compared with an interval.
#include <fmt/format.h>

#include "lab/experiments.h"
#include "lab/switch_ladder.h"
#include "lab/workload.h"

namespace schedscope::lab {
namespace {

constexpr int rounds = 25, turns = 400;
// A process's switch may be so much dearer and still be "as slow".
constexpr double as_slow = 1.1;
constexpr double nearly = 1.5;

constexpr Rung threads{"pipe-thread", Means::pipe, Partners::threads};
constexpr Rung processes{"pipe-process", Means::pipe, Partners::processes};

int workload() {
  pin(allowed_cpus().front());
  for (int round = 0; round < rounds; round++) {
    climb(threads, turns);
    climb(processes, turns);
  }
  return 0;
}

void judge(const Trial& trial, Answer& answer) {
  const auto of_threads = switch_ns(trial, threads);
  const auto of_processes = switch_ns(trial, processes);
  const auto each = ratios(of_threads, of_processes);
  if (each.size() < rounds / 2) {
    answer.caveat = fmt::format("the capture shows {} of {} rounds", each.size(), rounds);
    return;
  }
  const Interval thread = median_interval(of_threads), process = median_interval(of_processes);
  const Interval ratio = median_interval(each);
  answer.evidence = {{"thread_ns", thread.middle},           {"thread_low_ns", thread.low},
                     {"thread_high_ns", thread.high},        {"process_ns", process.middle},
                     {"process_low_ns", process.low},        {"process_high_ns", process.high},
                     {"process_to_thread", ratio.middle},    {"process_to_thread_low", ratio.low},
                     {"process_to_thread_high", ratio.high}, {"rounds", each.size()}};
  answer.headline = fmt::format(
      "thread {:.2f} us, process {:.2f} us a switch; process to thread {:.3f}, between {:.3f} and "
      "{:.3f}",
      thread.middle / 1e3, process.middle / 1e3, ratio.middle, ratio.low, ratio.high);
  if (ratio.low <= as_slow) {
    answer.verdict = Verdict::holds;
  } else if (ratio.low <= nearly) {
    answer.verdict = Verdict::holds_with_caveat;
    answer.caveat =
        fmt::format("nearly: a process takes at least {:.0f} % more here", (ratio.low - 1) * 100);
  } else {
    answer.verdict = Verdict::fails_here;
    answer.caveat = fmt::format("a process takes at least {:.1f} times as long", ratio.low);
  }
}

}  // namespace

const Experiment kernel_switch_cost = {
    .id = "kernel-switch-cost",
    .claim = "A kernel-level thread switch can be as slow as a process switch",
    .ran =
        "a pair of threads and a pair of processes on one CPU that pass a byte through pipes, "
        "25 rounds of each in turn",
    .rule =
        "from the CPU time of a pair for each switch in the trace, the ratio of process to thread "
        "in each round: holds when the 95 % interval of its median begins at 1.1 or below; with a "
        "caveat up to 1.5",
    .workload = workload,
    .judge = judge,
};

}  // namespace schedscope::lab
