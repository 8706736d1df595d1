// SPDX-License-Identifier: GPL-2.0-only
// Two SCHED_RR threads that only spin on one CPU, in bursts short enough that neither the kernel's
// bound of real-time threads nor its server of fair ones takes the CPU.

#include <array>

#include <fmt/format.h>

#include "base/file.h"
#include "charged.h"
#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::array<const char*, 2> names = {"robin-1", "robin-2"};
constexpr std::uint32_t bursts = 2;
constexpr std::uint64_t burst_ns = 850'000'000;
constexpr std::uint64_t rest_ns = 500'000'000;

struct Robin {
  std::uint32_t tid = 0;
  std::vector<Unseen> unseen;
};

// In ms; 0: this kernel does not say.
std::uint64_t rr_timeslice_ms() {
  const auto text = read_text("/proc/sys/kernel/sched_rr_timeslice_ms");
  return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  const std::uint64_t slice_ms = rr_timeslice_ms();
  if (slice_ms == 0 || slice_ms * 1'000'000 * 6 > burst_ns) {
    return fail("play round robin",
                fmt::format("a timeslice of {} ms does not fit six times into a burst", slice_ms),
                "set /proc/sys/kernel/sched_rr_timeslice_ms to 100");
  }
  std::array<Robin, names.size()> robins;
  std::array<Futex, names.size()> go;
  std::uint64_t end_ns = 0;
  std::vector<std::array<std::uint64_t, 2>> times;
  auto starter =
      Worker::start("starter", {.cpu = cpu, .policy = SCHED_FIFO, .priority = above_all}, [&] {
        sleep_until(now_ns() + 20'000'000);
        for (std::uint32_t burst = 0; burst < bursts; ++burst) {
          const std::uint64_t begin_ns = now_ns();
          end_ns = begin_ns + burst_ns;
          for (Futex& futex : go) futex.set(burst + 1);
          sleep_until(end_ns);
          times.push_back({begin_ns, end_ns});
          sleep_until(end_ns + rest_ns);
        }
      });
  if (!starter) return std::unexpected(starter.error());
  std::vector<Worker> workers;
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto worker = Worker::start(
        names[i], {.cpu = cpu, .policy = SCHED_RR, .priority = above_all - 1}, [&, i] {
          robins[i].tid = this_tid();
          for (std::uint32_t burst = 0; burst < bursts; ++burst) {
            go[i].wait_while(burst);
            spin_until(end_ns, robins[i].unseen);
          }
        });
    if (!worker) return std::unexpected(worker.error());
    workers.push_back(std::move(*worker));
  }
  starter->join();
  workers.clear();
  nlohmann::json told{{"bursts", times}, {"slice_ns", slice_ms * 1'000'000}};
  for (const Robin& robin : robins) {
    told["robins"].push_back({{"tid", robin.tid}, {"unseen", robin.unseen}});
  }
  return told;
}

struct Counts {
  std::uint64_t expired = 0, to_another = 0, whole = 0, wrong_length = 0, wrong_nominal = 0;
};

// A slice is whole when the thread's one before it had used up all that it was given: it is
// counted in ticks, and the first of a burst goes on where the last burst left off.
void judge_burst(const Trial& trial, const nlohmann::json& burst,
                 const std::array<timeline::ThreadIndex, 2>& indices, Counts& counts) {
  const std::uint64_t slice_ns = trial.told.at("slice_ns");
  std::array<bool, 2> fresh{};
  for (const auto& slice : trial.trace.slices({indices[0], indices[1]}, burst.at(0), burst.at(1))) {
    const std::size_t own = slice.thread == indices[0] ? 0 : 1;
    if (slice.nominal_ns != slice_ns) ++counts.wrong_nominal;
    if (slice.end != timeline::SliceEnd::expired) {
      fresh.at(own) = false;
      continue;
    }
    ++counts.expired;
    if (slice.next != indices.at(1 - own)) ++counts.to_another;
    const auto unseen = trial.told.at("robins").at(own).at("unseen").get<std::vector<Unseen>>();
    const std::uint64_t length = slice.end_ns - slice.begin_ns, tick = tick_ns(trial.report);
    const bool too_long =
        seen_ns(unseen, slice.begin_ns, slice.end_ns, apart_ns(slice)) > slice_ns + tick;
    if (too_long || (fresh.at(own) && length + tick < slice_ns)) ++counts.wrong_length;
    if (fresh.at(own)) ++counts.whole;
    fresh.at(own) = true;
  }
}

void judge(const Trial& trial, Verdict& verdict) {
  std::array<timeline::ThreadIndex, 2> indices{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto* thread = find_thread(trial.report, trial.told.at("robins").at(i).at("tid"));
    verdict.holds(fmt::format("{}: is in the report, once", names[i]), thread != nullptr);
    if (thread == nullptr) return;
    indices[i] = thread->who.index;
  }
  Counts counts;
  std::uint64_t other_ends = 0;
  for (const auto& burst : trial.told.at("bursts")) {
    judge_burst(trial, burst, indices, counts);
    for (const auto& slice :
         trial.trace.slices({indices[0], indices[1]}, burst.at(0), burst.at(1))) {
      const auto* next = find_index(trial.report, slice.next);
      // The starter, by its timer, or the stopper; else nothing but the end of the slice.
      const bool outranked = slice.end == timeline::SliceEnd::outranked && next != nullptr &&
                             next->who.prio < 99 - (above_all - 1);
      const bool begins = slice.end == timeline::SliceEnd::blocked;
      // The kernel's bound of real-time threads, or its server of fair ones, that began earlier
      // than the burst: see `throttled` in metrics.rst.
      const bool bounded =
          slice.end == timeline::SliceEnd::throttled && (next == nullptr || next->who.prio >= 100);
      if (slice.end == timeline::SliceEnd::expired || outranked || begins || bounded) continue;
      ++other_ends;
      verdict.note(fmt::format("ends `{}` for {}", timeline::name_of(slice.end),
                               next == nullptr ? "nobody" : next->who.comm));
    }
  }
  verdict.at_least("slices that end `expired`", counts.expired, std::uint64_t{bursts} * 5);
  verdict.equal("of them not followed by the other one", counts.to_another, std::uint64_t{0});
  verdict.at_least("of them whole", counts.whole, std::uint64_t{bursts} * 3);
  verdict.equal("not the timeslice long within a tick, as far as they saw themselves run",
                counts.wrong_length, std::uint64_t{0});
  verdict.equal("slices whose nominal slice is not the sysctl's", counts.wrong_nominal,
                std::uint64_t{0});
  verdict.equal("other ends, but when the starter or the stopper comes", other_ends,
                std::uint64_t{0});
}

}  // namespace

extern const Schedule round_robin;
const Schedule round_robin{
    .name = "round-robin",
    .answer =
        "alternate every RR timeslice (from sysctl) within one tick; ends `expired`; nominal "
        "slice = sysctl",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
