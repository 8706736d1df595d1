// SPDX-License-Identifier: GPL-2.0-only
//
// user-block: one fiber in a blocking system call, another one ready; then the remedies.
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/fiber/all.hpp>
#include <cmath>
#include <map>
#include <thread>

#include <fmt/format.h>

#include "lab/experiments.h"
#include "lab/trial.h"
#include "lab/workload.h"
#include "schedscope/boost_fiber.hpp"

namespace schedscope::lab {
namespace {

namespace fibers = boost::fibers;

constexpr int calls = 4;
constexpr long call_ns = 100'000'000;

// What the fiber that waits does, `calls` times.
void block_in_the_kernel() {
  const timespec time{.tv_sec = 0, .tv_nsec = call_ns};
  ::nanosleep(&time, nullptr);
}

// Reads from a pipe whose writer takes as long, without ever blocking in it.
void wait_without_blocking() {
  int ends[2];
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return;
  std::thread writer([&] {
    name_thread("writer");
    block_in_the_kernel();
    (void)!::write(ends[1], "x", 1);
  });
  char byte = 0;
  while (::read(ends[0], &byte, 1) != 1) boost::this_fiber::yield();
  writer.join();
  ::close(ends[0]);
  ::close(ends[1]);
}

// Two fibers, one that works in small pieces and one that waits in between; `name` tells the
// three settings apart. Returns the pieces worked.
double two_fibers(const std::string& name, void (*wait)(), std::atomic<bool>& over) {
  std::atomic<double> units{0};
  fibers::fiber spins([&] {
    name_fiber((name + "-spins").c_str());
    while (!over) {
      work();
      units = units + 1;
      boost::this_fiber::yield();
    }
  });
  fibers::fiber waits([&] {
    name_fiber((name + "-waits").c_str());
    std::uint64_t waited_ns = 0;
    for (int i = 0; i < calls; i++) {
      boost::this_fiber::yield();
      const std::uint64_t before_ns = now_ns();
      wait();
      waited_ns += now_ns() - before_ns;
    }
    tell(name + "_waited_ns", static_cast<double>(waited_ns));
    over = true;
  });
  waits.join();
  spins.join();
  return units;
}

void one_carrier(const std::string& name, void (*wait)()) {
  std::thread([&] {
    name_thread((name + "-carrier").c_str());
    fibers::use_scheduling_algorithm<observed<fibers::algo::round_robin>>();
    std::atomic<bool> over{false};
    tell("units_" + name, two_fibers(name, wait, over));
  }).join();
}

void two_carriers() {
  std::atomic<bool> over{false};
  std::thread second([&] {
    name_thread("two-carrier");
    fibers::use_scheduling_algorithm<observed<fibers::algo::shared_work>>();
    while (!over) boost::this_fiber::yield();
  });
  std::thread first([&] {
    name_thread("two-carrier");
    fibers::use_scheduling_algorithm<observed<fibers::algo::shared_work>>();
    tell("units_two", two_fibers("two", block_in_the_kernel, over));
  });
  first.join();
  second.join();
}

int workload() {
  schedscope_uthread_set_records(1U << 20);
  one_carrier("one", block_in_the_kernel);
  two_carriers();
  one_carrier("nonblock", wait_without_blocking);
  return 0;
}

struct Setting {
  double hostage_ns = -1, to_calls_ns = 0, in_call_ns = 0;
};

// The carriers' stays off the CPU that began with a sleep: the calls, as the kernel saw them, until
// the carrier was back on a CPU. Nothing that the runtime told is in this.
double time_in_calls(const Trial& trial, const std::string& name, Window window) {
  const auto carriers = trial.named(name + "-carrier");
  std::map<timeline::ThreadIndex, std::uint64_t> slept_until;
  std::uint64_t sum = 0;
  for (const auto& span : trial.stretches.spans) {
    const bool ours = std::ranges::any_of(
        carriers, [&](const auto* carrier) { return carrier->who.index == span.thread; });
    if (!ours) continue;
    const bool sleeps =
        span.state == timeline::State::sleep || span.state == timeline::State::block;
    const bool wakes =
        span.state == timeline::State::wait && slept_until[span.thread] == span.begin_ns;
    if (sleeps || wakes) sum += window.share(span.begin_ns, span.end_ns);
    if (sleeps) slept_until[span.thread] = span.end_ns;
  }
  return static_cast<double>(sum);
}

// Hostage time that began when the last carrier slept, not when the kernel took its CPU away.
double hostage_to_calls(const Trial& trial, const std::string& name) {
  const auto carriers = trial.named(name + "-carrier");
  std::uint64_t sum = 0;
  for (const auto& span : trial.stretches.hostage_spans) {
    const bool ours = std::ranges::any_of(
        carriers, [&](const auto* carrier) { return carrier->who.index == span.carrier; });
    const bool asleep = span.why == timeline::State::sleep || span.why == timeline::State::block;
    if (ours && asleep) sum += span.total_ns;
  }
  return static_cast<double>(sum);
}

Setting look(const Trial& trial, const std::string& name) {
  const auto* spins = trial.user(name + "-spins");
  const auto* waits = trial.user(name + "-waits");
  if (spins == nullptr || waits == nullptr) return {};
  const Window window{.from_ns = waits->who.born_ns, .to_ns = waits->who.gone_ns};
  return {
      .hostage_ns = static_cast<double>(state_ns(*spins, timeline::UserState::hostage)),
      .to_calls_ns = hostage_to_calls(trial, name),
      .in_call_ns = time_in_calls(trial, name, window),
  };
}

void judge(const Trial& trial, Answer& answer) {
  const Setting one = look(trial, "one"), two = look(trial, "two"),
                nonblock = look(trial, "nonblock");
  if (one.hostage_ns < 0 || one.in_call_ns == 0) {
    answer.caveat = "the capture does not show the fibers";
    return;
  }
  const double off = std::abs(one.hostage_ns - one.in_call_ns) / one.in_call_ns;
  answer.evidence = {{"hostage_ns", one.hostage_ns},
                     {"in_call_ns", one.in_call_ns},
                     {"difference_percent", off * 100},
                     {"two_carriers_hostage_ns", two.hostage_ns},
                     {"two_carriers_hostage_to_calls_ns", two.to_calls_ns},
                     {"two_carriers_in_call_ns", two.in_call_ns},
                     {"nonblocking_hostage_ns", nonblock.hostage_ns},
                     {"nonblocking_hostage_to_calls_ns", nonblock.to_calls_ns}};
  answer.headline = fmt::format(
      "hostage {:.1f} ms of {:.1f} ms in the call; hostage to calls with a second carrier {:.1f} "
      "ms, with non-blocking I/O {:.1f} ms",
      one.hostage_ns / 1e6, one.in_call_ns / 1e6, two.to_calls_ns / 1e6,
      nonblock.to_calls_ns / 1e6);
  const double least_ns = 0.98 * calls * static_cast<double>(call_ns);
  if (off > 0.02 || one.in_call_ns < least_ns) {
    answer.verdict = Verdict::fails_here;
    answer.caveat = "the ready fiber was hostage for another time than that in the call";
  } else if (two.to_calls_ns < one.hostage_ns / 4 && nonblock.to_calls_ns < one.hostage_ns / 4) {
    answer.verdict = Verdict::holds_with_caveat;
    answer.caveat =
        "it blocks the carrier, not the process: a second carrier or non-blocking I/O frees the "
        "other fibers";
  } else {
    answer.verdict = Verdict::holds;
    answer.caveat = "the remedies did not help here: see the hostage times";
  }
}

}  // namespace

const Experiment user_block = {
    .id = "user-block",
    .claim =
        "A blocking system call in one user-level thread blocks the whole process, since the "
        "kernel can't tell them apart",
    .ran =
        "a fiber that works and one that sleeps 4 times 100 ms in nanosleep(2): on one carrier, "
        "on two that share a run queue, and with a non-blocking read instead",
    .rule =
        "holds when on one carrier the ready fiber is hostage for the time that the kernel saw "
        "the carrier in its calls, within 2 %; with the caveat when both remedies take away "
        "three quarters of it",
    .workload = workload,
    .judge = judge,
};

}  // namespace schedscope::lab
