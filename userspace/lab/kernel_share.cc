// SPDX-License-Identifier: GPL-2.0-only
//
// kernel-share: one thread against three, in one task group and across sessions.
#include <unistd.h>

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "lab/experiments.h"
#include "lab/trial.h"
#include "lab/workload.h"

namespace schedscope::lab {
namespace {

constexpr std::uint64_t span_ns = 2'000'000'000;

// `prefix`-one and `prefix`-three on one CPU, each in a session of its own or not.
void compete(const std::string& prefix, bool sessions) {
  const std::uint64_t deadline_ns = now_ns() + span_ns;
  const auto contender = [&](const std::string& name, int threads) {
    return child(name.c_str(), [&, threads] {
      if (sessions) ::setsid();
      double units = 0;
      std::vector<std::thread> others;
      for (int i = 1; i < threads; i++) {
        others.emplace_back([&] { spin_until(deadline_ns); });
      }
      units = static_cast<double>(spin_until(deadline_ns));
      for (auto& other : others) other.join();
      tell("units_first_thread_of_" + name, units);
    });
  };
  const pid_t three = contender(prefix + "-three", 3);
  const pid_t one = contender(prefix + "-one", 1);
  wait_for(three);
  wait_for(one);
}

int workload() {
  pin(allowed_cpus().front());
  compete("group", false);
  compete("session", true);
  return 0;
}

struct Share {
  double one_ns = 0, three_ns = 0;
  std::size_t threads = 0;
  [[nodiscard]] double ratio() const { return one_ns > 0 ? three_ns / one_ns : 0; }
};

Share share_of(const Trial& trial, const std::string& prefix) {
  const auto one = trial.named(prefix + "-one"), three = trial.named(prefix + "-three");
  auto all = three;
  all.insert(all.end(), one.begin(), one.end());
  const Window window = Trial::together(all);
  return {.one_ns = static_cast<double>(trial.run_ns(one, window)),
          .three_ns = static_cast<double>(trial.run_ns(three, window)),
          .threads = all.size()};
}

// Of slices that the scheduler ended, not the thread: how long, and how long was granted.
void add_slices(const Trial& trial, Answer& answer) {
  using timeline::SliceEnd;
  std::vector<std::uint64_t> observed, nominal;
  const auto spinners = trial.named_like("group-");
  for (const auto& slice : trial.stretches.slices) {
    const bool ours = std::ranges::any_of(
        spinners, [&](const auto* thread) { return thread->who.index == slice.thread; });
    if (!ours || slice.begin_cut || slice.end != SliceEnd::expired) continue;
    observed.push_back(slice.end_ns - slice.begin_ns);
    if (slice.nominal_ns != 0) nominal.push_back(slice.nominal_ns);
  }
  answer.evidence.emplace_back("slices_expired", static_cast<double>(observed.size()));
  answer.evidence.emplace_back("slice_observed_median_ns",
                               static_cast<double>(median(std::move(observed))));
  // CFS has none; then there is nothing to say.
  if (nominal.empty()) return;
  answer.evidence.emplace_back("slice_nominal_median_ns",
                               static_cast<double>(median(std::move(nominal))));
}

void judge(const Trial& trial, Answer& answer) {
  const Share group = share_of(trial, "group"), session = share_of(trial, "session");
  if (group.threads != 4 || session.threads != 4) {
    answer.caveat = "the capture does not show the four threads of each setting";
    return;
  }
  const int autogroup = trial.report.machine.autogroup;
  answer.evidence = {{"run_one_ns", group.one_ns},
                     {"run_three_ns", group.three_ns},
                     {"ratio", group.ratio()},
                     {"sessions_run_one_ns", session.one_ns},
                     {"sessions_run_three_ns", session.three_ns},
                     {"sessions_ratio", session.ratio()},
                     {"autogroup", autogroup}};
  add_slices(trial, answer);
  answer.headline = fmt::format(
      "one thread {:.2f} s, three {:.2f} s of CPU in one group (1 : {:.2f}); in sessions of their "
      "own {:.2f} s, {:.2f} s (1 : {:.2f})",
      group.one_ns / 1e9, group.three_ns / 1e9, group.ratio(), session.one_ns / 1e9,
      session.three_ns / 1e9, session.ratio());
  if (group.one_ns + group.three_ns < least_run_ns ||
      session.one_ns + session.three_ns < least_run_ns) {
    answer.caveat = too_little_run;
  } else if (group.ratio() < 2.4 || group.ratio() > 3.6) {
    answer.verdict = Verdict::fails_here;
    answer.caveat = "three threads of one group did not get three times the CPU of one";
  } else if (session.ratio() < 2.4) {
    answer.verdict = Verdict::holds_with_caveat;
    answer.caveat =
        autogroup == 1
            ? "within one task group only: autogroup is on and gives each session one share, "
              "whatever its number of threads; it does so for tasks of the root task group, and "
              "in a cgroup with the cpu controller that group's weight decides instead"
            : "within one task group only: across sessions something else than autogroup "
              "divides the CPU";
  } else {
    answer.verdict = Verdict::holds;
    answer.caveat = autogroup == 1   ? "autogroup is on but did not act: these tasks are not in "
                                       "the root task group"
                    : autogroup == 0 ? "autogroup is off here, so sessions make no difference"
                                     : "this kernel has no autogroup";
  }
}

}  // namespace

const Experiment kernel_share = {
    .id = "kernel-share",
    .claim =
        "Each kernel-level thread has its own time slice, so a program's CPU share grows with "
        "its thread count",
    .ran =
        "a process with one spinning thread against one with three, on one CPU, for 2 s in one "
        "session and for 2 s in a session each",
    .rule =
        "holds when the CPU time in one session is 1 to 2.4 to 3.6; with a caveat when it is "
        "less than 1 to 2.4 across sessions; unsupported below 200 ms of CPU time",
    .workload = workload,
    .judge = judge,
};

}  // namespace schedscope::lab
