// SPDX-License-Identifier: GPL-2.0-only
// 10,000 threads of one slice each, 500 alive at once. Each batch is given the tids of the one
// before, as far as these are free again.

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <map>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "base/fd.h"
#include "charged.h"
#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::size_t batches = 20, alive = 500;
constexpr const char* last_pid = "/proc/sys/kernel/ns_last_pid";

// What one told of itself, and its maker of when it was made.
struct Life {
  std::uint32_t tid = 0;
  std::uint64_t before_ns = 0, after_ns = 0;
  std::uint64_t cpu_ns = 0;
};

void* live(void* argument) {
  Life& life = *static_cast<Life*>(argument);
  life.tid = this_tid();
  life.cpu_ns = thread_cpu_ns();
  return nullptr;
}

// The next tids are from `tid` on, those that are in use left out.
Result<void> begin_tids_at(std::uint32_t tid) {
  const Fd fd(::open(last_pid, O_WRONLY | O_CLOEXEC));
  const std::string text = std::to_string(tid - 1);
  if (fd.valid() && ::write(fd.get(), text.data(), text.size()) > 0) return {};
  return fail_errno(fmt::format("write {} to {}", text, last_pid),
                    "run as root, on a kernel with CONFIG_CHECKPOINT_RESTORE");
}

Result<void> live_together(std::span<Life> lives) {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, std::max<long>(PTHREAD_STACK_MIN, 16L * 1024));
  std::vector<pthread_t> threads;
  int code = 0;
  for (Life& life : lives) {
    pthread_t thread{};
    life.before_ns = now_ns();
    code = ::pthread_create(&thread, &attributes, live, &life);
    life.after_ns = now_ns();
    if (code != 0) break;
    threads.push_back(thread);
  }
  for (const pthread_t thread : threads) ::pthread_join(thread, nullptr);
  ::pthread_attr_destroy(&attributes);
  if (code != 0) return fail_errno("start a thread", "allow more threads", Exit::machine, code);
  return {};
}

// The maker and all that it makes are SCHED_FIFO, of one priority on one CPU: none of a batch runs
// before all of it are there.
Result<std::vector<Life>> live_all() {
  std::vector<Life> lives(batches * alive);
  for (std::size_t batch = 0; batch < batches; ++batch) {
    if (batch > 0) {
      if (auto set = begin_tids_at(lives.front().tid); !set) return std::unexpected(set.error());
    }
    const std::uint64_t begin = now_ns();
    if (auto lived = live_together(std::span(lives).subspan(batch * alive, alive)); !lived) {
      return std::unexpected(lived.error());
    }
    // As long for the other threads of that CPU.
    sleep_until(now_ns() + (now_ns() - begin));
  }
  return lives;
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  Result<std::vector<Life>> lives;
  auto maker = Worker::start("lives", {.cpu = cpu, .policy = SCHED_FIFO, .priority = above_all},
                             [&] { lives = live_all(); });
  if (!maker) return std::unexpected(maker.error());
  maker->join();
  if (!lives) return std::unexpected(lives.error());
  nlohmann::json told;
  for (const Life& life : *lives) {
    told.push_back({life.tid, life.before_ns, life.after_ns, life.cpu_ns});
  }
  return nlohmann::json{{"lives", told}, {"pid", ::getpid()}};
}

using Lives = std::map<std::uint32_t, std::vector<Life>>;  // by tid, in the order of their making

Lives told_lives(const Trial& trial) {
  Lives lives;
  for (const auto& one : trial.told.at("lives")) {
    lives[one.at(0)].push_back(
        {.tid = one.at(0), .before_ns = one.at(1), .after_ns = one.at(2), .cpu_ns = one.at(3)});
  }
  return lives;
}

// The report's threads of these tids, of the workload's process, in the order of their births.
std::map<std::uint32_t, std::vector<const analysis::ThreadReport*>> found_lives(
    const Trial& trial, const Lives& lives) {
  std::map<std::uint32_t, std::vector<const analysis::ThreadReport*>> found;
  for (const auto& thread : trial.report.threads) {
    if (thread.who.pid == trial.told.at("pid") && lives.contains(thread.who.tid)) {
      found[thread.who.tid].push_back(&thread);
    }
  }
  for (auto& [tid, threads] : found) {
    std::sort(threads.begin(), threads.end(),
              [](const auto* a, const auto* b) { return a->who.born_ns < b->who.born_ns; });
  }
  return found;
}

void judge(const Trial& trial, Verdict& verdict) {
  const Lives lives = told_lives(trial);
  auto found = found_lives(trial, lives);
  std::uint64_t in_report = 0, merged = 0, elsewhen = 0, not_exited = 0, too_short = 0, sliced = 0;
  for (const auto& [tid, of_tid] : lives) {
    const auto& threads = found[tid];
    in_report += threads.size();
    if (threads.size() != of_tid.size()) {
      ++merged;
      continue;
    }
    for (std::size_t i = 0; i < of_tid.size(); ++i) {
      const analysis::ThreadReport& thread = *threads[i];
      const Life& life = of_tid[i];
      if (thread.who.born_ns < life.before_ns || thread.who.born_ns > life.after_ns) ++elsewhen;
      if (ends_of(thread, timeline::SliceEnd::exited) != 1) ++not_exited;
      if (most_charged_ns(thread) < life.cpu_ns) ++too_short;
      if (thread.slices != 1) ++sliced;
    }
  }
  verdict.equal("threads in the report", in_report, std::uint64_t{batches * alive});
  verdict.at_most("tids, each used again", lives.size(), batches * alive / 10);
  verdict.equal("tids with more or fewer threads than had them", merged, std::uint64_t{0});
  verdict.equal("threads not born when they were made", elsewhen, std::uint64_t{0});
  verdict.equal("threads that did not exit once", not_exited, std::uint64_t{0});
  verdict.equal("threads that ran less than they did by then", too_short, std::uint64_t{0});
  // Not part of the answer: one slice is what is asked of the kernel, which may give more. A lock
  // that is held on another CPU costs a thread its slice as it exits, on 7.3 all of them.
  verdict.note(fmt::format("{} tids, {} threads of more than one slice", lives.size(), sliced));
}

}  // namespace

extern const Schedule short_lives;
const Schedule short_lives{
    .name = "short-lives",
    .answer =
        "10,000 threads in the report, each with its own account; none merged by a reused tid",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
