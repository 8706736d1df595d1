// SPDX-License-Identifier: GPL-2.0-only
// Three threads of one process that only spin, on one CPU: fair to each other, whatever share of
// the CPU the rest of the machine leaves them.

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include <fmt/format.h>

#include "charged.h"
#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::array<const char*, 3> names = {"spinner-1", "spinner-2", "spinner-3"};
// Slices are some ms long: 2 % of a third of this is several of them, so that where in its turn
// a thread is when the clock stops does not count.
constexpr std::uint64_t length_ns = 4'000'000'000;
// "Hardly ever anything else" than `expired`, of the ends among spinners.
constexpr double hardly_ever = 0.02;

// A machine that is held up while one of them runs is not fair, by its own account: it plays
// something else then, and may try again.
constexpr double by_its_own_account = 0.015;
constexpr int attempts = 4;

using Shares = std::array<std::uint64_t, names.size()>;

struct Played {
  std::array<std::uint32_t, names.size()> tids{};
  std::uint64_t begin_ns = 0, end_ns = 0;
  Shares shares_ns{};  // as the kernel accounts for them

  [[nodiscard]] bool fair() const {
    const double third =
        static_cast<double>(std::accumulate(shares_ns.begin(), shares_ns.end(), std::uint64_t{0})) /
        static_cast<double>(names.size());
    return std::all_of(shares_ns.begin(), shares_ns.end(), [&](std::uint64_t share) {
      return std::abs(static_cast<double>(share) - third) <= by_its_own_account * third;
    });
  }
};

Result<Played> spin(std::uint32_t cpu) {
  Played played;
  std::atomic<std::uint32_t> spinning{0};
  std::atomic<bool> stop{false};
  std::vector<Worker> workers;
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto worker = Worker::start(names[i], {.cpu = cpu}, [&, i] {
      played.tids[i] = this_tid();
      spinning.fetch_add(1);
      while (!stop.load(std::memory_order_relaxed)) {
      }
    });
    if (!worker) {
      stop = true;
      return std::unexpected(worker.error());
    }
    workers.push_back(std::move(*worker));
  }
  while (spinning.load() < names.size()) sleep_until(now_ns() + 10'000'000);
  const auto read = [&](std::size_t i) { return workers[i].cpu_ns(); };
  const Shares before = {read(0), read(1), read(2)};
  played.begin_ns = now_ns();
  sleep_until(played.begin_ns + length_ns);
  played.end_ns = now_ns();
  const Shares after = {read(0), read(1), read(2)};
  stop = true;
  workers.clear();
  for (std::size_t i = 0; i < names.size(); ++i) played.shares_ns[i] = after[i] - before[i];
  return played;
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  for (int attempt = 1;; ++attempt) {
    const auto played = spin(cpu);
    if (!played) return std::unexpected(played.error());
    if (played->fair()) {
      return nlohmann::json{{"tids", played->tids},
                            {"attempt", attempt},
                            {"begin_ns", played->begin_ns},
                            {"end_ns", played->end_ns}};
    }
    if (attempt < attempts) continue;
    const Shares& ns = played->shares_ns;
    return fail("play three equal spinners",
                fmt::format("{} times the kernel did not give each a third, the last time {}, {} "
                            "and {} ns",
                            attempts, ns[0], ns[1], ns[2]),
                "run on a machine that is less busy");
  }
}

using Spinners = std::array<const analysis::ThreadReport*, names.size()>;

bool find_spinners(const Trial& trial, const analysis::Report& report, Spinners& out,
                   Verdict& verdict) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    out[i] = find_thread(report, trial.told.at("tids").at(i));
    verdict.holds(fmt::format("{}: is in the report, once", names[i]), out[i] != nullptr);
    if (out[i] == nullptr) return false;
    verdict.equal(fmt::format("{}: comm", names[i]), out[i]->who.comm, std::string(names[i]));
  }
  return true;
}

void judge_shares(const Trial& trial, const analysis::Report& report, const Spinners& spinners,
                  Verdict& verdict) {
  std::uint64_t ours = 0;
  double all_charged = 0;
  const auto charged = [&](const analysis::ThreadReport& spinner) {
    return charged_ns(trial, spinner, report.start_ns, report.end_ns);
  };
  for (const auto* spinner : spinners) {
    ours += spinner->run_ns;
    all_charged += charged(*spinner);
  }
  for (std::size_t i = 0; i < spinners.size(); ++i) {
    const std::string name = names[i];
    verdict.note(fmt::format("{}: run ns: {}", name, spinners[i]->run_ns));
    verdict.within(name + ": charged ns", charged(*spinners[i]), all_charged / 3, 0.02);
    verdict.equal(name + ": asleep ns", spinners[i]->sleep_ns + spinners[i]->block_ns,
                  std::uint64_t{0});
    verdict.equal(name + ": unknown ns", spinners[i]->unknown_ns, std::uint64_t{0});
  }
  const auto cpu = std::find_if(report.cpus.begin(), report.cpus.end(),
                                [&](const auto& one) { return one.cpu == trial.cpu; });
  if (cpu == report.cpus.end()) return verdict.holds("the CPU is in the report", false);
  const std::uint64_t span = report.end_ns - report.start_ns;
  // What is theirs is a third of what nobody else took: nothing of it may be missing.
  verdict.equal("cpu: run ns", cpu->run_ns, span);
  verdict.equal("cpu: idle ns", cpu->idle_ns, std::uint64_t{0});
  verdict.note(fmt::format("cpu: {:.2f} % of it went to other threads",
                           (1 - static_cast<double>(ours) / static_cast<double>(span)) * 100));
}

// Whether `thread` stood in line for the CPU of the schedule at that time.
bool waits_here(const Trial& trial, timeline::ThreadIndex thread, std::uint64_t at_ns) {
  if (thread == timeline::no_index) return false;
  const auto waits = trial.trace.spans(thread, timeline::State::wait, at_ns, trial.report.end_ns);
  if (waits.empty() || waits.front().begin_ns > at_ns) return false;
  const auto slices = trial.trace.slices({thread}, waits.front().end_ns, trial.report.end_ns);
  return !slices.empty() && slices.front().begin_ns == waits.front().end_ns &&
         slices.front().cpu == trial.cpu;
}

struct Ends {
  std::map<timeline::SliceEnd, std::uint64_t> ours, strangers;
  std::uint64_t all = 0;
};

// An end is a matter of this schedule unless a stranger was there for the CPU: took it, or asked
// for it and stood in line.
Ends count_ends(const Trial& trial, const Spinners& spinners) {
  std::vector<timeline::ThreadIndex> indices;
  for (const auto* spinner : spinners) indices.push_back(spinner->who.index);
  const auto is_ours = [&](timeline::ThreadIndex thread) {
    return std::find(indices.begin(), indices.end(), thread) != indices.end();
  };
  Ends ends;
  for (const timeline::Slice& slice :
       trial.trace.slices(indices, trial.told.at("begin_ns"), trial.told.at("end_ns"))) {
    if (!is_ours(slice.next) || (!is_ours(slice.by) && waits_here(trial, slice.by, slice.end_ns))) {
      ++ends.strangers[slice.end];
      continue;
    }
    ++ends.all;
    ++ends.ours[slice.end];
  }
  return ends;
}

void judge_ends(const Trial& trial, const Spinners& spinners, Verdict& verdict) {
  Ends ends = count_ends(trial, spinners);
  const std::uint64_t others = ends.all - ends.ours[timeline::SliceEnd::expired];
  verdict.at_least("ends among spinners", ends.all, std::uint64_t{100});
  verdict.at_most("of them not `expired`", others,
                  static_cast<std::uint64_t>(static_cast<double>(ends.all) * hardly_ever));
  for (const auto& [end, count] : ends.ours) {
    if (count != 0) verdict.note(fmt::format("ends `{}`: {}", timeline::name_of(end), count));
  }
  for (const auto& [end, count] : ends.strangers) {
    verdict.note(fmt::format("ends `{}` for a stranger: {}", timeline::name_of(end), count));
  }
}

void judge(const Trial& trial, Verdict& verdict) {
  const auto report = trial.report_of(trial.told.at("begin_ns"), trial.told.at("end_ns"));
  if (!report) return verdict.holds(report.error().message(), false);
  Spinners in_window{}, whole{};
  if (!find_spinners(trial, *report, in_window, verdict)) return;
  if (!find_spinners(trial, trial.report, whole, verdict)) return;
  verdict.note(fmt::format("attempt {}", trial.told.at("attempt").get<int>()));
  judge_shares(trial, *report, in_window, verdict);
  judge_ends(trial, whole, verdict);
}

}  // namespace

extern const Schedule fair_equal;
const Schedule fair_equal{
    .name = "fair-equal",
    .answer = "a third of the CPU each within 2 %; ends `expired`, hardly ever anything else",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
