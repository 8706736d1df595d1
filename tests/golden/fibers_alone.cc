// SPDX-License-Identifier: GPL-2.0-only
// 100 fibers on one carrier that nothing can take the CPU from, and of each fiber the kernel's own
// account of what it worked.

#include <string>
#include <vector>

#include <fmt/format.h>

#include "fiber_work.h"
#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

// All together stay far below the 950 ms of a second that real-time threads may have, on a machine
// too that is held up now and then.
FiberWork work_of(int attempt) {
  return {.fibers = 100,
          .goes = 2,
          .shortest_ns = 1'000'000,
          .step_ns = 10'000,
          .name = fmt::format("worker-{}", attempt)};
}

// Where the kernel's own account says that the carrier had to wait for longer, the machine played
// something else (held up for so long that real-time threads are throttled), and may try again.
constexpr std::uint64_t alone_ns = 100'000;
constexpr int attempts = 5;

Result<nlohmann::json> play(std::uint32_t cpu) {
  std::uint32_t tid = 0;
  FibersDone done;
  int attempt = 0;
  do {
    // Real-time threads have used up none of a second that has just begun.
    if (++attempt > 1) sleep_until(now_ns() + 1'000'000'000);
    auto carrier =
        Worker::start("carrier", {.cpu = cpu, .policy = SCHED_FIFO, .priority = above_all}, [&] {
          tid = this_tid();
          done = work_in_fibers(work_of(attempt));
        });
    if (!carrier) return std::unexpected(carrier.error());
    carrier->join();
  } while (done.delay_ns > alone_ns && attempt < attempts);
  if (done.delay_ns > alone_ns) {
    return fail("play a carrier that is alone",
                fmt::format("the kernel made it wait in each of {} tries, in the last for {} ns",
                            attempts, done.delay_ns),
                "run on a machine that is less busy");
  }
  return nlohmann::json{
      {"pid", ::getpid()}, {"tid", tid}, {"attempt", attempt}, {"worked", done.worked}};
}

void judge(const Trial& trial, Verdict& verdict) {
  const FiberWork work = work_of(trial.told.at("attempt"));
  const auto worked = trial.told.at("worked").get<std::vector<Worked>>();
  // The kernel's account leaves out what a hypervisor takes of the carrier on its CPU; nobody else
  // takes anything.
  const FiberSums sums = judge_fibers(
      trial, work, worked,
      [](const Worked& one) { return Bounds{one.least_ns, one.most_clock_ns}; }, verdict);
  verdict.note(fmt::format("all fibers worked {} ns by the kernel's account, {} at most, ran {} ns",
                           sums.worked.least_ns, sums.worked.most_clock_ns, sums.running_ns));
  // About 0: of their work, and of the time in which those that wait could be hostages.
  verdict.at_most("all fibers: preempted ns", sums.preempted_ns, sums.worked.least_ns / 1000);
  verdict.at_most("all fibers: hostage ns", sums.hostage_ns,
                  sums.worked.least_ns * work.fibers / 1000);
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
