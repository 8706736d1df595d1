// SPDX-License-Identifier: GPL-2.0-only
//
// kernel-block: who gets the CPU when a thread blocks.
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include <fmt/format.h>

#include "lab/experiments.h"
#include "lab/trial.h"
#include "lab/workload.h"

namespace schedscope::lab {
namespace {

constexpr int naps = 100;
constexpr long nap_ns = 4'000'000;

// The three settings: what else could run on the CPU.
constexpr std::array<const char*, 3> blockers = {"block-sibling", "block-other", "block-alone"};
constexpr const char* sibling_name = "spin-sibling";
constexpr const char* other_name = "spin-other";

void nap_often(const char* name) {
  name_thread(name);
  for (int i = 0; i < naps; i++) {
    work();
    const timespec time{.tv_sec = 0, .tv_nsec = nap_ns};
    ::nanosleep(&time, nullptr);
  }
}

int workload() {
  pin(allowed_cpus().front());
  std::atomic<bool> over{false};
  const auto spin = [&] {
    while (!over) work();
  };
  std::thread sibling([&] {
    name_thread(sibling_name);
    spin();
  });
  std::thread(nap_often, blockers[0]).join();
  over = true;
  sibling.join();

  // Ends by itself a good while after the blocker, at worst.
  std::thread second(nap_often, blockers[1]);
  const pid_t other = child(other_name, [] { spin_until(now_ns() + 700'000'000); });
  second.join();
  wait_for(other);

  std::thread(nap_often, blockers[2]).join();
  return 0;
}

struct Next {
  std::uint64_t sibling = 0, other = 0, idle = 0, unknown = 0;
  std::vector<std::uint64_t> idle_ns;  // from the block until somebody ran
  [[nodiscard]] std::uint64_t all() const { return sibling + other + idle + unknown; }
};

// Who ran next on the CPU, for each time `thread` blocked. The capture's slices are sorted by CPU.
Next who_was_next(const Trial& trial, const analysis::ThreadReport& thread,
                  const std::vector<timeline::Slice>& by_cpu) {
  Next next;
  for (const auto& slice : trial.stretches.slices) {
    if (slice.thread != thread.who.index || slice.end != timeline::SliceEnd::blocked) continue;
    if (slice.next != timeline::no_index) {
      const auto* peer = trial.thread(slice.next);
      if (peer == nullptr || !peer->who.identified) {
        ++next.unknown;
      } else {
        ++(peer->who.pid == thread.who.pid ? next.sibling : next.other);
      }
      continue;
    }
    ++next.idle;
    const auto after =
        std::ranges::upper_bound(by_cpu, std::pair(slice.cpu, slice.end_ns), {},
                                 [](const auto& one) { return std::pair(one.cpu, one.begin_ns); });
    if (after != by_cpu.end() && after->cpu == slice.cpu) {
      next.idle_ns.push_back(after->begin_ns - slice.end_ns);
    }
  }
  return next;
}

void judge(const Trial& trial, Answer& answer) {
  auto by_cpu = trial.stretches.slices;
  std::ranges::sort(by_cpu, {}, [](const auto& one) { return std::pair(one.cpu, one.begin_ns); });
  std::array<Next, blockers.size()> next;
  for (std::size_t i = 0; i < blockers.size(); i++) {
    const auto found = trial.named(blockers[i]);
    if (found.size() != 1) {
      answer.caveat = fmt::format("the capture does not show the thread {}", blockers[i]);
      return;
    }
    next[i] = who_was_next(trial, *found[0], by_cpu);
  }
  const std::uint64_t sibling = next[0].sibling + next[1].sibling + next[2].sibling;
  const std::uint64_t other = next[0].other + next[1].other + next[2].other;
  const std::uint64_t idle = next[0].idle + next[1].idle + next[2].idle;
  answer.evidence = {
      {"next_sibling", static_cast<double>(sibling)},
      {"next_other_process", static_cast<double>(other)},
      {"next_idle", static_cast<double>(idle)},
      {"next_unknown", static_cast<double>(next[0].unknown + next[1].unknown + next[2].unknown)},
      // One switch ends one slice and begins the next: there is nothing between them.
      {"gap_to_sibling_or_other_ns", 0},
      {"idle_after_block_median_ns", static_cast<double>(median(next[2].idle_ns))},
      {"idle_though_sibling_ready", static_cast<double>(next[0].idle)}};
  answer.headline = fmt::format(
      "after {} blocks the CPU went to a sibling {} times, to another process {} times, idle {} "
      "times; gap 0.0 us, or {:.1f} us when nobody was ready",
      next[0].all() + next[1].all() + next[2].all(), sibling, other, idle,
      static_cast<double>(median(next[2].idle_ns)) / 1e3);
  if (next[0].all() == 0 || next[1].all() == 0 || next[2].all() == 0) {
    answer.caveat = "a thread never blocked";
  } else if (next[0].idle * 50 > next[0].all()) {
    answer.verdict = Verdict::fails_here;
    answer.caveat = "the CPU idled though a thread of the same process was ready";
  } else if (sibling != 0 && other != 0 && idle != 0) {
    answer.verdict = Verdict::holds;
  } else {
    answer.verdict = Verdict::holds_with_caveat;
    answer.caveat = "not all three were seen: this machine's other threads came first";
  }
}

}  // namespace

const Experiment kernel_block = {
    .id = "kernel-block",
    .claim =
        "When a kernel-level thread blocks, the kernel runs another, of the same process or of "
        "another",
    .ran =
        "a thread that sleeps 100 times 4 ms, on one CPU: beside a spinning sibling, beside a "
        "spinning process, and alone",
    .rule =
        "holds when a sibling, another process and the idle task each came next at least once "
        "after a slice that ended `blocked`, and at most 2 % went idle while a sibling spun",
    .workload = workload,
    .judge = judge,
};

}  // namespace schedscope::lab
