// SPDX-License-Identifier: GPL-2.0-only
// Three SCHED_FIFO threads that a fourth one makes runnable together, the lowest first; while they
// run, its timer lets it cut in once. The kernel counts for each how often it left the CPU of its
// own accord, and how often not.

#include <array>

#include <fmt/format.h>

#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::uint32_t rounds = 40;
constexpr std::uint64_t each_ns = 1'000'000;
constexpr std::array<const char*, 3> names = {"low", "middle", "high"};
constexpr std::array<int, 3> priorities = {10, 20, 30};

struct Runner {
  Futex go;  // the round that it may run
  std::uint32_t tid = 0;
  OwnSwitches begin{}, end{};
};

void run(Runner& me, std::atomic<std::uint32_t>& finished, Futex& over) {
  me.tid = this_tid();
  me.begin = own_switches();
  for (std::uint32_t round = 0; round < rounds; ++round) {
    me.go.wait_while(round);
    work(each_ns);
    if (finished.fetch_add(1) + 1 == (round + 1) * names.size()) over.set(round + 1);
  }
  me.end = own_switches();
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  std::array<Runner, names.size()> runners;
  std::atomic<std::uint32_t> finished{0};
  Futex over;
  std::vector<std::array<std::uint64_t, 2>> times;
  std::vector<Worker> workers;
  // Above them from the start: a round begins only when it waits for its end.
  auto starter =
      Worker::start("starter", {.cpu = cpu, .policy = SCHED_FIFO, .priority = above_all}, [&] {
        sleep_until(now_ns() + 20'000'000);
        for (std::uint32_t round = 0; round < rounds; ++round) {
          const std::uint64_t begin = now_ns();
          for (Runner& runner : runners) runner.go.set(round + 1);
          sleep_until(now_ns() + each_ns / 2 * (1 + round % 5));
          over.wait_while(round);
          times.push_back({begin, now_ns()});
        }
      });
  if (!starter) return std::unexpected(starter.error());
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto worker =
        Worker::start(names[i], {.cpu = cpu, .policy = SCHED_FIFO, .priority = priorities[i]},
                      [&, i] { run(runners[i], finished, over); });
    // Where the first thread may be real-time, so may the others.
    if (!worker) return std::unexpected(worker.error());
    workers.push_back(std::move(*worker));
  }
  starter->join();
  workers.clear();
  nlohmann::json told{{"rounds", times}};
  for (const Runner& runner : runners) {
    told["runners"].push_back({{"tid", runner.tid}, {"begin", runner.begin}, {"end", runner.end}});
  }
  return told;
}

void judge_ends(const Trial& trial, const std::array<timeline::ThreadIndex, 3>& indices,
                Verdict& verdict) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto begin = trial.told.at("runners").at(i).at("begin").get<OwnSwitches>();
    const auto end = trial.told.at("runners").at(i).at("end").get<OwnSwitches>();
    std::array<std::uint64_t, timeline::slice_end_count> ends{};
    for (const auto& slice : trial.trace.slices({indices[i]}, begin.at_ns, end.at_ns)) {
      ++ends.at(static_cast<std::size_t>(slice.end));
    }
    const auto count = [&](timeline::SliceEnd end_word) {
      return ends.at(static_cast<std::size_t>(end_word));
    };
    const std::string who = names[i];
    verdict.equal(who + ": ends `blocked`, by the kernel's count of its own accord",
                  count(timeline::SliceEnd::blocked), end.voluntary - begin.voluntary);
    // The stopper outranks, too, and says `migrated` only where it moves.
    verdict.equal(who + ": ends `outranked`, by the kernel's count of the others",
                  count(timeline::SliceEnd::outranked), end.involuntary - begin.involuntary);
    verdict.equal(who + ": ends `expired`", count(timeline::SliceEnd::expired), std::uint64_t{0});
  }
}

void judge_order(const Trial& trial, const std::array<timeline::ThreadIndex, 3>& indices,
                 Verdict& verdict) {
  std::uint64_t out_of_order = 0, absent = 0, cuts = 0, wrong_cutter = 0;
  const auto rank = [&](timeline::ThreadIndex thread) {
    return std::find(indices.begin(), indices.end(), thread) - indices.begin();
  };
  for (const auto& round : trial.told.at("rounds")) {
    std::array<bool, 3> ran{};
    auto lowest = rank(indices[2]);
    for (const auto& slice :
         trial.trace.slices({indices[0], indices[1], indices[2]}, round.at(0), round.at(1))) {
      const auto own = rank(slice.thread);
      if (own > lowest) ++out_of_order;
      lowest = own;
      ran.at(static_cast<std::size_t>(own)) = true;
      if (slice.end != timeline::SliceEnd::outranked) continue;
      ++cuts;
      const auto* by = find_index(trial.report, slice.next);
      if (by == nullptr || by->who.prio >= 99 - priorities.at(static_cast<std::size_t>(own))) {
        ++wrong_cutter;
      }
    }
    // The last to finish, the low one, ends its slice after the round.
    if (!ran[1] || !ran[2]) ++absent;
  }
  verdict.equal("rounds", trial.told.at("rounds").size(), std::size_t{rounds});
  verdict.equal("slices out of the order high, middle, low", out_of_order, std::uint64_t{0});
  verdict.equal("rounds in which one did not run", absent, std::uint64_t{0});
  verdict.at_least("slices cut by the starter", cuts, std::uint64_t{rounds});
  verdict.equal("of them not followed by a thread of higher priority", wrong_cutter,
                std::uint64_t{0});
}

void judge(const Trial& trial, Verdict& verdict) {
  std::array<timeline::ThreadIndex, 3> indices{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto* thread = find_thread(trial.report, trial.told.at("runners").at(i).at("tid"));
    verdict.holds(fmt::format("{}: is in the report, once", names[i]), thread != nullptr);
    if (thread == nullptr) return;
    verdict.equal(fmt::format("{}: kernel priority", names[i]), thread->who.prio,
                  99 - priorities[i]);
    indices[i] = thread->who.index;
  }
  judge_order(trial, indices, verdict);
  judge_ends(trial, indices, verdict);
}

}  // namespace

extern const Schedule fifo_order;
const Schedule fifo_order{
    .name = "fifo-order",
    .answer = "run in order 30, 20, 10; the lower two end `outranked` or wait, never `expired`",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
