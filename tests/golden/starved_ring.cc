// SPDX-License-Identifier: GPL-2.0-only
// The recorder is stopped for a while, with the smallest ring, and two threads on every CPU hand a
// futex to each other meanwhile.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <map>

#include <fmt/format.h>

#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::uint64_t before_ns = 100'000'000, stopped_ns = 500'000'000;

struct Pair {
  Futex turn;
  std::array<std::uint32_t, 2> tids{};
  std::array<OwnSwitches, 2> ends{};
};

void hand_over(Pair& pair, std::uint32_t side, const std::atomic<bool>& stop) {
  pair.tids.at(side) = this_tid();
  while (!stop.load()) {
    pair.turn.wait_while(1 - side);
    pair.turn.set(1 - side);
  }
  // Lets the other one see it, too.
  pair.turn.set(1 - side);
  pair.ends.at(side) = own_switches();
}

// The recorder is this process's parent. It goes on in any case.
std::array<std::uint64_t, 2> stop_recorder() {
  const pid_t recorder = ::getppid();
  const std::uint64_t begin = now_ns();
  ::kill(recorder, SIGSTOP);
  sleep_until(begin + stopped_ns);
  ::kill(recorder, SIGCONT);
  return {begin, now_ns()};
}

Result<nlohmann::json> play(std::uint32_t) {
  const auto cpus = static_cast<std::size_t>(::sysconf(_SC_NPROCESSORS_ONLN));
  std::vector<Pair> pairs(cpus);
  std::atomic<bool> stop{false};
  std::vector<Worker> workers;
  for (std::size_t i = 0; i < 2 * cpus; ++i) {
    const auto cpu = static_cast<std::uint32_t>(i / 2);
    const auto side = static_cast<std::uint32_t>(i % 2);
    auto worker = Worker::start(fmt::format("load-{}-{}", cpu, side), {.cpu = cpu},
                                [&, cpu, side] { hand_over(pairs[cpu], side, stop); });
    if (!worker) {
      stop = true;
      for (Pair& pair : pairs) pair.turn.set(0);
      return std::unexpected(worker.error());
    }
    workers.push_back(std::move(*worker));
  }
  sleep_until(now_ns() + before_ns);
  const auto stopped = stop_recorder();
  sleep_until(now_ns() + before_ns);
  stop = true;
  for (Pair& pair : pairs) pair.turn.set(pair.turn.load());
  workers.clear();
  nlohmann::json told{{"stopped", stopped}, {"pid", ::getpid()}};
  for (const Pair& pair : pairs) {
    told["pairs"].push_back(pair.tids);
    told["ends"].push_back(pair.ends);
  }
  return told;
}

// Nothing of a load thread, which has one CPU only, is known while that CPU's records were lost.
void judge_gaps(const Trial& trial, Verdict& verdict) {
  std::uint64_t across = 0, ends_within = 0, cut = 0, unknown = 0;
  std::array<bool, 64> has_gap{};
  for (const Trace::Gap& gap : trial.trace.gaps()) {
    if (gap.cpu >= has_gap.size() || gap.cpu >= trial.told.at("pairs").size()) continue;
    has_gap.at(gap.cpu) = true;
    for (const auto& tid : trial.told.at("pairs").at(gap.cpu)) {
      const auto* thread = find_thread(trial.report, tid);
      if (thread == nullptr) continue;
      for (const auto& slice : trial.trace.slices({thread->who.index}, 0, trial.report.end_ns)) {
        if (slice.begin_ns < gap.begin_ns && slice.end_ns > gap.begin_ns) ++across;
        if (slice.end_ns == gap.begin_ns && slice.end_cut) ++cut;
        if (slice.end_ns == gap.begin_ns && slice.end_cut &&
            slice.end != timeline::SliceEnd::unknown) {
          ++ends_within;
        }
      }
      for (const auto state :
           {timeline::State::wait, timeline::State::sleep, timeline::State::block}) {
        for (const auto& span :
             trial.trace.spans(thread->who.index, state, gap.begin_ns + 1, trial.report.end_ns)) {
          if (span.begin_ns < gap.end_ns) ++across;
        }
      }
      for (const auto& span : trial.trace.spans(thread->who.index, timeline::State::unknown,
                                                gap.end_ns, trial.report.end_ns)) {
        if (span.begin_ns <= gap.begin_ns) {
          ++unknown;
          break;
        }
      }
    }
  }
  const auto cpus_lost = std::count(has_gap.begin(), has_gap.end(), true);
  verdict.equal("CPUs with a gap", static_cast<std::size_t>(cpus_lost),
                trial.told.at("pairs").size());
  verdict.equal("stretches of the load's threads that bridge a gap", across, std::uint64_t{0});
  verdict.equal("slices that a gap cut, not `unknown`", ends_within, std::uint64_t{0});
  verdict.note(fmt::format("{} slices cut by a gap, {} threads unknown through one", cut, unknown));
}

void judge(const Trial& trial, Verdict& verdict) {
  std::uint64_t lost = 0, told_of = 0, missing = 0;
  for (const auto& [cause, count] : trial.report.lost) lost += count;
  for (const Trace::Gap& gap : trial.trace.gaps()) told_of += gap.count;
  verdict.at_least("records lost", lost, std::uint64_t{1});
  verdict.equal("records lost, by the gaps in the stream", told_of, lost);
  verdict.equal("records kept and lost, of those produced", trial.report.kept + lost,
                trial.report.produced);
  // The kernel numbers a thread's switches: each number that is missing is a record lost.
  for (std::size_t i = 0; i < trial.told.at("pairs").size(); ++i) {
    for (std::size_t side = 0; side < 2; ++side) {
      const auto& tid = trial.told.at("pairs").at(i).at(side);
      const auto at_end = trial.told.at("ends").at(i).at(side).get<OwnSwitches>();
      const auto* thread = find_thread(trial.report, tid);
      verdict.holds(fmt::format("load thread {}: is in the report, once", tid.get<int>()),
                    thread != nullptr);
      if (thread == nullptr) return;
      verdict.at_least(fmt::format("load thread {}: unknown ns", tid.get<int>()),
                       thread->unknown_ns, std::uint64_t{1});
      std::uint32_t last = 0;
      for (const auto& slice : trial.trace.slices({thread->who.index}, 0, trial.report.end_ns)) {
        if (slice.end_cut) continue;
        if (last != 0) missing += slice.switch_number - last - 1;
        last = slice.switch_number;
      }
      // Those after the last record of it, when the gap lasts to the end.
      missing += std::max<std::uint64_t>(at_end.voluntary + at_end.involuntary, last) - last;
    }
  }
  verdict.at_least("switches of the load missing, by their numbers", missing, std::uint64_t{1});
  verdict.at_most("switches of the load missing, by their numbers", missing, lost);
  judge_gaps(trial, verdict);
  verdict.note(fmt::format("{} lost, {} kept, {} of the load's switches missing", lost,
                           trial.report.kept, missing));
}

}  // namespace

extern const Schedule starved_ring;
const Schedule starved_ring{
    .name = "starved-ring",
    .answer = "lost > 0, counted exactly; every open interval ends `unknown`; identities hold",
    .workload = play,
    .judge = judge,
    .ring_bytes = 4096,
    .everywhere = true,
};

}  // namespace schedscope::golden
