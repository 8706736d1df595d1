// SPDX-License-Identifier: GPL-2.0-only
// A CPU is taken down and brought up again while threads that may run anywhere keep every CPU busy.

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <array>

#include <fmt/format.h>

#include "base/fd.h"
#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::uint64_t before_ns = 100'000'000, off_ns = 300'000'000;
constexpr std::size_t spinners = 3, pairs = 1;

std::string switch_of(std::uint32_t cpu) {
  return fmt::format("/sys/devices/system/cpu/cpu{}/online", cpu);
}

bool put(std::uint32_t cpu, bool on) {
  const Fd file(::open(switch_of(cpu).c_str(), O_WRONLY | O_CLOEXEC));
  return file.valid() && ::write(file.get(), on ? "1" : "0", 1) == 1;
}

// It comes back whatever happens.
class TakenDown {
 public:
  explicit TakenDown(std::uint32_t cpu) : cpu_(cpu), down_(put(cpu, false)) {}
  ~TakenDown() { bring_up(); }
  TakenDown(const TakenDown&) = delete;
  TakenDown& operator=(const TakenDown&) = delete;

  [[nodiscard]] bool down() const { return down_; }
  bool bring_up() {
    if (down_) down_ = !put(cpu_, true);
    return !down_;
  }

 private:
  std::uint32_t cpu_;
  bool down_;
};

void go_anywhere() {
  cpu_set_t all;
  CPU_ZERO(&all);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) CPU_SET(cpu, &all);
  ::sched_setaffinity(0, sizeof(all), &all);
}

void hand_over(Futex& turn, std::uint32_t side, const std::atomic<bool>& stop) {
  while (!stop.load()) {
    turn.wait_while(1 - side);
    turn.set(1 - side);
  }
  turn.set(1 - side);
}

Result<std::vector<Worker>> load(std::uint32_t cpu, std::vector<std::uint32_t>& tids,
                                 std::array<Futex, pairs>& turns, std::atomic<bool>& stop) {
  std::vector<Worker> workers;
  tids.resize(spinners + 2 * pairs);
  for (std::size_t i = 0; i < tids.size(); ++i) {
    auto worker = Worker::start(fmt::format("load-{}", i), {.cpu = cpu}, [&, i] {
      tids[i] = this_tid();
      go_anywhere();
      if (i >= spinners) {
        const std::size_t side = i - spinners;
        return hand_over(turns.at(side / 2), side % 2, stop);
      }
      while (!stop.load(std::memory_order_relaxed)) {
      }
    });
    if (!worker) {
      stop = true;
      return std::unexpected(worker.error());
    }
    workers.push_back(std::move(*worker));
  }
  return workers;
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  const auto victim = static_cast<std::uint32_t>(::sysconf(_SC_NPROCESSORS_CONF)) - 1;
  // Everybody on the machine loses a CPU by it. One that has our module is for such tests.
  if (::access("/dev/schedscope", F_OK) != 0) {
    return fail("take a CPU down", "other programs of this machine need it",
                "play this schedule in a VM, beside the module");
  }
  if (victim == 0 || ::access(switch_of(victim).c_str(), W_OK) != 0) {
    return fail("take a CPU down", "this machine has none that may go", "give it two");
  }
  std::vector<std::uint32_t> tids;
  std::array<Futex, pairs> turns;
  std::atomic<bool> stop{false};
  auto workers = load(cpu, tids, turns, stop);
  if (!workers) return std::unexpected(workers.error());
  sleep_until(now_ns() + before_ns);
  const std::uint64_t goes_ns = now_ns();
  TakenDown taken(victim);
  const std::uint64_t gone_ns = now_ns();
  sleep_until(gone_ns + off_ns);
  const std::uint64_t comes_ns = now_ns();
  const bool down = taken.down();
  const bool up = taken.bring_up();
  const std::uint64_t back_ns = now_ns();
  sleep_until(back_ns + before_ns);
  stop = true;
  workers->clear();
  if (!down || !up) {
    return fail("take a CPU down and bring it up", "the kernel refused", "look at its log");
  }
  return nlohmann::json{{"victim", victim},   {"tids", tids},         {"goes_ns", goes_ns},
                        {"gone_ns", gone_ns}, {"comes_ns", comes_ns}, {"back_ns", back_ns}};
}

const analysis::CpuReport* cpu_of(const analysis::Report& report, std::uint32_t cpu) {
  for (const auto& one : report.cpus) {
    if (one.cpu == cpu) return &one;
  }
  return nullptr;
}

void judge(const Trial& trial, Verdict& verdict) {
  const std::uint64_t goes = trial.told.at("goes_ns"), gone = trial.told.at("gone_ns");
  const std::uint64_t comes = trial.told.at("comes_ns"), back = trial.told.at("back_ns");
  const std::uint32_t victim = trial.told.at("victim");
  const auto meanwhile = trial.report_of(gone, comes);
  if (!meanwhile) return verdict.holds(meanwhile.error().message(), false);
  const auto* whole = cpu_of(trial.report, victim);
  const auto* then = cpu_of(*meanwhile, victim);
  verdict.holds("the CPU is in the report", whole != nullptr && then != nullptr);
  if (whole == nullptr || then == nullptr) return;
  verdict.at_least("off ns", whole->off_ns, comes - gone);
  verdict.at_most("off ns", whole->off_ns, back - goes);
  verdict.equal("off ns, while it certainly was", then->off_ns, comes - gone);
  verdict.equal("run ns then", then->run_ns, std::uint64_t{0});
  verdict.equal("idle ns then", then->idle_ns, std::uint64_t{0});
  verdict.equal("unknown ns then", then->unknown_ns, std::uint64_t{0});
  verdict.at_least("run ns before and after", whole->run_ns, std::uint64_t{1});

  for (const std::uint32_t tid : trial.told.at("tids")) {
    const auto* thread = find_thread(trial.report, tid);
    verdict.holds(fmt::format("thread {} is in the report, once", tid), thread != nullptr);
    if (thread == nullptr) continue;
    verdict.equal(fmt::format("thread {}: unknown ns", tid), thread->unknown_ns, std::uint64_t{0});
    std::uint64_t there = 0;
    for (const auto& slice : trial.trace.slices({thread->who.index}, gone, comes)) {
      if (slice.cpu == victim) ++there;
    }
    verdict.equal(fmt::format("thread {}: slices on the CPU that is off", tid), there,
                  std::uint64_t{0});
  }
}

}  // namespace

extern const Schedule hotplug;
const Schedule hotplug{
    .name = "hotplug",
    .answer = "no thread is lost; the CPU's off time is neither run nor idle",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
