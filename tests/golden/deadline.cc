// SPDX-License-Identifier: GPL-2.0-only
// A SCHED_DEADLINE thread that never has enough: 10 ms in 100 ms, and it only spins.

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include <fmt/format.h>

#include "charged.h"
#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::uint64_t runtime_ns = 10'000'000, period_ns = 100'000'000;
constexpr std::uint64_t length_ns = 1'500'000'000;

// 0, or why not.
int become_deadline() {
  // The kernel admits such a thread only where it may run on all CPUs.
  cpu_set_t all;
  std::fill_n(reinterpret_cast<unsigned char*>(&all), sizeof(all), std::uint8_t{0xff});
  if (::sched_setaffinity(0, sizeof(all), &all) != 0) return errno;
  return set_attributes({.policy = 6,  // SCHED_DEADLINE
                         .runtime_ns = runtime_ns,
                         .deadline_ns = period_ns,
                         .period_ns = period_ns});
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  int code = 0;
  nlohmann::json told;
  auto worker = Worker::start("overruns", {.cpu = cpu}, [&] {
    code = become_deadline();
    if (code != 0) return;
    // Throttled once, so that a budget begins with it.
    std::vector<Unseen> unseen;
    spin_until(now_ns() + 2 * runtime_ns, unseen);
    const OwnSwitches begin = own_switches();
    spin_until(now_ns() + length_ns, unseen);
    const OwnSwitches end = own_switches();
    told = {{"tid", this_tid()}, {"begin", begin}, {"end", end}, {"unseen", unseen}};
  });
  if (!worker) return std::unexpected(worker.error());
  worker->join();
  if (code != 0) {
    return fail_errno("give a thread SCHED_DEADLINE", "run as root, in no cpuset of its own",
                      Exit::machine, code);
  }
  return told;
}

void judge(const Trial& trial, Verdict& verdict) {
  const auto* thread = find_thread(trial.report, trial.told.at("tid"));
  verdict.holds("is in the report, once", thread != nullptr);
  if (thread == nullptr) return;
  const auto begin = trial.told.at("begin").get<OwnSwitches>();
  const auto end = trial.told.at("end").get<OwnSwitches>();
  const auto unseen = trial.told.at("unseen").get<std::vector<Unseen>>();
  verdict.equal("kernel priority", thread->who.prio, -1);
  verdict.equal("nominal slice", thread->who.slice_ns, runtime_ns);

  std::uint64_t throttled = 0, outranked = 0, other = 0, too_long = 0;
  std::uint64_t run = 0, longest = 0, total = 0;
  const std::uint64_t tick = tick_ns(trial.report);
  for (const auto& slice : trial.trace.slices({thread->who.index}, begin.at_ns, end.at_ns)) {
    total += seen_ns(unseen, std::max(slice.begin_ns, begin.at_ns), slice.end_ns, apart_ns(slice));
    run += seen_ns(unseen, slice.begin_ns, slice.end_ns, apart_ns(slice));
    if (slice.end == timeline::SliceEnd::throttled) {
      ++throttled;
      longest = std::max(longest, run);
      if (run > runtime_ns + tick) ++too_long;
      run = 0;
    } else if (slice.end == timeline::SliceEnd::outranked ||
               slice.end == timeline::SliceEnd::migrated) {
      ++outranked;  // by the stopper
    } else {
      ++other;
    }
  }
  const std::uint64_t periods = (end.at_ns - begin.at_ns) / period_ns;
  verdict.equal("ends `throttled`, by the kernel's count of switches", throttled + outranked,
                end.involuntary - begin.involuntary);
  verdict.at_least("ends `throttled`", throttled, periods / 2);
  verdict.equal("other ends", other, std::uint64_t{0});
  verdict.equal("budgets of more than 10 ms and a tick, as far as it saw itself run", too_long,
                std::uint64_t{0});
  verdict.at_most("seen to run ns", total, (periods + 2) * (runtime_ns + tick));
  verdict.note(fmt::format("longest budget: {} ns; {} in {} periods", longest, throttled, periods));
}

}  // namespace

extern const Schedule deadline;
const Schedule deadline{
    .name = "deadline",
    .answer = "runs at most 10 ms and a tick a period; the cut ends `throttled`",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
