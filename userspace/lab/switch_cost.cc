// SPDX-License-Identifier: GPL-2.0-only
//
// switch-cost: what a switch between user threads, kernel threads and processes takes.
#include <boost/context/fiber.hpp>
#include <boost/fiber/all.hpp>

#include <array>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "collect/switchbench.h"
#include "lab/experiments.h"
#include "lab/switch_ladder.h"
#include "lab/workload.h"
#include "schedscope/boost_fiber.hpp"

namespace schedscope::lab {
namespace {

namespace fibers = boost::fibers;

constexpr int user_switches = 200'000;
constexpr int seen_user_switches = 20'000;
constexpr int rounds = 9, turns = 300;
constexpr int sweep_rounds = 5, sweep_turns = 100;
// Less than this part of a thread's switch is what "cheaper" means for a user thread.
constexpr double clearly_cheaper = 0.2;
constexpr const char* fiber_name = "ladder-fiber";

constexpr Rung yield_threads{"yield-thread", Means::yield, Partners::threads};
constexpr Rung futex_threads{"futex-thread", Means::futex, Partners::threads};
constexpr Rung futex_processes{"futex-process", Means::futex, Partners::processes};
constexpr Rung pipe_threads{"pipe-thread", Means::pipe, Partners::threads};
constexpr Rung pipe_processes{"pipe-process", Means::pipe, Partners::processes};
constexpr std::array ladder = {yield_threads, futex_threads, futex_processes, pipe_threads,
                               pipe_processes};

struct Sweep {
  std::size_t kib;
  Rung threads, processes;
};
constexpr std::array sweeps = {
    Sweep{16,
          {"16k-thread", Means::pipe, Partners::threads, 16 * 1024},
          {"16k-process", Means::pipe, Partners::processes, 16 * 1024}},
    Sweep{128,
          {"128k-thread", Means::pipe, Partners::threads, 128 * 1024},
          {"128k-process", Means::pipe, Partners::processes, 128 * 1024}},
    Sweep{1024,
          {"1024k-thread", Means::pipe, Partners::threads, 1024 * 1024},
          {"1024k-process", Means::pipe, Partners::processes, 1024 * 1024}}};

void switch_contexts() {
  boost::context::fiber other([](boost::context::fiber&& back) {
    for (;;) back = std::move(back).resume();
    return std::move(back);
  });
  const std::uint64_t began = now_ns();
  for (int i = 0; i < user_switches; i++) other = std::move(other).resume();
  tell("context_switch_ns", static_cast<double>(now_ns() - began) / (2.0 * user_switches));
}

// Two fibers that yield to each other: the runtime's own between them makes three switches a round.
template <typename Algo>
double yield_fibers(int count) {
  double each_ns = 0;
  std::thread([&] {
    fibers::use_scheduling_algorithm<Algo>();
    bool stop = false;
    fibers::fiber other([&] {
      while (!stop) boost::this_fiber::yield();
    });
    const std::uint64_t began = now_ns();
    for (int i = 0; i < count; i++) boost::this_fiber::yield();
    each_ns = static_cast<double>(now_ns() - began) / (3.0 * count);
    stop = true;
    other.join();
  }).join();
  return each_ns;
}

// The same where the trace sees it.
void show_fibers() {
  // Room for all, so that none is overwritten before the recorder comes round.
  schedscope_uthread_set_records(1U << 19);
  std::thread([] {
    fibers::use_scheduling_algorithm<observed<fibers::algo::round_robin>>();
    std::array<fibers::fiber, 2> both;
    for (auto& fiber : both) {
      fiber = fibers::fiber([] {
        name_fiber(fiber_name);
        for (int i = 0; i < seen_user_switches; i++) boost::this_fiber::yield();
      });
    }
    for (auto& fiber : both) fiber.join();
  }).join();
}

void measure_bare_switches(int cpu) {
  using collect::SwitchSpace;
  constexpr std::array<std::pair<SwitchSpace, const char*>, 3> spaces = {
      {{SwitchSpace::none, "bare_no_mm"},
       {SwitchSpace::same, "bare_same_mm"},
       {SwitchSpace::other, "bare_other_mm"}}};
  for (const auto& [space, name] : spaces) {
    // Without the module there is nothing to say; the verdict does not need it.
    const auto cost = collect::measure_switch(cpu, space);
    if (!cost || cost->switches == 0) return;
    tell(fmt::format("{}_ns", name), std::max(0.0, cost->median_ns - cost->instruments_ns));
    tell(fmt::format("{}_instruments_ns", name), cost->instruments_ns);
  }
}

int workload() {
  const int cpu = allowed_cpus().front();
  pin(cpu);
  switch_contexts();
  tell("fiber_switch_ns", yield_fibers<fibers::algo::round_robin>(user_switches));
  show_fibers();
  // A round of all rungs after the other: whatever else the machine does, it does to each.
  for (int round = 0; round < rounds; round++) {
    for (const Rung& rung : ladder) climb(rung, turns);
  }
  for (int round = 0; round < sweep_rounds; round++) {
    for (const Sweep& sweep : sweeps) {
      climb(sweep.threads, sweep_turns);
      climb(sweep.processes, sweep_turns);
    }
  }
  for (const Sweep& sweep : sweeps) {
    tell(fmt::format("touch_{}k_ns", sweep.kib), touch_ns(sweep.kib * 1024));
  }
  measure_bare_switches(cpu);
  return 0;
}

double user_switch_ns(const Trial& trial) {
  std::uint64_t count = 0, first_ns = UINT64_MAX, last_ns = 0;
  for (const auto& user : trial.report.user_threads) {
    if (user.who.name != fiber_name || user.who.index >= trial.stretches.user_switches.size())
      continue;
    const auto& one = trial.stretches.user_switches[user.who.index];
    count += one.count;
    first_ns = std::min(first_ns, one.first_ns);
    last_ns = std::max(last_ns, one.last_ns);
  }
  if (count < seen_user_switches) return 0;
  // Nearly half as many again go to the runtime's own, between the two.
  return static_cast<double>(last_ns - first_ns) / static_cast<double>(count);
}

void add_sweep(const Trial& trial, const Sweep& sweep, Numbers& evidence) {
  evidence.emplace_back(fmt::format("touching_{}k_threads_ns", sweep.kib),
                        median_interval(switch_ns(trial, sweep.threads)).middle);
  evidence.emplace_back(fmt::format("touching_{}k_processes_ns", sweep.kib),
                        median_interval(switch_ns(trial, sweep.processes)).middle);
}

void judge(const Trial& trial, Answer& answer) {
  std::array<std::vector<double>, ladder.size()> costs;
  for (std::size_t i = 0; i < ladder.size(); i++) {
    costs.at(i) = switch_ns(trial, ladder.at(i));
    if (costs.at(i).size() < rounds / 2) {
      answer.caveat = fmt::format("the capture shows {} of {} rounds of {}", costs.at(i).size(),
                                  rounds, ladder.at(i).name);
      return;
    }
    answer.evidence.emplace_back(fmt::format("{}_ns", ladder.at(i).name),
                                 median_interval(costs.at(i)).middle);
  }
  const double user = user_switch_ns(trial);
  if (user == 0) {
    answer.caveat = "the capture does not show the switches of the fibers";
    return;
  }
  const Interval futex = median_interval(ratios(costs[1], costs[2]));
  const Interval pipe = median_interval(ratios(costs[3], costs[4]));
  const double thread = median_interval(costs[1]).middle;
  answer.evidence.insert(answer.evidence.begin(), {"fiber_told_ns", user});
  answer.evidence.insert(answer.evidence.end(), {{"futex_process_to_thread_low", futex.low},
                                                 {"futex_process_to_thread_high", futex.high},
                                                 {"pipe_process_to_thread_low", pipe.low},
                                                 {"pipe_process_to_thread_high", pipe.high}});
  for (const Sweep& sweep : sweeps) add_sweep(trial, sweep, answer.evidence);
  answer.headline = fmt::format(
      "fiber {:.0f} ns, thread {:.2f} us, process {:.2f} us (futex); process to thread {:.2f} to "
      "{:.2f} by futex, {:.2f} to {:.2f} by pipe",
      user, thread / 1e3, median_interval(costs[2]).middle / 1e3, futex.low, futex.high, pipe.low,
      pipe.high);
  if (user >= clearly_cheaper * thread) {
    answer.verdict = Verdict::fails_here;
    answer.caveat = "a switch of user threads takes more than a fifth of a thread's";
  } else if (futex.low > 1 && pipe.low > 1) {
    answer.verdict = Verdict::holds;
  } else {
    answer.verdict = Verdict::holds_with_caveat;
    answer.caveat =
        "of user-level threads; a switch between kernel-level threads is not clearly cheaper here "
        "than one between processes: the kernel is entered for both";
  }
}

}  // namespace

const Experiment switch_cost = {
    .id = "switch-cost",
    .claim =
        "Switching threads is cheaper than switching processes, since only registers are saved",
    .ran =
        "pairs on one CPU that pass a turn: fibers, and by sched_yield, futex and pipe threads "
        "and processes, also with memory of their own to read in each turn; and the module's bare "
        "switch",
    .rule =
        "from the CPU time of a pair for each switch in the trace: holds when fibers take less "
        "than a fifth of threads (futex), and processes more than threads both by futex and by "
        "pipe (the 95 % interval of the ratio of nine interleaved rounds lies above 1); with the "
        "caveat when only the first is so",
    .workload = workload,
    .judge = judge,
};

}  // namespace schedscope::lab
