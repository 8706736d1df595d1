// SPDX-License-Identifier: GPL-2.0-only
//
// user-one-slice: three fibers in one process against one thread in another, on one CPU.
#include <boost/fiber/all.hpp>

#include <fmt/format.h>

#include "lab/experiments.h"
#include "lab/trial.h"
#include "lab/workload.h"
#include "schedscope/boost_fiber.hpp"

namespace schedscope::lab {
namespace {

namespace fibers = boost::fibers;

constexpr std::uint64_t span_ns = 3'000'000'000;
constexpr int fiber_count = 3;

void spin_as_fibers(std::uint64_t deadline_ns) {
  fibers::use_scheduling_algorithm<observed<fibers::algo::round_robin>>();
  double units = 0;
  std::vector<fibers::fiber> all;
  for (int i = 0; i < fiber_count; i++) {
    all.emplace_back([&, i] {
      name_fiber(fmt::format("slice-{}", i).c_str());
      while (now_ns() < deadline_ns) {
        for (int k = 0; k < 20; k++) work();
        units += 20;
        boost::this_fiber::yield();
      }
    });
  }
  for (auto& fiber : all) fiber.join();
  tell("units_three_fibers", units);
}

int workload() {
  pin(allowed_cpus().front());
  const std::uint64_t deadline_ns = now_ns() + span_ns;
  const pid_t three = child("three-fibers", [&] { spin_as_fibers(deadline_ns); });
  const pid_t one = child("one-thread", [&] {
    tell("units_one_thread", static_cast<double>(spin_until(deadline_ns)));
  });
  wait_for(three);
  wait_for(one);
  return 0;
}

void judge(const Trial& trial, Answer& answer) {
  const auto three = trial.named("three-fibers"), one = trial.named("one-thread");
  if (three.size() != 1 || one.size() != 1) {
    answer.caveat = "the capture does not show the two processes";
    return;
  }
  const Window window = Trial::together({three[0], one[0]});
  const auto run_three = static_cast<double>(trial.run_ns(three, window));
  const auto run_one = static_cast<double>(trial.run_ns(one, window));
  const double ratio = run_one > 0 ? run_three / run_one : 0;
  answer.evidence = {{"run_three_fibers_ns", run_three},
                     {"run_one_thread_ns", run_one},
                     {"ratio", ratio},
                     {"span_ns", static_cast<double>(window.length())}};
  for (int i = 0; i < fiber_count; i++) {
    const std::string name = fmt::format("slice-{}", i);
    const auto* user = trial.user(name);
    if (user == nullptr) continue;
    answer.evidence.emplace_back(
        fmt::format("running_fiber_{}_ns", i),
        static_cast<double>(state_ns(*user, timeline::UserState::running)));
  }
  answer.headline = fmt::format("three fibers {:.3f} s, one thread {:.3f} s of CPU: {:.2f} to 1",
                                run_three / 1e9, run_one / 1e9, ratio);
  if (run_three + run_one < least_run_ns) {
    answer.caveat = too_little_run;
  } else if (ratio > 0.8 && ratio < 1.25) {
    answer.verdict = Verdict::holds;
  } else {
    answer.verdict = Verdict::fails_here;
    answer.caveat = "the shares are not equal";
  }
}

}  // namespace

const Experiment user_one_slice = {
    .id = "user-one-slice",
    .claim = "User-level threads share their process's time slice",
    .ran =
        "a process with three spinning fibers beside a process with one spinning thread, both "
        "on one CPU and in one session, for 3 s",
    .rule =
        "holds when the CPU time of the two, while both lived, is 0.8 to 1.25 to 1; three "
        "kernel threads would get 3 to 1; unsupported below 200 ms of CPU time",
    .workload = workload,
    .judge = judge,
};

}  // namespace schedscope::lab
