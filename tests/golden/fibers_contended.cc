// SPDX-License-Identifier: GPL-2.0-only
// The fibers of one carrier beside spinners that the kernel gives as much of the CPU, each: fibers
// run no longer for it, and what they were preempted is what the spinners had, once.

#include <algorithm>
#include <atomic>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "charged.h"
#include "fiber_work.h"
#include "fibers.h"
#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::size_t spinner_count = 2;
// The carrier's slices are some ms long, and there are hundreds of them: where in its turn it is
// when the fibers end does not count.
FiberWork work_of(int attempt) {
  return {.fibers = 100,
          .goes = 2,
          .shortest_ns = 3'000'000,
          .step_ns = 20'000,
          .name = fmt::format("contended-{}", attempt)};
}

// Where the kernel was not fair by its own account, the machine played something else, and may try
// again: it was held up while one of them ran.
constexpr double by_its_own_account = 0.04;
constexpr double about = 0.05;
constexpr int attempts = 4;

struct Played {
  std::uint32_t tid = 0;
  std::array<std::uint32_t, spinner_count> spinners{};
  FibersDone done;

  [[nodiscard]] bool fair() const {
    const auto theirs = static_cast<double>(spinner_count * done.run_ns);
    return std::abs(static_cast<double>(done.delay_ns) - theirs) <= by_its_own_account * theirs;
  }
};

Result<Played> contend(std::uint32_t cpu, int attempt) {
  std::atomic<std::size_t> spinning{0};
  std::atomic<bool> stop{false};
  std::vector<Worker> spinners;
  Played played;
  const auto spin = [&] {
    played.spinners.at(spinning.fetch_add(1)) = this_tid();
    while (!stop.load(std::memory_order_relaxed)) {
    }
  };
  Result<void> done;
  for (std::size_t i = 0; done && i < spinner_count; ++i) {
    auto spinner = Worker::start(fmt::format("spinner-{}", i + 1), {.cpu = cpu}, spin);
    if (spinner)
      spinners.push_back(std::move(*spinner));
    else
      done = std::unexpected(spinner.error());
  }
  if (done) {
    while (spinning.load() < spinner_count) sleep_until(now_ns() + 10'000'000);
    auto carrier = Worker::start("carrier", {.cpu = cpu}, [&] {
      played.tid = this_tid();
      played.done = work_in_fibers(work_of(attempt));
    });
    if (carrier)
      carrier->join();
    else
      done = std::unexpected(carrier.error());
  }
  stop = true;
  if (!done) return std::unexpected(done.error());
  return played;
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  for (int attempt = 1;; ++attempt) {
    const auto played = contend(cpu, attempt);
    if (!played) return std::unexpected(played.error());
    if (played->fair()) {
      return nlohmann::json{{"pid", ::getpid()},
                            {"tid", played->tid},
                            {"spinners", played->spinners},
                            {"attempt", attempt},
                            {"begin_ns", played->done.begin_ns},
                            {"end_ns", played->done.end_ns},
                            {"delay_ns", played->done.delay_ns},
                            {"worked", played->done.worked}};
    }
    if (attempt < attempts) continue;
    return fail("play a carrier beside spinners",
                fmt::format("{} times the kernel was not fair, the last time it let the carrier "
                            "run for {} ns and wait for {} ns",
                            attempts, played->done.run_ns, played->done.delay_ns),
                "run on a machine that is less busy");
  }
}

void judge(const Trial& trial, Verdict& verdict) {
  const auto* carrier = find_thread(trial.report, trial.told.at("tid"));
  verdict.holds("the carrier is in the report, once", carrier != nullptr);
  if (carrier == nullptr) return;
  const std::uint64_t begin_ns = trial.told.at("begin_ns"), end_ns = trial.told.at("end_ns");
  const Uncharged own = uncharged(trial, carrier->who.index, begin_ns, end_ns);
  const FiberSums sums = judge_fibers(
      trial, work_of(trial.told.at("attempt")), trial.told.at("worked").get<std::vector<Worked>>(),
      [&](const Worked& one) {
        return Bounds{one.least_ns - std::min(one.least_ns, own.apart_ns),
                      one.most_ns + own.apart_ns};
      },
      verdict);
  Uncharged theirs;
  for (const std::uint32_t tid : trial.told.at("spinners").get<std::vector<std::uint32_t>>()) {
    const auto* spinner = find_thread(trial.report, tid);
    verdict.holds("a spinner is in the report, once", spinner != nullptr);
    if (spinner == nullptr) return;
    const Uncharged one = uncharged(trial, spinner->who.index, begin_ns, end_ns);
    theirs.ns += one.ns;
    theirs.apart_ns += one.apart_ns;
  }
  const auto less = [](std::uint64_t ns, const Uncharged& by) {
    return static_cast<double>(ns) - static_cast<double>(by.ns);
  };
  verdict.note(
      fmt::format("all fibers worked {} ns by the kernel's account, {} at most, and ran {} "
                  "ns; of the carrier's slices {} ns were not charged, of others' {} ns",
                  sums.worked.least_ns, sums.worked.most_ns, sums.running_ns, own.ns, theirs.ns));
  verdict.within("all fibers: preempted ns, by the work of two, as charged",
                 less(sums.preempted_ns, theirs), spinner_count * less(sums.running_ns, own),
                 about);
  // What the kernel says that their carrier waited, between two readings around them. Some of it
  // was between two fibers, and is of the one that runs there.
  const auto between = trial.report_of(begin_ns, end_ns);
  if (!between) return verdict.holds(between.error().message(), false);
  std::uint64_t everyone_ns = 0;
  for (const analysis::UserReport& user : between->user_threads) {
    if (user.who.pid != trial.told.at("pid")) continue;
    everyone_ns += ns_of(user, timeline::UserState::preempted);
  }
  const std::uint64_t delay_ns = trial.told.at("delay_ns");
  const std::uint64_t apart_ns = theirs.apart_ns + own.apart_ns;
  verdict.at_most("all fibers: preempted ns", sums.preempted_ns,
                  delay_ns + delay_ns / 100 + apart_ns);
  verdict.at_least("all user threads: preempted ns, and what the clocks were apart",
                   everyone_ns + apart_ns, delay_ns - delay_ns / 100);
}

}  // namespace

extern const Schedule fibers_contended;
const Schedule fibers_contended{
    .name = "fibers-contended",
    .answer = "running of each = its work within 1 %; preempted = what two spinners had",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
