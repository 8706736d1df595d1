// SPDX-License-Identifier: GPL-2.0-only
// A thread that only spins, in a cgroup that may use 20 ms of CPU time in 100 ms: alone on its CPU,
// and beside another one that only spins, out of the cgroup.

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "charged.h"
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

// Out of the cgroup, for as long as this is there.
class Neighbour {
 public:
  explicit Neighbour(std::uint32_t cpu) : Neighbour(cpu, ::getpid()) {}
  Neighbour(Neighbour&&) = delete;
  Neighbour& operator=(Neighbour&&) = delete;
  ~Neighbour() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  Neighbour(std::uint32_t cpu, pid_t parent) : pid_(::fork()) {
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, "neighbour");
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    if (::getppid() != parent || ::sched_setaffinity(0, sizeof(cpus), &cpus) != 0) ::_exit(1);
    for (;;) (void)now_ns();
  }

  pid_t pid_;
};

Result<nlohmann::json> play(std::uint32_t cpu) {
  auto group = CpuGroup::enter(quota_ns / 1000, period_ns / 1000);
  if (!group) return std::unexpected(group.error());
  nlohmann::json told;
  auto worker = Worker::start("spins", {.cpu = cpu}, [&] {
    // Throttled once, so that a quota begins with it.
    std::vector<Unseen> unseen;
    spin_until(now_ns() + 2 * period_ns, unseen);
    const std::uint64_t before = group->throttled();
    const OwnSwitches begin = own_switches();
    spin_until(now_ns() + length_ns, unseen);
    const OwnSwitches end = own_switches();
    told = {{"tid", this_tid()},
            {"begin", begin},
            {"end", end},
            {"unseen", unseen},
            {"periods", group->throttled() - before},
            {"slice_ns", bandwidth_slice_ns()}};
  });
  if (!worker) return std::unexpected(worker.error());
  worker->join();
  return told;
}

Result<nlohmann::json> play_beside(std::uint32_t cpu) {
  const Neighbour neighbour(cpu);
  if (neighbour.pid() < 0) return fail_errno("start a process");
  auto told = play(cpu);
  if (told) told->emplace("neighbour", neighbour.pid());
  return told;
}

struct Cuts {
  std::uint64_t throttled = 0, for_another = 0;  // of the ends; of those, for no idle task
  std::uint64_t to_idle_other = 0;
  std::uint64_t too_long = 0;
  std::uint64_t longest_ns = 0, run_ns = 0;  // as far as the thread saw itself run
  // That the kernel may have counted as throttled: a timer that is late counts all that are over,
  // and the thread is off for that long.
  std::uint64_t periods = 0;
};

bool is_cut(const timeline::Slice& slice) {
  return slice.end == timeline::SliceEnd::throttled;
}

// Where in 100 ms the periods begin, as far as those that go on after a cut tell: the timer that
// lets them has a grid. Where CPUs stand still it is late, each time for another while, and when it
// is not, they go on together: behind the neighbour's turn at most.
std::uint64_t period_begin_ns(std::span<const timeline::Slice> slices) {
  constexpr std::uint64_t together_ns = 5'000'000;
  std::vector<std::uint64_t> at;
  for (std::size_t i = 0; i + 1 < slices.size(); ++i) {
    if (is_cut(slices[i])) at.push_back(slices[i + 1].begin_ns % period_ns);
  }
  std::uint64_t begin = 0;
  std::ptrdiff_t most = 0;
  for (const std::uint64_t first : at) {
    const auto together = std::ranges::count_if(
        at, [&](std::uint64_t ns) { return (ns + period_ns - first) % period_ns < together_ns; });
    if (together <= most) continue;
    most = together;
    begin = first;
  }
  return begin;
}

Cuts count_cuts(const Trial& trial, timeline::ThreadIndex thread) {
  const auto begin = trial.told.at("begin").get<OwnSwitches>();
  const auto end = trial.told.at("end").get<OwnSwitches>();
  const auto unseen = trial.told.at("unseen").get<std::vector<Unseen>>();
  const std::uint64_t slice_ns = trial.told.at("slice_ns"), tick = tick_ns(trial.report);
  Cuts cuts;
  std::uint64_t run = 0;
  const auto slices = trial.trace.slices({thread}, begin.at_ns, trial.report.end_ns);
  const std::uint64_t phase_ns = period_begin_ns(slices);
  const auto period_of = [&](std::uint64_t ns) { return (ns + period_ns - phase_ns) / period_ns; };
  std::uint64_t began_in = period_of(begin.at_ns);
  for (std::size_t i = 0; i + 1 < slices.size() && slices[i].end_ns <= end.at_ns; ++i) {
    const timeline::Slice& slice = slices[i];
    cuts.run_ns +=
        seen_ns(unseen, std::max(slice.begin_ns, begin.at_ns), slice.end_ns, apart_ns(slice));
    run += seen_ns(unseen, slice.begin_ns, slice.end_ns, apart_ns(slice));
    const bool idle = slice.next == timeline::no_index;
    if (idle && !is_cut(slice)) ++cuts.to_idle_other;
    if (!is_cut(slice)) continue;
    ++cuts.throttled;
    cuts.for_another += idle ? 0 : 1;
    cuts.periods += (slices[i + 1].begin_ns - slice.end_ns) / period_ns + 1;
    cuts.longest_ns = std::max(cuts.longest_ns, run);
    // The kernel charges at ticks: the quota is found used up at most one late. Who goes on late
    // in a period has the next one's as well.
    const std::uint64_t quotas = 1 + period_of(slice.end_ns) - began_in;
    const std::uint64_t most_ns = quotas * quota_ns + std::max(slice_ns, tick);
    if (run > most_ns) ++cuts.too_long;
    run = 0;
    began_in = period_of(slices[i + 1].begin_ns);
  }
  return cuts;
}

Cuts judge_cuts(const Trial& trial, Verdict& verdict) {
  const auto* thread = find_thread(trial.report, trial.told.at("tid"));
  verdict.holds("is in the report, once", thread != nullptr);
  if (thread == nullptr) return {};
  const auto begin = trial.told.at("begin").get<OwnSwitches>();
  const auto end = trial.told.at("end").get<OwnSwitches>();
  const std::uint64_t periods = trial.told.at("periods");
  const Cuts cuts = count_cuts(trial, thread->who.index);
  verdict.at_least("periods that the kernel throttled", periods, length_ns / period_ns / 2);
  verdict.equal("ends for the idle task, not `throttled`", cuts.to_idle_other, std::uint64_t{0});
  // A period that the first or the last reading lies in may be counted after it, or before.
  verdict.at_least("periods of the cuts, of those that the kernel throttled", cuts.periods + 1,
                   periods);
  verdict.at_most("ends `throttled`, of the periods that the kernel throttled", cuts.throttled,
                  periods + 1);
  verdict.equal("quotas of more than 20 ms and a slice, as far as it saw itself run", cuts.too_long,
                std::uint64_t{0});
  const std::uint64_t most_ns = ((end.at_ns - begin.at_ns) / period_ns + 2) * quota_ns +
                                trial.told.at("slice_ns").get<std::uint64_t>();
  verdict.at_most("seen to run ns", cuts.run_ns, most_ns);
  verdict.note(
      fmt::format("longest quota: {} ns; {} ends `throttled`, {} for another thread, in {} periods",
                  cuts.longest_ns, cuts.throttled, cuts.for_another, periods));
  return cuts;
}

void judge(const Trial& trial, Verdict& verdict) {
  (void)judge_cuts(trial, verdict);
}

void judge_beside(const Trial& trial, Verdict& verdict) {
  const Cuts cuts = judge_cuts(trial, verdict);
  const auto* neighbour = find_thread(trial.report, trial.told.at("neighbour"));
  verdict.holds("the other one is in the report, once", neighbour != nullptr);
  if (neighbour == nullptr) return;
  verdict.equal("ends `throttled` for the idle task, beside one that is always ready",
                cuts.throttled - cuts.for_another, std::uint64_t{0});
  verdict.equal("the other one's ends `throttled`",
                ends_of(*neighbour, timeline::SliceEnd::throttled), std::uint64_t{0});
}

}  // namespace

extern const Schedule quota, quota_beside;
const Schedule quota{
    .name = "quota",
    .answer = "at most 20 ms and a slice a period; the cuts end `throttled`",
    .workload = play,
    .judge = judge,
};
const Schedule quota_beside{
    .name = "quota-beside",
    .answer = "likewise where another thread has the CPU then",
    .workload = play_beside,
    .judge = judge_beside,
};

}  // namespace schedscope::golden
