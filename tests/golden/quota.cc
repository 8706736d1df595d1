// SPDX-License-Identifier: GPL-2.0-only
// A thread that only spins, in a cgroup that may use 20 ms of CPU time in 100 ms.

#include <sys/utsname.h>

#include <cstdio>

#include <fmt/format.h>

#include "base/file.h"
#include "cpu_group.h"
#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::uint64_t quota_ns = 20'000'000, period_ns = 100'000'000;
constexpr std::uint64_t length_ns = 2'000'000'000;

// What a CPU takes of the quota at a time.
std::uint64_t bandwidth_slice_ns() {
  const auto text = read_text("/proc/sys/kernel/sched_cfs_bandwidth_slice_us");
  return text ? std::strtoull(text->c_str(), nullptr, 10) * 1000 : 5'000'000;
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  auto group = CpuGroup::enter(quota_ns / 1000, period_ns / 1000);
  if (!group) return std::unexpected(group.error());
  nlohmann::json told;
  auto worker = Worker::start("spins", {.cpu = cpu}, [&] {
    // Throttled once, so that a quota begins with it.
    (void)spin_until(now_ns() + 2 * period_ns);
    const std::uint64_t before = group->throttled();
    const OwnSwitches begin = own_switches();
    const auto stands = spin_until(now_ns() + length_ns);
    const OwnSwitches end = own_switches();
    told = {{"tid", this_tid()},
            {"begin", begin},
            {"end", end},
            {"stands", stands},
            {"periods", group->throttled() - before},
            {"slice_ns", bandwidth_slice_ns()}};
  });
  if (!worker) return std::unexpected(worker.error());
  worker->join();
  return told;
}

// From 6.18 on a fair thread tells that its group's quota ends its slice.
bool kernel_tells() {
  utsname name{};
  int major = 0, minor = 0;
  ::uname(&name);
  return std::sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
         (major > 6 || (major == 6 && minor >= 18));
}

struct Cuts {
  std::uint64_t throttled = 0;  // said so
  std::uint64_t to_idle = 0, to_idle_other = 0;
  std::uint64_t to_a_thread = 0;  // followed by a wait of most of a period, and not said so
  std::uint64_t too_long = 0, longest_ns = 0, run_ns = 0;
};

Cuts count_cuts(const Trial& trial, timeline::ThreadIndex thread) {
  const auto begin = trial.told.at("begin").get<OwnSwitches>();
  const auto end = trial.told.at("end").get<OwnSwitches>();
  const auto stands = trial.told.at("stands").get<std::vector<Stand>>();
  const std::uint64_t slice_ns = trial.told.at("slice_ns"), tick = tick_ns(trial.report);
  Cuts cuts;
  std::uint64_t run = 0, stood = 0;
  const auto slices = trial.trace.slices({thread}, begin.at_ns, trial.report.end_ns);
  for (std::size_t i = 0; i + 1 < slices.size() && slices[i].end_ns <= end.at_ns; ++i) {
    const timeline::Slice& slice = slices[i];
    cuts.run_ns += slice.end_ns - std::max(slice.begin_ns, begin.at_ns);
    run += slice.end_ns - slice.begin_ns;
    stood += stood_ns(stands, slice.begin_ns, slice.end_ns);
    const bool idle = slice.next == timeline::no_index;
    const bool said = slice.end == timeline::SliceEnd::throttled;
    // A turn of another thread is some ms long at most, what is left of a period most of 80.
    const bool cut = said || slices[i + 1].begin_ns - slice.end_ns > period_ns / 2;
    if (said) ++cuts.throttled;
    if (idle) ++cuts.to_idle;
    if (idle && !said) ++cuts.to_idle_other;
    if (cut && !said && !idle) ++cuts.to_a_thread;
    if (!cut) continue;
    cuts.longest_ns = std::max(cuts.longest_ns, run);
    // The kernel charges at ticks: the quota is found used up at most one late.
    if (run > quota_ns + std::max(slice_ns, tick) + stood) ++cuts.too_long;
    run = stood = 0;
  }
  return cuts;
}

void judge(const Trial& trial, Verdict& verdict) {
  const auto* thread = find_thread(trial.report, trial.told.at("tid"));
  verdict.holds("is in the report, once", thread != nullptr);
  if (thread == nullptr) return;
  const auto begin = trial.told.at("begin").get<OwnSwitches>();
  const auto end = trial.told.at("end").get<OwnSwitches>();
  const std::uint64_t periods = trial.told.at("periods");
  const Cuts cuts = count_cuts(trial, thread->who.index);
  verdict.at_least("periods that the kernel throttled", periods, length_ns / period_ns / 2);
  verdict.equal("ends for the idle task, not `throttled`", cuts.to_idle_other, std::uint64_t{0});
  if (kernel_tells()) {
    verdict.equal("cuts for another thread that are not `throttled`", cuts.to_a_thread,
                  std::uint64_t{0});
  } else {
    verdict.note(fmt::format(
        "before 6.18 the kernel does not tell of a cut when another thread comes: {} such",
        cuts.to_a_thread));
  }
  // A period that the first or the last reading lies in may be counted after it, or before.
  const std::uint64_t all = cuts.throttled + cuts.to_a_thread;
  verdict.at_least("cuts, of the periods that the kernel throttled", all + 1, periods);
  verdict.at_most("cuts, of the periods that the kernel throttled", all, periods + 1);
  verdict.equal("quotas of more than 20 ms, a slice and what the CPU stood still", cuts.too_long,
                std::uint64_t{0});
  const auto stands = trial.told.at("stands").get<std::vector<Stand>>();
  verdict.at_most("run ns", cuts.run_ns,
                  ((end.at_ns - begin.at_ns) / period_ns + 2) * quota_ns +
                      trial.told.at("slice_ns").get<std::uint64_t>() +
                      stood_ns(stands, begin.at_ns, end.at_ns));
  verdict.note(fmt::format("longest quota: {} ns; {} ends `throttled` in {} periods",
                           cuts.longest_ns, cuts.throttled, periods));
}

}  // namespace

extern const Schedule quota;
const Schedule quota{
    .name = "quota",
    .answer = "at most 20 ms and a slice a period; the cuts end `throttled`",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
