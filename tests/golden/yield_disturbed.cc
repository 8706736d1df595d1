// SPDX-License-Identifier: GPL-2.0-only
// Two SCHED_FIFO threads of one priority on one CPU that only yield, and a third one above them
// that a timer wakes all the time. Where that comes while a switch is under way, the kernel looks
// for it before it returns to the call, so that the call switches twice: once for itself, and once
// because somebody asked.

#include <array>
#include <atomic>

#include <fmt/format.h>

#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::uint32_t calls = 3000;
constexpr std::array<const char*, 2> names = {"yields-1", "yields-2"};
constexpr std::uint64_t each_ns = 100'000;

struct Yielder {
  std::uint32_t tid = 0;
  OwnSwitches begin{}, end{};
};

Result<nlohmann::json> play(std::uint32_t cpu) {
  std::array<Yielder, names.size()> yielders;
  std::atomic<std::size_t> done{0};
  std::atomic<bool> stop{false};
  Futex go, disturb;
  OwnSwitches first{}, last{};
  auto disturber =
      Worker::start("disturber", {.cpu = cpu, .policy = SCHED_FIFO, .priority = above_all}, [&] {
        disturb.wait_while(0);
        first = last = own_switches();
        for (std::uint64_t ns = each_ns; done != names.size() && !stop;) {
          sleep_until(now_ns() + ns);
          const OwnSwitches now = own_switches();
          // So slow that the time was over before it slept: nobody below would ever run.
          if (now.voluntary == last.voluntary) ns *= 2;
          last = now;
        }
      });
  if (!disturber) return std::unexpected(disturber.error());
  std::vector<Worker> workers;
  const Seat seat{.cpu = cpu, .policy = SCHED_FIFO, .priority = above_all - 1};
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto worker = Worker::start(names[i], seat, [&, i] {
      yielders[i].tid = this_tid();
      // The last to come lets the others go.
      if (i == 0) go.wait_while(0);
      if (i != 0) {
        disturb.set(1);
        go.set(1);
      }
      yielders[i].begin = own_switches();
      for (std::uint32_t call = 0; call < calls; ++call) ::sched_yield();
      yielders[i].end = own_switches();
      ++done;
    });
    if (!worker) {
      stop = true;
      disturb.set(1);
      go.set(1);
      return std::unexpected(worker.error());
    }
    workers.push_back(std::move(*worker));
  }
  workers.clear();
  disturber->join();
  nlohmann::json told;
  for (const Yielder& yielder : yielders) {
    told.push_back({{"tid", yielder.tid}, {"begin", yielder.begin}, {"end", yielder.end}});
  }
  return nlohmann::json{{"yielders", told}, {"disturbed", last.voluntary - first.voluntary}};
}

void judge(const Trial& trial, Verdict& verdict) {
  const auto disturbed = trial.told.at("disturbed").get<std::uint64_t>();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto& told = trial.told.at("yielders").at(i);
    const std::string who = names[i];
    const auto begin = told.at("begin").get<OwnSwitches>(), end = told.at("end").get<OwnSwitches>();
    const auto report = trial.report_of(begin.at_ns, end.at_ns);
    if (!report) return verdict.holds(report.error().message(), false);
    const auto* meanwhile = find_thread(*report, told.at("tid"));
    verdict.holds(who + ": is in the report of its calls", meanwhile != nullptr);
    if (meanwhile == nullptr) return;
    const std::uint64_t yielded = ends_of(*meanwhile, timeline::SliceEnd::yielded);
    const std::uint64_t outranked = ends_of(*meanwhile, timeline::SliceEnd::outranked);
    // On a slow host it takes so long that the limit of real-time threads is reached.
    const std::uint64_t throttled = ends_of(*meanwhile, timeline::SliceEnd::throttled);
    verdict.equal(who + ": ends `yielded`, `outranked`, `throttled`, by the kernel's count",
                  yielded + outranked + throttled, end.involuntary - begin.involuntary);
    // No call yields twice, and alone it switches nothing.
    verdict.at_most(who + ": ends `yielded`", yielded, std::uint64_t{calls});
    verdict.at_least(who + ": ends `yielded`, or in which it was disturbed", yielded + disturbed,
                     std::uint64_t{calls - 2});
    verdict.at_most(who + ": ends `outranked`", outranked, disturbed);
  }
}

}  // namespace

extern const Schedule yield_disturbed;
const Schedule yield_disturbed{
    .name = "yield-disturbed",
    .answer = "no more ends `yielded` than calls, whoever else asks for switches",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
