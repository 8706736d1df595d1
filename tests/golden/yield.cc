// SPDX-License-Identifier: GPL-2.0-only
// Two SCHED_FIFO threads of one priority on one CPU that only yield: each call puts its caller
// behind the other.

#include <array>

#include <fmt/format.h>

#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::uint32_t calls = 1000;
constexpr std::array<const char*, 2> names = {"yields-1", "yields-2"};

struct Yielder {
  std::uint32_t tid = 0;
  OwnSwitches begin{}, end{};
};

Result<nlohmann::json> play(std::uint32_t cpu) {
  std::array<Yielder, names.size()> yielders;
  Futex go;
  std::vector<Worker> workers;
  const Seat seat{.cpu = cpu, .policy = SCHED_FIFO, .priority = above_all};
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto worker = Worker::start(names[i], seat, [&, i] {
      yielders[i].tid = this_tid();
      // The last to come lets the first one go.
      if (i == 0) go.wait_while(0);
      if (i != 0) go.set(1);
      yielders[i].begin = own_switches();
      for (std::uint32_t call = 0; call < calls; ++call) ::sched_yield();
      yielders[i].end = own_switches();
    });
    if (!worker) {
      go.set(1);
      return std::unexpected(worker.error());
    }
    workers.push_back(std::move(*worker));
  }
  workers.clear();
  nlohmann::json told;
  for (const Yielder& yielder : yielders) {
    told.push_back({{"tid", yielder.tid}, {"begin", yielder.begin}, {"end", yielder.end}});
  }
  return nlohmann::json{{"yielders", told}};
}

void judge(const Trial& trial, Verdict& verdict) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto& told = trial.told.at("yielders").at(i);
    const auto* thread = find_thread(trial.report, told.at("tid"));
    const std::string who = names[i];
    verdict.holds(who + ": is in the report, once", thread != nullptr);
    if (thread == nullptr) return;
    const auto begin = told.at("begin").get<OwnSwitches>(), end = told.at("end").get<OwnSwitches>();
    const auto report = trial.report_of(begin.at_ns, end.at_ns);
    if (!report) return verdict.holds(report.error().message(), false);
    const auto* meanwhile = find_thread(*report, told.at("tid"));
    verdict.holds(who + ": is in the report of its calls", meanwhile != nullptr);
    if (meanwhile == nullptr) return;
    const std::uint64_t yielded = ends_of(*meanwhile, timeline::SliceEnd::yielded);
    verdict.equal(who + ": ends `yielded`, by the kernel's count of its switches", yielded,
                  end.involuntary - begin.involuntary);
    verdict.equal(who + ": switches of its own accord", end.voluntary - begin.voluntary,
                  std::uint64_t{0});
    // All but those that the end of the report cuts.
    verdict.equal(who + ": slices", meanwhile->slices, yielded + 1);
    // Alone on the CPU before the other begins or after it has ended, a call switches nothing.
    verdict.at_least(who + ": calls that switched", yielded, std::uint64_t{calls - 2});
    verdict.at_most(who + ": calls that switched", yielded, std::uint64_t{calls});
  }
}

}  // namespace

extern const Schedule yield;
const Schedule yield{
    .name = "yield",
    .answer = "ends `yielded`, count = calls that switched",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
