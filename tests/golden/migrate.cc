// SPDX-License-Identifier: GPL-2.0-only
// A spinning thread that another one, of higher priority on another CPU, moves there and back by
// sched_setaffinity(2). Away from the schedule's CPU the stopper takes it off while it runs; back
// again it is moved as it waits, for its mover has the CPU then.

#include <unistd.h>

#include <fmt/format.h>

#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::uint32_t moves = 100;  // even: it ends where it began
constexpr int priority = above_all - 1;

bool move(std::uint32_t tid, std::uint32_t cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  return ::sched_setaffinity(static_cast<pid_t>(tid), sizeof(one), &one) == 0;
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  const std::uint32_t other = another_cpu(cpu);
  if (other == cpu) return fail("move a thread", "this machine has one CPU", "give it two");
  std::atomic<std::uint32_t> tid{0}, now_on{cpu};
  std::atomic<bool> stop{false};
  auto moved =
      Worker::start("moved", {.cpu = cpu, .policy = SCHED_FIFO, .priority = priority}, [&] {
        tid = this_tid();
        while (!stop.load(std::memory_order_relaxed)) {
          now_on = static_cast<std::uint32_t>(::sched_getcpu());
        }
      });
  if (!moved) return std::unexpected(moved.error());
  std::uint64_t begin_ns = 0, end_ns = 0;
  std::uint32_t failed = 0;
  auto mover =
      Worker::start("mover", {.cpu = other, .policy = SCHED_FIFO, .priority = above_all}, [&] {
        while (tid.load() == 0) sleep_until(now_ns() + 1'000'000);
        begin_ns = now_ns();
        for (std::uint32_t i = 0; i < moves; ++i) {
          const std::uint32_t to = i % 2 == 0 ? other : cpu;
          if (!move(tid, to)) ++failed;
          // Until it runs there; and as much rest for the other threads of that CPU.
          do sleep_until(now_ns() + 2'000'000);
          while (now_on.load() != to);
        }
        end_ns = now_ns();
        stop = true;
      });
  if (!mover) {
    stop = true;
    return std::unexpected(mover.error());
  }
  mover->join();
  moved->join();
  if (failed != 0) return fail("move a thread", "sched_setaffinity failed", "run as root");
  return nlohmann::json{
      {"tid", tid.load()}, {"other", other}, {"begin_ns", begin_ns}, {"end_ns", end_ns}};
}

void judge(const Trial& trial, Verdict& verdict) {
  const std::uint64_t begin = trial.told.at("begin_ns"), end = trial.told.at("end_ns");
  const std::uint32_t tid = trial.told.at("tid"), other = trial.told.at("other");
  const auto report = trial.report_of(begin, end);
  if (!report) return verdict.holds(report.error().message(), false);
  const auto* whole = find_thread(trial.report, tid);
  const auto* meanwhile = find_thread(*report, tid);
  verdict.holds("is in the report, once", whole != nullptr && meanwhile != nullptr);
  if (whole == nullptr || meanwhile == nullptr) return;
  verdict.equal("migrations, of the moves", meanwhile->migrations, std::uint64_t{moves});

  std::vector<std::uint32_t> cpus;
  std::uint64_t taken_off = 0, while_waiting = 0, other_ends = 0;
  for (const auto& slice : trial.trace.slices({whole->who.index}, begin, trial.report.end_ns)) {
    if (cpus.empty() || cpus.back() != slice.cpu) cpus.push_back(slice.cpu);
    if (slice.end_ns > end) continue;
    if (slice.end == timeline::SliceEnd::migrated && slice.cpu == trial.cpu) {
      ++taken_off;
    } else if (slice.end == timeline::SliceEnd::outranked) {
      ++while_waiting;
    } else {
      ++other_ends;
    }
  }
  std::uint64_t elsewhere = 0;
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    if (cpus[i] != (i % 2 == 0 ? trial.cpu : other)) ++elsewhere;
  }
  verdict.equal("CPUs, one after the other", cpus.size(), std::size_t{moves + 1});
  verdict.equal("of them not as asked", elsewhere, std::uint64_t{0});
  verdict.equal("slices that the stopper's taking it off ended `migrated`", taken_off,
                std::uint64_t{moves / 2});
  verdict.at_least("slices that its mover's coming ended `outranked`", while_waiting,
                   std::uint64_t{moves / 2});
  verdict.equal("other ends", other_ends, std::uint64_t{0});
}

}  // namespace

extern const Schedule migrate;
const Schedule migrate{
    .name = "migrate",
    .answer = "exactly M migrations, from and to as asked",
    .workload = play,
    .judge = judge,
    .everywhere = true,
};

}  // namespace schedscope::golden
