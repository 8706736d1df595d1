// SPDX-License-Identifier: GPL-2.0-only
// A thread alone on a CPU with a timer of its own every 250 us and packets that it sends to itself,
// and one alone there with the tick: the kernel's own counts of interrupts say how many hit them.

#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <optional>
#include <sstream>

#include <fmt/format.h>

#include "base/fd.h"
#include "base/file.h"
#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::uint64_t phase_ns = 300'000'000;
constexpr std::uint64_t timer_ns = 250'000;
constexpr std::uint64_t packets = 1000;

// The kernel's counts of one CPU.
struct Counts {
  std::uint64_t irqs = 0, softirqs = 0;
};

// Rows of interrupts that have no tracepoint, or are none, or are in another row, too (TLB in CAL).
bool is_told(std::string_view row) {
  constexpr std::string_view untold[] = {"NMI", "PMI", "RTR", "MCE", "MCP", "ERR", "MIS", "HYP",
                                         "TLB", "HRE", "HVS", "PIN", "NPI", "PIW", "PMN"};
  return std::find(std::begin(untold), std::end(untold), row) == std::end(untold);
}

// The sum of a CPU's column; the head line says which of them it is.
std::uint64_t column_of(const char* path, std::uint32_t cpu, bool all_rows) {
  std::istringstream lines(read_text(path).value_or(""));
  std::string line, name;
  std::getline(lines, line);
  std::istringstream head(line);
  std::size_t column = 0;
  while (head >> name && name != fmt::format("CPU{}", cpu)) ++column;
  std::uint64_t sum = 0;
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    cells >> name;
    if (!name.empty() && name.back() == ':') name.pop_back();
    std::uint64_t count = 0;
    for (std::size_t i = 0; i <= column; ++i) {
      if (!(cells >> count)) count = 0;
    }
    if (all_rows || is_told(name)) sum += count;
  }
  return sum;
}

Counts counts_of(std::uint32_t cpu) {
  return {.irqs = column_of("/proc/interrupts", cpu, false),
          .softirqs = column_of("/proc/softirqs", cpu, true)};
}

// A socket to itself, in a network of this process alone.
Fd loopback() {
  if (::unshare(CLONE_NEWNET) != 0) return Fd();
  Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq lo{};
  std::strcpy(lo.ifr_name, "lo");
  lo.ifr_flags = IFF_UP | IFF_RUNNING;
  sockaddr_in self{};
  self.sin_family = AF_INET;
  self.sin_port = htons(9);
  self.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* const address = reinterpret_cast<const sockaddr*>(&self);
  const bool ready = socket.valid() && ::ioctl(socket.get(), SIOCSIFFLAGS, &lo) == 0 &&
                     ::bind(socket.get(), address, sizeof(self)) == 0 &&
                     ::connect(socket.get(), address, sizeof(self)) == 0;
  return ready ? std::move(socket) : Fd();
}

void nothing(int) {}

// Interrupts the calling thread; nobody minds its signals.
class OwnTimer {
 public:
  OwnTimer() {
    ::signal(SIGRTMIN, nothing);
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGRTMIN;
    event._sigev_un._tid = ::gettid();
    ::timer_create(CLOCK_MONOTONIC, &event, &timer_);
    itimerspec every{};
    every.it_value.tv_nsec = every.it_interval.tv_nsec = timer_ns;
    ::timer_settime(timer_, 0, &every, nullptr);
  }
  OwnTimer(const OwnTimer&) = delete;
  OwnTimer& operator=(const OwnTimer&) = delete;
  ~OwnTimer() { ::timer_delete(timer_); }

 private:
  timer_t timer_{};
};

struct Spun {
  std::uint32_t tid = 0;
  Counts before{}, after{};
  std::uint64_t lost_ns = 0;  // by its own clock: what its rounds took beyond the shortest
  std::uint64_t shortest_ns = ~0ULL;
};

void spin(Spun& spun, int socket) {
  const std::uint64_t end = now_ns() + phase_ns;
  std::uint64_t rounds = 0, all_ns = 0;
  for (std::uint64_t at = now_ns(); at < end;) {
    const std::uint64_t now = now_ns();
    spun.shortest_ns = std::min(spun.shortest_ns, now - at);
    all_ns += now - at;
    ++rounds;
    at = now;
  }
  spun.lost_ns = all_ns - rounds * spun.shortest_ns;
  for (std::uint64_t i = 0; socket >= 0 && i < packets; ++i) (void)!::send(socket, "", 1, 0);
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  const Fd socket = loopback();
  if (!socket.valid()) return nlohmann::json{{"cannot", "no network namespace of its own"}};
  nlohmann::json told;
  for (const bool busy : {true, false}) {
    Spun spun;
    const Seat seat{.cpu = cpu, .policy = SCHED_FIFO, .priority = above_all};
    auto worker = Worker::start(busy ? "interrupted" : "quiet", seat, [&] {
      spun.tid = this_tid();
      std::optional<OwnTimer> timer;
      spun.before = counts_of(cpu);
      if (busy) timer.emplace();
      spin(spun, busy ? socket.get() : -1);
      spun.after = counts_of(cpu);
    });
    if (!worker) return std::unexpected(worker.error());
    worker->join();
    told[busy ? "busy" : "quiet"] = {{"tid", spun.tid},
                                     {"irqs", spun.after.irqs - spun.before.irqs},
                                     {"softirqs", spun.after.softirqs - spun.before.softirqs},
                                     {"lost_ns", spun.lost_ns},
                                     {"shortest_ns", spun.shortest_ns}};
  }
  return told;
}

// Of the CPU while a thread lived, which it had nearly for itself. A new thread may be interrupted
// where its maker is, before it is sent there.
Counts counted(const Trial& trial, const analysis::ThreadReport& thread) {
  Counts counts;
  for (const schedscope_interrupts& record : trial.trace.interrupts()) {
    if (record.of_cpu != trial.cpu && record.tid != thread.who.tid) continue;
    if (record.rec.time_ns - record.for_ns < thread.who.born_ns ||
        record.rec.time_ns > thread.who.gone_ns) {
      continue;
    }
    counts.irqs += record.hard_count;
    counts.softirqs += record.soft_count;
  }
  return counts;
}

// The thread lives a little longer than between its two looks at the kernel's counts.
constexpr std::uint64_t around(std::uint64_t count) {
  return count + count / 20 + 100;
}

const analysis::InterruptReport* judge_one(const Trial& trial, const std::string& who,
                                           bool soft_in_threads, Verdict& verdict) {
  const auto& told = trial.told.at(who);
  const auto* thread = find_thread(trial.report, told.at("tid"));
  verdict.holds(who + ": is in the report, with its interrupts",
                thread != nullptr && thread->interrupts);
  if (thread == nullptr || !thread->interrupts) return nullptr;
  const Counts kernel{.irqs = told.at("irqs"), .softirqs = told.at("softirqs")};
  const Counts ours = counted(trial, *thread);
  const analysis::InterruptReport& taken = *thread->interrupts;
  verdict.at_least(who + ": hard interrupts, by the kernel's count", ours.irqs, kernel.irqs);
  verdict.at_most(who + ": hard interrupts", ours.irqs, around(kernel.irqs));
  verdict.at_most(who + ": hard interrupts of the thread", taken.irqs, ours.irqs);
  if (soft_in_threads) {
    verdict.equal(who + ": softirqs, which threads run here", ours.softirqs, std::uint64_t{0});
  } else {
    verdict.at_least(who + ": softirqs, by the kernel's count", ours.softirqs, kernel.softirqs);
    verdict.at_most(who + ": softirqs", ours.softirqs, around(kernel.softirqs));
  }
  verdict.equal(who + ": unknown", taken.unknown_ns, std::uint64_t{0});
  verdict.at_least(who + ": time taken, of hard interrupts", taken.irq_ns, taken.irqs);
  verdict.at_most(who + ": taken of its run time", taken.irq_ns + taken.softirq_ns, thread->run_ns);
  return &taken;
}

void judge(const Trial& trial, Verdict& verdict) {
  if (trial.report.machine.extras.empty()) return;  // the module does not tell of them
  const auto& missing = trial.report.machine.missing;
  const bool soft_in_threads = std::any_of(missing.begin(), missing.end(), [](const auto& text) {
    return text.find("softirqs run in threads") != std::string::npos;
  });
  const auto* busy = judge_one(trial, "busy", soft_in_threads, verdict);
  const auto* quiet = judge_one(trial, "quiet", soft_in_threads, verdict);
  if (busy == nullptr || quiet == nullptr) return;
  // Of a round that is interrupted at least the shortest goes on.
  const auto& told = trial.told.at("quiet");
  const std::uint64_t lost_ns = told.at("lost_ns"), shortest_ns = told.at("shortest_ns");
  verdict.at_most("quiet: taken, by its own clock", quiet->irq_ns,
                  lost_ns + quiet->irqs * shortest_ns + phase_ns / 100);
  // A machine that stands still misses timers, one whose ksoftirqd has yet to run takes no packets,
  // on PREEMPT_RT both are a thread's of lower priority: then the two are alike.
  if (busy->irqs < 3 * quiet->irqs) return verdict.note("busy: hardly busier than the quiet one");
  verdict.at_least("busy: more taken than of the quiet one", busy->irq_ns + busy->softirq_ns,
                   quiet->irq_ns + quiet->softirq_ns);
}

}  // namespace

extern const Schedule interrupted;
const Schedule interrupted{
    .name = "interrupted",
    .answer = "interrupts and softirqs of two threads, as many as the kernel counted meanwhile",
    .workload = play,
    .judge = judge,
    .interrupts = true,
};

}  // namespace schedscope::golden
