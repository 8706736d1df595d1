// SPDX-License-Identifier: GPL-2.0-only
// Two SCHED_FIFO threads of one priority on one CPU pass a futex: nothing but the futex can take
// the CPU from either, so every switch is known.

#include <set>
#include <span>

#include <fmt/format.h>

#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::uint32_t rounds = 1000;

Result<nlohmann::json> play(std::uint32_t cpu) {
  Futex turn;  // 0: left's, 1: right's
  Futex over, ready;
  std::uint32_t left_tid = 0, right_tid = 0;
  std::uint64_t begin_ns = 0, end_ns = 0;
  const Seat seat{.cpu = cpu, .policy = SCHED_FIFO, .priority = above_all};

  auto right = Worker::start("right", seat, [&] {
    right_tid = this_tid();
    ready.set(1);
    for (std::uint32_t i = 0; i < rounds && over.load() == 0; ++i) {
      turn.wait_while(0);
      turn.set(0);
    }
    // Its last slice ends as the others do, and not with its exit.
    over.wait_while(0);
  });
  if (!right) return std::unexpected(right.error());
  // Left gets the CPU once right waits for it: else its first turn finds nobody to wake.
  ready.wait_while(0);
  auto left = Worker::start("left", seat, [&] {
    left_tid = this_tid();
    begin_ns = now_ns();
    for (std::uint32_t i = 0; i < rounds; ++i) {
      turn.set(1);
      turn.wait_while(1);
    }
    end_ns = now_ns();
    over.set(1);
  });
  if (!left) {
    // Lets the other one go, which would wait for ever.
    over.set(1);
    turn.set(1);
    return std::unexpected(left.error());
  }
  left->join();
  right->join();
  return nlohmann::json{
      {"left", left_tid}, {"right", right_tid}, {"begin_ns", begin_ns}, {"end_ns", end_ns}};
}

struct Pair {
  const analysis::ThreadReport* left;
  const analysis::ThreadReport* right;
};

// The report's own totals of the handoff.
void judge_totals(const Trial& trial, Verdict& verdict) {
  const auto report = trial.report_of(trial.told.at("begin_ns"), trial.told.at("end_ns"));
  if (!report) return verdict.holds(report.error().message(), false);
  for (const char* who : {"left", "right"}) {
    const auto* thread = find_thread(*report, trial.told.at(who));
    verdict.holds(fmt::format("{}: is in the report of the handoff", who), thread != nullptr);
    if (thread == nullptr) continue;
    verdict.equal(fmt::format("{}: comm", who), thread->who.comm, std::string(who));
    verdict.equal(fmt::format("{}: ends `blocked`", who),
                  ends_of(*thread, timeline::SliceEnd::blocked), std::uint64_t{rounds});
    // The end of the handoff cuts the slice in which left reads the clock.
    verdict.equal(fmt::format("{}: other ends", who),
                  thread->slices - ends_of(*thread, timeline::SliceEnd::blocked),
                  std::uint64_t{who == std::string_view("left") ? 1U : 0U});
    const char* other = who == std::string_view("left") ? "right" : "left";
    const bool woken_by_one = thread->woken_by.size() == 1;
    verdict.equal(fmt::format("{}: threads that woke it", who), thread->woken_by.size(),
                  std::size_t{1});
    if (!woken_by_one) continue;
    verdict.equal(fmt::format("{}: woken by {}", who, other), thread->woken_by[0].tid,
                  trial.told.at(other).get<std::uint32_t>());
    verdict.equal(fmt::format("{}: wakeups", who), thread->woken_by[0].count,
                  std::uint64_t{rounds});
  }
}

// Every slice and every wait, one by one.
// When a thread that outranks the pair (a stopper, a watchdog) took the CPU between the two: the
// kernel's rule, and no fault of the schedule. A thread of no higher rank there would be one.
std::set<std::uint64_t> cut_in(const Trial& trial, const Pair& pair,
                               std::span<const timeline::Slice> slices) {
  std::set<std::uint64_t> times;
  for (const timeline::Slice& slice : slices) {
    for (const analysis::ThreadReport& thread : trial.report.threads) {
      const bool outranks = thread.who.prio < pair.left->who.prio;
      if (thread.who.index == slice.next && outranks) times.insert(slice.end_ns);
    }
  }
  return times;
}

void judge_switches(const Trial& trial, const Pair& pair, Verdict& verdict) {
  const std::uint64_t begin = trial.told.at("begin_ns"), end = trial.told.at("end_ns");
  const timeline::ThreadIndex left = pair.left->who.index, right = pair.right->who.index;
  const auto slices = trial.trace.slices({left, right}, begin, end);
  const std::set<std::uint64_t> strangers = cut_in(trial, pair, slices);
  std::uint64_t to_right = 0, to_left = 0, out_of_turn = 0, elsewhere = 0;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const timeline::Slice& slice = slices[i];
    (slice.thread == left ? to_right : to_left) += 1;
    if (slice.thread != (i % 2 == 0 ? left : right)) ++out_of_turn;
    const bool handed_over = slice.next == (slice.thread == left ? right : left);
    if (!handed_over && !strangers.contains(slice.end_ns)) ++out_of_turn;
    if (slice.cpu != trial.cpu) ++elsewhere;
  }
  verdict.equal("switches from left to right", to_right, std::uint64_t{rounds});
  verdict.equal("switches from right to left", to_left, std::uint64_t{rounds});
  verdict.equal("switches that do not alternate", out_of_turn, std::uint64_t{0});
  verdict.equal("slices on another CPU", elsewhere, std::uint64_t{0});
  if (!strangers.empty()) {
    verdict.note(fmt::format("times that a thread of higher rank cut in: {}", strangers.size()));
  }

  // Who is woken waits from then on until the other one blocks: inside the other one's slice.
  for (const timeline::ThreadIndex thread : {left, right}) {
    const auto waits = trial.trace.spans(thread, timeline::State::wait, begin, end);
    const auto others = trial.trace.slices({thread == left ? right : left}, begin, end);
    std::uint64_t longer = 0;
    for (std::size_t i = 0; i < std::min(waits.size(), others.size()); ++i) {
      if (strangers.contains(others[i].end_ns)) continue;
      if (waits[i].begin_ns < others[i].begin_ns || waits[i].end_ns != others[i].end_ns) ++longer;
    }
    const char* who = thread == left ? "left" : "right";
    verdict.equal(fmt::format("{}: waits", who), waits.size(), std::size_t{rounds});
    verdict.equal(fmt::format("{}: waits longer than the other's slice", who), longer,
                  std::uint64_t{0});
  }
}

void judge(const Trial& trial, Verdict& verdict) {
  const Pair pair{.left = find_thread(trial.report, trial.told.at("left")),
                  .right = find_thread(trial.report, trial.told.at("right"))};
  verdict.holds("both threads are in the report, once each",
                pair.left != nullptr && pair.right != nullptr);
  if (pair.left == nullptr || pair.right == nullptr) return;
  judge_totals(trial, verdict);
  judge_switches(trial, pair, verdict);
}

}  // namespace

extern const Schedule handoff;
const Schedule handoff{
    .name = "handoff",
    .answer =
        "N switches each way, strictly alternating, every end `blocked`, no wait longer than "
        "the other's slice",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
