// SPDX-License-Identifier: GPL-2.0-only
// Two threads on two CPUs that wake each other as fast as they can, each with a pause of changing
// length between the other's going to sleep and its waking: some wakings find the other one with
// its state set and still on its CPU.

#include <sched.h>
#include <unistd.h>

#include <array>

#include <fmt/format.h>

#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::uint32_t rounds = 10'000;
constexpr std::array<const char*, 2> names = {"waits", "wakes"};

struct Side {
  std::uint32_t tid = 0;
  OwnSwitches begin{}, end{};
  std::uint64_t run_delay_ns = 0;
};

Result<nlohmann::json> play(std::uint32_t cpu) {
  if (::sysconf(_SC_NPROCESSORS_ONLN) < 2) {
    return fail("wake a thread before it switches", "this machine has one CPU", "give it two");
  }
  std::array<Side, names.size()> sides;
  Futex turn, over;
  std::vector<Worker> workers;
  for (std::uint32_t i = 0; i < names.size(); ++i) {
    const std::uint32_t seat = i == 0 ? cpu : (cpu == 0 ? 1 : 0);
    auto worker = Worker::start(names[i], {.cpu = seat}, [&, i] {
      Side& me = sides.at(i);
      me.tid = this_tid();
      me.begin = own_switches();
      const std::uint64_t delay = own_run_delay_ns();
      for (std::uint32_t round = 0; round < rounds && over.load() == 0; ++round) {
        turn.wait_while(1 - i);
        // The other one is on its way to sleep meanwhile.
        for (std::uint32_t pause = 0; pause < round % 512; ++pause) __builtin_ia32_pause();
        turn.set(1 - i);
      }
      me.run_delay_ns = own_run_delay_ns() - delay;
      me.end = own_switches();
    });
    if (!worker) {
      over.set(1);
      turn.set(0);
      return std::unexpected(worker.error());
    }
    workers.push_back(std::move(*worker));
  }
  workers.clear();
  nlohmann::json told;
  for (const Side& side : sides) {
    told.push_back({{"tid", side.tid},
                    {"begin", side.begin},
                    {"end", side.end},
                    {"run_delay_ns", side.run_delay_ns}});
  }
  return nlohmann::json{{"sides", told}};
}

// All stretches of a thread, in their order.
struct Stretch {
  std::uint64_t begin_ns, end_ns;
  timeline::State state;
  timeline::SliceEnd end;  // of a slice
};

std::vector<Stretch> stretches_of(const Trial& trial, timeline::ThreadIndex thread) {
  std::vector<Stretch> all;
  for (const auto& slice : trial.trace.slices({thread}, 0, trial.report.end_ns)) {
    all.push_back({slice.begin_ns, slice.end_ns, timeline::State::run, slice.end});
  }
  for (const auto state : {timeline::State::wait, timeline::State::sleep, timeline::State::block,
                           timeline::State::unknown}) {
    for (const auto& span : trial.trace.spans(thread, state, 0, trial.report.end_ns)) {
      all.push_back({span.begin_ns, span.end_ns, state, timeline::SliceEnd::unknown});
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const Stretch& a, const Stretch& b) {
    return std::pair(a.begin_ns, a.end_ns) < std::pair(b.begin_ns, b.end_ns);
  });
  return all;
}

void judge_side(const Trial& trial, std::size_t i, Verdict& verdict) {
  const auto& told = trial.told.at("sides").at(i);
  const auto begin = told.at("begin").get<OwnSwitches>(), end = told.at("end").get<OwnSwitches>();
  const std::string who = names.at(i);
  const auto* thread = find_thread(trial.report, told.at("tid"));
  verdict.holds(who + ": is in the report, once", thread != nullptr);
  if (thread == nullptr) return;

  std::uint64_t holes = 0, backwards = 0, at_once = 0;
  const auto stretches = stretches_of(trial, thread->who.index);
  for (std::size_t k = 0; k < stretches.size(); ++k) {
    if (stretches[k].end_ns < stretches[k].begin_ns) ++backwards;
    if (k == 0) continue;
    if (stretches[k].begin_ns != stretches[k - 1].end_ns) ++holes;
    // It went to sleep and was runnable at the same time.
    if (stretches[k - 1].end == timeline::SliceEnd::blocked &&
        stretches[k].state == timeline::State::wait) {
      ++at_once;
    }
  }
  verdict.equal(who + ": stretches shorter than 0", backwards, std::uint64_t{0});
  verdict.equal(who + ": stretches that do not follow the one before", holes, std::uint64_t{0});
  verdict.note(fmt::format("{}: woken between its state and the switch {} times, of {}", who,
                           at_once, end.voluntary - begin.voluntary));

  const auto report = trial.report_of(begin.at_ns, end.at_ns);
  if (!report) return verdict.holds(report.error().message(), false);
  const auto* meanwhile = find_thread(*report, told.at("tid"));
  verdict.holds(who + ": is in the report of the rounds", meanwhile != nullptr);
  if (meanwhile == nullptr) return;
  verdict.equal(who + ": ends `blocked`, by the kernel's count",
                ends_of(*meanwhile, timeline::SliceEnd::blocked), end.voluntary - begin.voluntary);
  verdict.equal(who + ": unknown ns", meanwhile->unknown_ns, std::uint64_t{0});
  // The kernel's wait begins later than ours, when the thread is in the queue, and ends earlier:
  // what it has more, we would have lost.
  const std::uint64_t delay = told.at("run_delay_ns");
  verdict.at_least(who + ": wait ns, of the kernel's account", meanwhile->wait_ns,
                   delay - delay / 100);
}

void judge(const Trial& trial, Verdict& verdict) {
  for (std::size_t i = 0; i < names.size(); ++i) judge_side(trial, i, verdict);
}

}  // namespace

extern const Schedule wake_before_switch;
const Schedule wake_before_switch{
    .name = "wake-before-switch",
    .answer = "no sleep shorter than 0, no lost runnable span",
    .workload = play,
    .judge = judge,
    .everywhere = true,
};

}  // namespace schedscope::golden
