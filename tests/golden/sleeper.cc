// SPDX-License-Identifier: GPL-2.0-only
// A thread that sleeps 10 ms, 200 times. Real-time, so that for it every CPU is an idle one.

#include <sys/prctl.h>
#include <time.h>

#include <array>
#include <vector>

#include <fmt/format.h>

#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::size_t times = 200;
constexpr std::uint64_t each_ns = 10'000'000;

// The clock before and after one sleep.
using Call = std::array<std::uint64_t, 2>;

std::vector<Call> sleep_often() {
  std::vector<Call> calls(times);
  for (Call& call : calls) {
    const timespec length{.tv_sec = 0, .tv_nsec = each_ns};
    call[0] = now_ns();
    ::clock_nanosleep(CLOCK_MONOTONIC, 0, &length, nullptr);
    call[1] = now_ns();
  }
  return calls;
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  nlohmann::json told;
  auto sleeper =
      Worker::start("sleeper", {.cpu = cpu, .policy = SCHED_FIFO, .priority = above_all}, [&told] {
        const std::uint64_t before = own_run_delay_ns();
        const auto calls = sleep_often();
        told = {{"tid", this_tid()},
                {"slack_ns", ::prctl(PR_GET_TIMERSLACK)},
                {"run_delay_ns", own_run_delay_ns() - before},
                {"calls", calls}};
      });
  if (!sleeper) return std::unexpected(sleeper.error());
  sleeper->join();
  return told;
}

// The sleeps one by one: the k-th lies within the k-th call, and ends when its timer may.
void judge_sleeps(const std::vector<timeline::Span>& sleeps, const std::vector<Call>& calls,
                  Verdict& verdict) {
  verdict.equal("sleeps in the trace", sleeps.size(), times);
  if (sleeps.size() != calls.size()) return;
  std::uint64_t outside = 0, early = 0, not_by_timer = 0;
  for (std::size_t i = 0; i < sleeps.size(); ++i) {
    if (sleeps[i].begin_ns < calls[i][0] || sleeps[i].end_ns > calls[i][1]) ++outside;
    if (sleeps[i].end_ns < calls[i][0] + each_ns) ++early;
    if (!sleeps[i].waker_timer) ++not_by_timer;
  }
  verdict.equal("sleeps not within their call", outside, std::uint64_t{0});
  verdict.equal("sleeps over before their 10 ms", early, std::uint64_t{0});
  verdict.equal("sleeps not ended by the timer", not_by_timer, std::uint64_t{0});
}

// What lies between a wakeup and the CPU on a machine that has nothing else to do: some
// microseconds, some hundred where the machine is emulated.
constexpr std::uint64_t about_nothing_ns = 500'000;

// The sums, against the clock and the kernel's own account.
void judge_sums(const analysis::ThreadReport& thread, const nlohmann::json& told,
                Verdict& verdict) {
  const auto calls = told.at("calls").get<std::vector<Call>>();
  std::uint64_t in_calls = 0;
  for (const Call& call : calls) in_calls += call[1] - call[0];
  verdict.equal("ends `blocked`", ends_of(thread, timeline::SliceEnd::blocked),
                std::uint64_t{times});
  // The last one is cut, where the clock was read after the last sleep.
  verdict.equal("slices", thread.slices, std::uint64_t{times + 1});
  verdict.equal("block ns", thread.block_ns, std::uint64_t{0});
  verdict.equal("unknown ns", thread.unknown_ns, std::uint64_t{0});
  // How late the timer was, its slack included, only the clock beside it can tell: what the
  // calls took is all sleep, but for the way into it and out of it.
  verdict.at_most("sleep ns, of what the calls took", thread.sleep_ns, in_calls);
  verdict.at_least("sleep, wait and run ns, of what the calls took",
                   thread.sleep_ns + thread.wait_ns + thread.run_ns, in_calls);
  verdict.note(fmt::format("sleep ns: {}, beyond 200 x 10 ms: {}; timer slack {} ns",
                           thread.sleep_ns,
                           static_cast<std::int64_t>(thread.sleep_ns - times * each_ns),
                           told.at("slack_ns").get<std::uint64_t>()));
  const std::uint64_t run_delay = told.at("run_delay_ns");
  // The kernel's begins later than ours, when the thread is in the queue, and ends earlier.
  verdict.at_least("wait ns", thread.wait_ns, run_delay - run_delay / 100);
  verdict.at_most("wait ns", thread.wait_ns, run_delay + times * about_nothing_ns);
  verdict.note(fmt::format("the kernel's own account of its wait: {} ns", run_delay));
}

void judge(const Trial& trial, Verdict& verdict) {
  const auto calls = trial.told.at("calls").get<std::vector<Call>>();
  const std::uint32_t tid = trial.told.at("tid");
  const auto* whole = find_thread(trial.report, tid);
  const auto report = trial.report_of(calls.front()[0], calls.back()[1]);
  if (!report) return verdict.holds(report.error().message(), false);
  const auto* thread = find_thread(*report, tid);
  verdict.holds("is in the report, once", whole != nullptr && thread != nullptr);
  if (whole == nullptr || thread == nullptr) return;
  verdict.equal("comm", thread->who.comm, std::string("sleeper"));
  judge_sleeps(trial.trace.spans(whole->who.index, timeline::State::sleep, calls.front()[0],
                                 calls.back()[1]),
               calls, verdict);
  judge_sums(*thread, trial.told, verdict);
}

}  // namespace

extern const Schedule sleeper;
const Schedule sleeper{
    .name = "sleeper",
    .answer = "200 `blocked` ends; sleep 200 x 10 ms plus the timer's slack; wait about 0",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
