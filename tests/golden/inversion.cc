// SPDX-License-Identifier: GPL-2.0-only
// A low, a middle and a high SCHED_FIFO thread on one CPU. The low one holds a lock as it lets the
// high one go, which sleeps for that lock, and then the middle one, which only works: first with a
// plain mutex, then with one of priority inheritance.

#include <pthread.h>

#include <array>

#include <fmt/format.h>

#include "charged.h"
#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::uint32_t rounds = 5;
constexpr std::uint64_t work_ns = 10'000'000;
constexpr std::array<const char*, 3> names = {"low", "middle", "high"};
constexpr std::array<int, 3> priorities = {10, 20, 30};

class Mutex {
 public:
  explicit Mutex(int protocol) {
    pthread_mutexattr_t attributes;
    ::pthread_mutexattr_init(&attributes);
    ::pthread_mutexattr_setprotocol(&attributes, protocol);
    ::pthread_mutex_init(&mutex_, &attributes);
    ::pthread_mutexattr_destroy(&attributes);
  }
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  ~Mutex() { ::pthread_mutex_destroy(&mutex_); }
  void lock() { ::pthread_mutex_lock(&mutex_); }
  void unlock() { ::pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t mutex_{};
};

// One part: `rounds` times around one mutex.
class Part {
 public:
  Part(std::uint32_t cpu, int protocol) : cpu_(cpu), mutex_(protocol) {}

  Result<nlohmann::json> play() {
    std::vector<Worker> workers;
    // The higher ones first: they wait for the low one.
    for (const std::size_t i : {2U, 1U, 0U}) {
      auto worker = Worker::start(names.at(i),
                                  {.cpu = cpu_, .policy = SCHED_FIFO, .priority = priorities.at(i)},
                                  [this, i] {
                                    i == 0 ? be_low() : i == 1 ? be_middle() : be_high();
                                  });
      if (!worker) {
        middle_go_.set(rounds);
        high_go_.set(rounds);
        return std::unexpected(worker.error());
      }
      workers.push_back(std::move(*worker));
    }
    workers.clear();
    return nlohmann::json{{"tids", tids_}, {"begin_ns", begin_ns_}, {"end_ns", end_ns_}};
  }

 private:
  void be_low() {
    tids_[0] = this_tid();
    begin_ns_ = now_ns();
    for (std::uint32_t round = 0; round < rounds; ++round) {
      mutex_.lock();
      high_go_.set(round + 1);    // takes the CPU, and sleeps for the lock
      middle_go_.set(round + 1);  // takes the CPU, unless the lock has raised this thread
      mutex_.unlock();
      // Both are asleep again whenever this thread runs at its own priority.
    }
    end_ns_ = now_ns();
  }
  void be_middle() {
    tids_[1] = this_tid();
    for (std::uint32_t round = 0; round < rounds; ++round) {
      middle_go_.wait_while(round);
      work(work_ns);
    }
  }
  void be_high() {
    tids_[2] = this_tid();
    for (std::uint32_t round = 0; round < rounds; ++round) {
      high_go_.wait_while(round);
      mutex_.lock();
      mutex_.unlock();
    }
  }

  std::uint32_t cpu_;
  Mutex mutex_;
  Futex middle_go_, high_go_;
  std::array<std::uint32_t, 3> tids_{};
  std::uint64_t begin_ns_ = 0, end_ns_ = 0;
};

Result<nlohmann::json> play(std::uint32_t cpu) {
  auto plain = Part(cpu, PTHREAD_PRIO_NONE).play();
  if (!plain) return plain;
  auto inheriting = Part(cpu, PTHREAD_PRIO_INHERIT).play();
  if (!inheriting) return inheriting;
  return nlohmann::json{{"plain", *plain}, {"inheriting", *inheriting}};
}

std::vector<analysis::Finding> inversions(const Trial& trial, const nlohmann::json& part) {
  std::vector<analysis::Finding> found;
  for (const auto& finding : trial.report.findings) {
    if (finding.kind == "inversion" && finding.at_ns >= part.at("begin_ns") &&
        finding.at_ns <= part.at("end_ns")) {
      found.push_back(finding);
    }
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.at_ns < b.at_ns; });
  return found;
}

// Each inversion is the low one's wait while the middle one works.
void judge_plain(const Trial& trial, Verdict& verdict) {
  const auto& part = trial.told.at("plain");
  std::array<const analysis::ThreadReport*, 3> threads{};
  for (std::size_t i = 0; i < threads.size(); ++i) {
    threads[i] = find_thread(trial.report, part.at("tids").at(i));
    verdict.holds(fmt::format("{}: is in the report, once", names[i]), threads[i] != nullptr);
    if (threads[i] == nullptr) return;
  }
  const auto found = inversions(trial, part);
  verdict.equal("plain mutex: inversions found", found.size(), std::size_t{rounds});
  std::vector<timeline::Span> waits;
  for (const auto& wait : trial.trace.spans(threads[0]->who.index, timeline::State::wait,
                                            part.at("begin_ns"), part.at("end_ns"))) {
    // Others' are short, unless the CPU stands still in one.
    const auto middles = trial.trace.slices({threads[1]->who.index}, wait.begin_ns, wait.end_ns);
    if (middles.empty()) continue;
    waits.push_back(wait);
    std::uint64_t most_ns = 0;
    for (const auto& slice : middles) most_ns += slice.end_ns - slice.begin_ns + apart_ns(slice);
    verdict.at_least("the middle one's turn in it: ns, and what the clocks were apart",
                     most_ns + slack_per_slice_ns * middles.size(), work_ns);
  }
  verdict.equal("plain mutex: waits of the low one for the middle one", waits.size(),
                std::size_t{rounds});
  for (std::size_t i = 0; i < std::min(found.size(), waits.size()); ++i) {
    const auto& finding = found[i];
    verdict.equal(fmt::format("inversion {}: whose", i),
                  finding.thread.value_or(timeline::no_index), threads[2]->who.index);
    verdict.equal(fmt::format("inversion {}: begins with the low one's wait", i), finding.at_ns,
                  waits[i].begin_ns);
    verdict.equal(fmt::format("inversion {}: is as long", i), finding.for_ns,
                  waits[i].end_ns - waits[i].begin_ns);
    for (const auto* thread : {threads[0], threads[1]}) {
      const std::string name = fmt::format("{} ({})", thread->who.comm, thread->who.tid);
      verdict.holds(fmt::format("inversion {}: names {}", i, name),
                    finding.text.find(name) != std::string::npos);
    }
  }
}

void judge(const Trial& trial, Verdict& verdict) {
  judge_plain(trial, verdict);
  verdict.equal("mutex with priority inheritance: inversions found",
                inversions(trial, trial.told.at("inheriting")).size(), std::size_t{0});
  // It did work beside it, and the lock was fought for: else there was nothing to find.
  const auto& part = trial.told.at("inheriting");
  const auto* middle = find_thread(trial.report, part.at("tids").at(1));
  const auto* high = find_thread(trial.report, part.at("tids").at(2));
  verdict.holds("both are in the report, once each", middle != nullptr && high != nullptr);
  if (middle == nullptr || high == nullptr) return;
  verdict.at_least("middle: charged ns", most_charged_ns(*middle), rounds * work_ns);
  verdict.at_least("high: ends `blocked`", ends_of(*high, timeline::SliceEnd::blocked),
                   std::uint64_t{2 * rounds - 1});
}

}  // namespace

extern const Schedule inversion;
const Schedule inversion{
    .name = "inversion",
    .answer =
        "the report names the inversion, its holder and its length with a plain futex, none with "
        "a PI futex",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
