// SPDX-License-Identifier: GPL-2.0-only
// 100 fibers on one carrier that nothing can take the CPU from, and of each fiber the kernel's own
// account of what it worked.

#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>

#include <string>
#include <vector>

#include <fmt/format.h>

#include "schedscope/boost_fiber.hpp"

#include "fibers.h"
#include "schedule.h"
#include "stage.h"

namespace schedscope::golden {
namespace {

constexpr std::size_t fiber_count = 100;
// A fiber works in so many goes, with all others in between.
constexpr std::uint64_t goes = 2;
// No two work alike: time given to the wrong one shows. All together stay far below the 950 ms of
// a second that real-time threads may have, on a machine too that is held up now and then.
constexpr std::uint64_t shortest_ns = 1'000'000;
constexpr std::uint64_t step_ns = 10'000;

// Where the kernel's own account says that the carrier had to wait for longer, the machine played
// something else (held up for so long that real-time threads are throttled), and may try again.
constexpr std::uint64_t alone_ns = 100'000;
constexpr int attempts = 5;

std::string name_of_fiber(int attempt, std::size_t i) {
  return fmt::format("worker-{}-{}", attempt, i);
}

// What a fiber worked: between its own readings of the kernel's account of its carrier at the
// least, and from the reading of the one before it to that of the one after it at the most, by the
// clock: the account leaves out what a hypervisor takes of a thread on its CPU. An idle machine
// leaves a microsecond between the two.
struct Worked {
  std::uint64_t least_ns = 0;
  std::uint64_t most_ns = 0;
};

class Book {
 public:
  Book() : worked_(fiber_count) {}

  // The first fiber comes next.
  void begin() { left_ns_ = now_ns(); }

  // Fiber `i` works now.
  void work(std::size_t i) {
    close();
    open_ = i;
    from_ns_ = left_ns_;
    const std::uint64_t begin = thread_cpu_ns();
    std::uint64_t end = begin;
    while (end < begin + shortest_ns + i * step_ns) {
      left_ns_ = now_ns();
      end = thread_cpu_ns();
    }
    worked_[i].least_ns += end - begin;
  }
  // What comes next is another's.
  void close() {
    if (open_ < fiber_count) worked_[open_].most_ns += now_ns() - from_ns_;
    open_ = fiber_count;
  }
  [[nodiscard]] const std::vector<Worked>& worked() const { return worked_; }

 private:
  std::uint64_t left_ns_ = 0;  // before the last reading
  std::uint64_t from_ns_ = 0;  // the last reading before the go that is open
  std::size_t open_ = fiber_count;
  std::vector<Worked> worked_;
};

struct Played {
  std::uint32_t tid = 0;
  std::uint64_t delay_ns = 0;  // the carrier's wait, by the kernel's account
  std::vector<Worked> worked;
};

Played run_fibers(int attempt) {
  boost::fibers::use_scheduling_algorithm<observed<boost::fibers::algo::round_robin>>();
  std::vector<boost::fibers::fiber> fibers;
  Book book;
  const std::uint64_t delay_ns = own_run_delay_ns();
  for (std::size_t i = 0; i < fiber_count; ++i) {
    fibers.emplace_back(boost::fibers::launch::post, [&book, attempt, i] {
      name_fiber(name_of_fiber(attempt, i).c_str());
      for (std::uint64_t go = 0; go < goes; ++go) {
        if (go != 0) boost::this_fiber::yield();
        book.work(i);
      }
    });
  }
  book.begin();
  for (auto& fiber : fibers) fiber.join();
  book.close();
  return {.tid = this_tid(), .delay_ns = own_run_delay_ns() - delay_ns, .worked = book.worked()};
}

Result<nlohmann::json> play(std::uint32_t cpu) {
  Played played;
  int attempt = 0;
  do {
    // Real-time threads have used up none of a second that has just begun.
    if (++attempt > 1) sleep_until(now_ns() + 1'000'000'000);
    auto carrier =
        Worker::start("carrier", {.cpu = cpu, .policy = SCHED_FIFO, .priority = above_all},
                      [&] { played = run_fibers(attempt); });
    if (!carrier) return std::unexpected(carrier.error());
    carrier->join();
  } while (played.delay_ns > alone_ns && attempt < attempts);
  if (played.delay_ns > alone_ns) {
    return fail("play a carrier that is alone",
                fmt::format("the kernel made it wait in each of {} tries, in the last for {} ns",
                            attempts, played.delay_ns),
                "run on a machine that is less busy");
  }
  nlohmann::json least, most;
  for (const Worked& worked : played.worked) {
    least.push_back(worked.least_ns);
    most.push_back(worked.most_ns);
  }
  return nlohmann::json{{"pid", ::getpid()},
                        {"tid", played.tid},
                        {"attempt", attempt},
                        {"least_ns", least},
                        {"most_ns", most}};
}

// Sums over all fibers.
struct Sums {
  std::uint64_t least_ns = 0, most_ns = 0;
  std::uint64_t running_ns = 0, preempted_ns = 0, hostage_ns = 0;
};

void judge_work(const std::string& who, std::uint64_t running_ns, std::uint64_t least_ns,
                std::uint64_t most_ns, Verdict& verdict) {
  verdict.at_least(who + ": running ns", running_ns, least_ns - least_ns / 100);
  verdict.at_most(who + ": running ns", running_ns, most_ns + most_ns / 100);
}

void judge_fiber(const Trial& trial, std::size_t i, Sums& sums, Verdict& verdict) {
  using timeline::UserState;
  const std::string name = name_of_fiber(trial.told.at("attempt"), i);
  const auto* fiber = find_fiber(trial, name);
  if (fiber == nullptr) return verdict.holds(name + ": is in the report, once", false);
  const std::uint64_t running = ns_of(*fiber, UserState::running);
  const std::uint64_t least = trial.told.at("least_ns").at(i);
  const std::uint64_t most = trial.told.at("most_ns").at(i);
  judge_work(name, running, least, most, verdict);
  verdict.equal(name + ": switches to it", fiber->switches, goes);
  for (const UserState state : {UserState::blocking, UserState::parked, UserState::unknown}) {
    verdict.equal(fmt::format("{}: {} ns", name, timeline::name_of(state)), ns_of(*fiber, state),
                  std::uint64_t{0});
  }
  sums.least_ns += least;
  sums.most_ns += most;
  sums.running_ns += running;
  sums.preempted_ns += ns_of(*fiber, UserState::preempted);
  sums.hostage_ns += ns_of(*fiber, UserState::hostage);
}

void judge(const Trial& trial, Verdict& verdict) {
  Sums sums;
  for (std::size_t i = 0; i < fiber_count; ++i) judge_fiber(trial, i, sums, verdict);
  verdict.note(fmt::format("all fibers worked {} ns by the kernel's account, {} at most, ran {} ns",
                           sums.least_ns, sums.most_ns, sums.running_ns));
  judge_work("all fibers", sums.running_ns, sums.least_ns, sums.most_ns, verdict);
  // About 0: of their work, and of the time in which those that wait could be hostages.
  verdict.at_most("all fibers: preempted ns", sums.preempted_ns, sums.least_ns / 1000);
  verdict.at_most("all fibers: hostage ns", sums.hostage_ns, sums.least_ns * fiber_count / 1000);
}

}  // namespace

extern const Schedule fibers_alone;
const Schedule fibers_alone{
    .name = "fibers-alone",
    .answer = "running of each = its work within 1 %; preempted, hostage about 0",
    .workload = play,
    .judge = judge,
};

}  // namespace schedscope::golden
