// SPDX-License-Identifier: GPL-2.0-only
//
// parallel-cores: four threads on four CPUs, four fibers on one carrier.
#include <algorithm>
#include <boost/fiber/all.hpp>
#include <thread>

#include <fmt/format.h>

#include "lab/experiments.h"
#include "lab/trial.h"
#include "lab/workload.h"
#include "schedscope/boost_fiber.hpp"

namespace schedscope::lab {
namespace {

namespace fibers = boost::fibers;

constexpr std::size_t count = 4;
constexpr std::uint64_t threads_ns = 2'000'000'000;
constexpr std::uint64_t fibers_ns = 500'000'000;

void spin_as_threads() {
  const auto cpus = allowed_cpus();
  const std::uint64_t deadline_ns = now_ns() + threads_ns;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; i++) {
    threads.emplace_back([&, i] {
      name_thread(fmt::format("core-{}", i).c_str());
      pin(cpus[i % cpus.size()]);
      spin_until(deadline_ns);
    });
  }
  for (auto& thread : threads) thread.join();
}

void spin_as_fibers() {
  name_thread("one-carrier");
  fibers::use_scheduling_algorithm<observed<fibers::algo::round_robin>>();
  const std::uint64_t deadline_ns = now_ns() + fibers_ns;
  std::vector<fibers::fiber> all;
  for (std::size_t i = 0; i < count; i++) {
    all.emplace_back([&, i] {
      name_fiber(fmt::format("fiber-{}", i).c_str());
      while (now_ns() < deadline_ns) {
        for (int k = 0; k < 20; k++) work();
        boost::this_fiber::yield();
      }
    });
  }
  for (auto& fiber : all) fiber.join();
}

int workload() {
  tell("cpus_allowed", static_cast<double>(allowed_cpus().size()));
  spin_as_threads();
  std::thread(spin_as_fibers).join();
  return 0;
}

// Most fibers that were on a CPU at once, and for how long at least one was.
std::pair<std::size_t, std::uint64_t> fibers_at_once(const Trial& trial) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> on_cpu;
  Window window{.from_ns = UINT64_MAX, .to_ns = 0};
  for (std::size_t i = 0; i < count; i++) {
    const auto* user = trial.user(fmt::format("fiber-{}", i));
    if (user == nullptr) return {0, 0};
    window.from_ns = std::min(window.from_ns, user->who.born_ns);
    window.to_ns = std::max(window.to_ns, user->who.gone_ns);
    for (const auto& span : trial.stretches.user_spans) {
      if (span.user == user->who.index && span.state == timeline::UserState::running)
        on_cpu.emplace_back(span.begin_ns, span.end_ns);
    }
  }
  const auto time = count_at_once(on_cpu, window, count);
  std::size_t most = 0;
  std::uint64_t busy_ns = 0;
  for (std::size_t k = 1; k < time.size(); k++) {
    if (time[k] != 0) most = k;
    busy_ns += time[k];
  }
  return {most, busy_ns};
}

void judge(const Trial& trial, Answer& answer) {
  const auto threads = trial.named_like("core-");
  const auto cpus = static_cast<std::size_t>(
      trial.workload.contains("cpus_allowed") ? trial.workload.at("cpus_allowed") : 0);
  if (threads.size() != count || cpus == 0) {
    answer.caveat = "the capture does not show the four threads";
    return;
  }
  const Window window = Trial::together(threads);
  const auto time = trial.at_once(threads, window);
  const auto [most_fibers, fibers_busy_ns] = fibers_at_once(trial);
  for (std::size_t k = 0; k <= count; k++) {
    answer.evidence.emplace_back(fmt::format("at_once_{}_ns", k), static_cast<double>(time[k]));
  }
  answer.evidence.emplace_back("span_ns", static_cast<double>(window.length()));
  answer.evidence.emplace_back("fibers_at_once_most", static_cast<double>(most_fibers));
  answer.evidence.emplace_back("fibers_running_ns", static_cast<double>(fibers_busy_ns));
  const std::size_t wanted = std::min(cpus, count);
  const double part = window.length() == 0 ? 0
                                           : static_cast<double>(time[wanted]) /
                                                 static_cast<double>(window.length());
  answer.headline = fmt::format(
      "{} of 4 threads at once for {:.1f} % of {:.2f} s on {} CPUs; of 4 fibers on one carrier "
      "never more than {}",
      wanted, part * 100, static_cast<double>(window.length()) / 1e9, cpus, most_fibers);
  if (cpus == 1) {
    answer.caveat = "this machine has one CPU";
  } else if (most_fibers == 0) {
    answer.caveat = "the capture does not show the fibers";
  } else if (most_fibers > 1) {
    answer.verdict = Verdict::fails_here;
    answer.caveat = "two fibers of one carrier ran at once";
  } else if (time[wanted] == 0) {
    answer.verdict = Verdict::fails_here;
    answer.caveat = fmt::format("never were {} of them on a CPU at once", wanted);
  } else if (part < 0.5) {
    answer.verdict = Verdict::holds_with_caveat;
    answer.caveat = fmt::format(
        "{} at once, but for most of the span fewer: they waited while others had the CPUs",
        wanted);
  } else if (cpus < count) {
    answer.verdict = Verdict::holds_with_caveat;
    answer.caveat = fmt::format("with the {} CPUs that there are: {} at once, not 4", cpus, wanted);
  } else {
    answer.verdict = Verdict::holds;
  }
}

}  // namespace

const Experiment parallel_cores = {
    .id = "parallel-cores",
    .claim = "Four threads run at the same time on four cores",
    .ran =
        "four spinning threads, each on a CPU of its own as far as there are, for 2 s; then "
        "four spinning fibers on one carrier for 0.5 s",
    .rule =
        "holds when all four were on a CPU at once for at least half of the time that they "
        "lived together, and never two of the fibers; with fewer CPUs, as many as there are",
    .workload = workload,
    .judge = judge,
    .user_spans = true,
};

}  // namespace schedscope::lab
