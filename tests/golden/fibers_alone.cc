// SPDX-License-Identifier: GPL-2.0-only
// 100 fibers on one carrier that nothing can take the CPU from, and of each fiber the kernel's own
// account of what it worked.

#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>

#include <string>
#include <vector>

#include <fmt/format.h>

#include "schedscope/boost_fiber.hpp"

#include "fibers.h"
#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::size_t fiber_count = 100;
// A fiber works in so many goes, with all others in between.
constexpr std::uint64_t goes = 2;
// All fibers together stay below the 950 ms of a second that real-time threads may have. No two
// work alike: time given to the wrong one shows.
constexpr std::uint64_t least_ns = 2'000'000;
constexpr std::uint64_t step_ns = 20'000;

std::string name_of_fiber(std::size_t i) {
  return fmt::format("worker-{}", i);
}

std::vector<std::uint64_t> run_fibers() {
  boost::fibers::use_scheduling_algorithm<observed<boost::fibers::algo::round_robin>>();
  std::vector<std::uint64_t> worked(fiber_count, 0);
  std::vector<boost::fibers::fiber> fibers;
  for (std::size_t i = 0; i < fiber_count; ++i) {
    fibers.emplace_back(boost::fibers::launch::post, [&worked, i] {
      name_fiber(name_of_fiber(i).c_str());
      for (std::uint64_t go = 0; go < goes; ++go) {
        if (go != 0) boost::this_fiber::yield();
        worked[i] += work(least_ns + i * step_ns);
      }
    });
  }
  for (auto& fiber : fibers) fiber.join();
  return worked;
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  std::uint32_t tid = 0;
  std::vector<std::uint64_t> worked;
  auto carrier = Worker::start("carrier",
                               {.cpu = cpu, .policy = SCHED_FIFO, .priority = above_all}, [&] {
                                 tid = this_tid();
                                 worked = run_fibers();
                               });
  if (!carrier) return std::unexpected(carrier.error());
  carrier->join();
  return nlohmann::json{{"pid", ::getpid()}, {"tid", tid}, {"worked_ns", worked}};
}

void judge(const Trial& trial, Verdict& verdict) {
  using timeline::UserState;
  const auto worked = trial.told.at("worked_ns").get<std::vector<std::uint64_t>>();
  std::uint64_t work = 0, running = 0, preempted = 0, hostage = 0;
  for (std::size_t i = 0; i < worked.size(); ++i) {
    const std::string name = name_of_fiber(i);
    const auto* fiber = find_fiber(trial, name);
    if (fiber == nullptr) {
      verdict.holds(name + ": is in the report, once", false);
      continue;
    }
    verdict.within(name + ": running ns", static_cast<double>(ns_of(*fiber, UserState::running)),
                   static_cast<double>(worked[i]), 0.01);
    verdict.equal(name + ": switches to it", fiber->switches, goes);
    for (const UserState state : {UserState::blocking, UserState::parked, UserState::unknown}) {
      verdict.equal(fmt::format("{}: {} ns", name, timeline::name_of(state)), ns_of(*fiber, state),
                    std::uint64_t{0});
    }
    work += worked[i];
    running += ns_of(*fiber, UserState::running);
    preempted += ns_of(*fiber, UserState::preempted);
    hostage += ns_of(*fiber, UserState::hostage);
  }
  verdict.within("all fibers: running ns", static_cast<double>(running),
                 static_cast<double>(work), 0.01);
  // About 0: of their work, and of the time in which those that wait could be hostages.
  verdict.at_most("all fibers: preempted ns", preempted, work / 1000);
  verdict.at_most("all fibers: hostage ns", hostage, work * fiber_count / 1000);
}

}  // namespace

extern const Schedule fibers_alone;
const Schedule fibers_alone{
    .name = "fibers-alone",
    .answer = "running of each = its work within 1 %; preempted, hostage about 0",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
