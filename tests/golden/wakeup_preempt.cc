// SPDX-License-Identifier: GPL-2.0-only
// A spinner and a short sleeper on one CPU. The spinner is SCHED_IDLE: whoever is not preempts it
// at once on every kernel, whereas for two threads of SCHED_OTHER that depends on how much each
// has had.

#include <sys/utsname.h>

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::uint32_t sleeps = 300;
constexpr std::uint64_t each_ns = 3'300'000;  // out of step with the ticks
constexpr double tolerance = 0.02;

Result<nlohmann::json> play(std::uint32_t cpu) {
  std::atomic<std::uint32_t> spinner_tid{0};
  std::atomic<bool> stop{false};
  auto spinner = Worker::start("spinner", {.cpu = cpu, .policy = SCHED_IDLE}, [&] {
    spinner_tid = this_tid();
    while (!stop.load(std::memory_order_relaxed)) {
    }
  });
  if (!spinner) return std::unexpected(spinner.error());
  nlohmann::json told;
  auto sleeper = Worker::start("sleeper", {.cpu = cpu}, [&] {
    while (spinner_tid.load() == 0) sleep_until(now_ns() + each_ns);
    const OwnSwitches begin = own_switches();
    for (std::uint32_t i = 0; i < sleeps; ++i) sleep_until(now_ns() + each_ns);
    told = {{"sleeper", this_tid()}, {"begin", begin}, {"end", own_switches()}};
  });
  if (!sleeper) {
    stop = true;
    return std::unexpected(sleeper.error());
  }
  sleeper->join();
  stop = true;
  spinner->join();
  told["spinner"] = spinner_tid.load();
  return told;
}

// There a timer wakes a thread that is not real-time from the CPU's timer thread, which is: that
// is who cuts the spinner.
bool timers_are_threads() {
  utsname name{};
  ::uname(&name);
  return std::strstr(name.version, "PREEMPT_RT") != nullptr;
}

struct Cuts {
  std::uint64_t by_sleeper = 0, of_them_preempted = 0, wrong_asker = 0;
  std::array<std::uint64_t, timeline::slice_end_count> ends{};
  std::uint64_t by_timer_thread = 0, of_them_outranked = 0;
};

Cuts count_cuts(const Trial& trial, timeline::ThreadIndex spinner, timeline::ThreadIndex sleeper) {
  const auto begin = trial.told.at("begin").get<OwnSwitches>();
  const auto end = trial.told.at("end").get<OwnSwitches>();
  Cuts cuts;
  for (const timeline::Slice& slice : trial.trace.slices({spinner}, begin.at_ns, end.at_ns)) {
    const auto* next = find_index(trial.report, slice.next);
    if (next == nullptr) continue;
    if (slice.next == sleeper) {
      ++cuts.by_sleeper;
      ++cuts.ends.at(static_cast<std::size_t>(slice.end));
      if (slice.end != timeline::SliceEnd::preempted) continue;
      ++cuts.of_them_preempted;
      if (slice.by != sleeper) ++cuts.wrong_asker;
    } else if (next->who.comm.starts_with("ktimers/")) {
      ++cuts.by_timer_thread;
      if (slice.end == timeline::SliceEnd::outranked) ++cuts.of_them_outranked;
    }
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
  const std::uint64_t wakeups =
      trial.trace.spans(sleeper->who.index, timeline::State::sleep, begin.at_ns, end.at_ns).size();
  verdict.equal("sleeper: sleeps, by the kernel's count", wakeups, end.voluntary - begin.voluntary);
  // A call whose time is over before it has begun does not sleep: a CPU may stand still that long.
  verdict.at_least("sleeper: sleeps", wakeups, std::uint64_t{sleeps / 2});
  const Cuts cuts = count_cuts(trial, spinner->who.index, sleeper->who.index);
  const auto count = static_cast<double>(wakeups);
  if (timers_are_threads()) {
    // Other timers go off as well.
    verdict.at_least("slices cut by the timer thread, of the wakeups",
                     static_cast<double>(cuts.by_timer_thread), count * (1 - tolerance));
    verdict.equal("of them `outranked`", cuts.of_them_outranked, cuts.by_timer_thread);
    return;
  }
  verdict.within("slices that the sleeper cuts, of its wakeups",
                 static_cast<double>(cuts.by_sleeper), count, tolerance);
  verdict.within("of them `preempted`", static_cast<double>(cuts.of_them_preempted), count,
                 tolerance);
  for (std::size_t i = 0; i < cuts.ends.size(); ++i) {
    if (cuts.ends.at(i) == 0) continue;
    verdict.note(fmt::format("ends `{}`: {}", timeline::name_of(static_cast<timeline::SliceEnd>(i)),
                             cuts.ends.at(i)));
  }
  verdict.equal("of these not by the sleeper", cuts.wrong_asker, std::uint64_t{0});
  const auto by = std::find_if(spinner->preempted_by.begin(), spinner->preempted_by.end(),
                               [&](const auto& peer) { return peer.thread == sleeper->who.index; });
  const bool named = by != spinner->preempted_by.end();
  verdict.holds("the report names the sleeper", named);
  if (named) verdict.at_least("preempted by it, in all", by->count, cuts.of_them_preempted);
}

}  // namespace

extern const Schedule wakeup_preempt;
const Schedule wakeup_preempt{
    .name = "wakeup-preempt",
    .answer =
        "the slices that the sleeper cuts end `preempted`, by the sleeper, count within 2 % of "
        "its wakeups",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
