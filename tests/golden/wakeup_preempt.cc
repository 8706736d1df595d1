// SPDX-License-Identifier: GPL-2.0-only
// A spinner and a short sleeper on one CPU, alike but for their slices: who has had less than his
// share and asks for a shorter slice preempts at once from 6.12 on (PREEMPT_SHORT), and before, who
// has had less by more than a little. Not a spinner of SCHED_IDLE: a wakeup always asks to take its
// CPU away, but EEVDF may find that the sleeper has had its share, and lets the spinner go on until
// the next tick (seen in 7 % of wakeups on 6.12, 25 % on 7.3). And not woken by a timer of its own:
// in the interrupt of the tick, that may have asked before.

#include <algorithm>
#include <array>
#include <atomic>
#include <span>

#include <fmt/format.h>

#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::uint32_t sleeps = 300;
constexpr std::uint64_t each_ns = 3'300'000;  // out of step with the ticks
constexpr double tolerance = 0.02;
// The shortest and the longest that may be asked for; ignored before 6.12.
constexpr std::uint64_t sleeper_slice_ns = 100'000, spinner_slice_ns = 100'000'000;

Result<nlohmann::json> play(std::uint32_t cpu) {
  const std::uint32_t other = another_cpu(cpu);
  if (other == cpu) return fail("wake from another CPU", "this machine has one", "give it two");
  std::atomic<std::uint32_t> spinner_tid{0};
  std::atomic<bool> stop{false};
  std::atomic<int> refused{0};
  auto spinner = Worker::start("spinner", {.cpu = cpu}, [&] {
    refused = set_attributes({.runtime_ns = spinner_slice_ns});
    spinner_tid = this_tid();
    while (!stop.load(std::memory_order_relaxed)) {
    }
  });
  if (!spinner) return std::unexpected(spinner.error());
  Futex turn;
  nlohmann::json told;
  auto sleeper = Worker::start("sleeper", {.cpu = cpu}, [&] {
    if (const int code = set_attributes({.runtime_ns = sleeper_slice_ns}); code != 0)
      refused = code;
    turn.wait_while(0);
    const OwnSwitches begin = own_switches();
    for (std::uint32_t i = 1; i < sleeps; ++i) turn.wait_while(i);
    told = {{"sleeper", this_tid()}, {"begin", begin}, {"end", own_switches()}};
  });
  auto waker = Worker::start("waker", {.cpu = other}, [&] {
    while (spinner_tid.load() == 0) sleep_until(now_ns() + each_ns);
    for (std::uint32_t i = 1; i <= sleeps; ++i) {
      sleep_until(now_ns() + each_ns);
      turn.set(i);
    }
  });
  if (!sleeper || !waker) {
    stop = true;
    turn.set(sleeps);
    return std::unexpected(sleeper ? waker.error() : sleeper.error());
  }
  sleeper->join();
  stop = true;
  spinner->join();
  if (refused != 0) return fail_errno("ask for slices", {}, Exit::machine, refused);
  told["spinner"] = spinner_tid.load();
  return told;
}

struct Cuts {
  std::uint64_t found = 0;  // wakeups that found the spinner on its CPU
  std::uint64_t by_sleeper = 0, by_others = 0;
  std::uint64_t preempted = 0;  // of the sleeper's cuts, as its own
  std::array<std::uint64_t, timeline::slice_end_count> ends{};

  void add(const timeline::Slice& slice, timeline::ThreadIndex sleeper) {
    ++found;
    // Woken meanwhile by who else it may be, one of a higher class gets the CPU.
    if (slice.next != sleeper) {
      ++by_others;
      return;
    }
    ++by_sleeper;
    ++ends.at(static_cast<std::size_t>(slice.end));
    preempted += slice.end == timeline::SliceEnd::preempted && slice.by == sleeper;
  }
};

Cuts count_cuts(std::span<const timeline::Span> sleeps_of, std::span<const timeline::Slice> slices,
                timeline::ThreadIndex sleeper) {
  Cuts cuts;
  auto slice = slices.begin();
  for (const timeline::Span& sleep : sleeps_of) {
    slice =
        std::find_if(slice, slices.end(), [&](const auto& s) { return s.end_ns > sleep.end_ns; });
    if (slice == slices.end()) break;
    if (slice->begin_ns <= sleep.end_ns) cuts.add(*slice, sleeper);
  }
  return cuts;
}

void judge(const Trial& trial, Verdict& verdict) {
  const auto* spinner = find_thread(trial.report, trial.told.at("spinner"));
  const auto* sleeper = find_thread(trial.report, trial.told.at("sleeper"));
  verdict.holds("both threads are in the report, once each",
                spinner != nullptr && sleeper != nullptr);
  if (spinner == nullptr || sleeper == nullptr) return;
  const auto begin = trial.told.at("begin").get<OwnSwitches>();
  const auto end = trial.told.at("end").get<OwnSwitches>();
  const auto slept =
      trial.trace.spans(sleeper->who.index, timeline::State::sleep, begin.at_ns, end.at_ns);
  // Who is woken before it has left the CPU goes for no sleep.
  verdict.at_most("sleeper: sleeps, of those by the kernel's count", std::uint64_t{slept.size()},
                  end.voluntary - begin.voluntary);
  const Cuts cuts = count_cuts(
      slept, trial.trace.slices({spinner->who.index}, begin.at_ns, end.at_ns), sleeper->who.index);
  verdict.note(fmt::format("{} wakeups found the spinner running, others then came in before {}",
                           cuts.found, cuts.by_others));
  // Who is woken again before it sleeps does not sleep: a CPU may stand still that long.
  verdict.at_least("slices that the sleeper cuts", cuts.by_sleeper, std::uint64_t{sleeps / 2});
  verdict.within("of them `preempted` by it", static_cast<double>(cuts.preempted),
                 static_cast<double>(cuts.by_sleeper), tolerance);
  for (std::size_t i = 0; i < cuts.ends.size(); ++i) {
    if (cuts.ends.at(i) == 0) continue;
    verdict.note(fmt::format("ends `{}`: {}", timeline::name_of(static_cast<timeline::SliceEnd>(i)),
                             cuts.ends.at(i)));
  }
  const auto by = std::find_if(spinner->preempted_by.begin(), spinner->preempted_by.end(),
                               [&](const auto& peer) { return peer.thread == sleeper->who.index; });
  const bool named = by != spinner->preempted_by.end();
  verdict.holds("the report names the sleeper", named);
  if (named) verdict.at_least("preempted by it, in all", by->count, cuts.preempted);
}

}  // namespace

extern const Schedule wakeup_preempt;
const Schedule wakeup_preempt{
    .name = "wakeup-preempt",
    .answer =
        "the slices that the sleeper cuts when it is woken end `preempted`, by the sleeper, within "
        "2 %",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
