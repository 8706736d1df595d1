// SPDX-License-Identifier: GPL-2.0-only
//
// timeslice_bench SECONDS: what it changes when fibers yield before their carrier's slice ends
// (Documentation/examples/yields_in_time.hpp). Twice as many carriers as CPUs take turns in a
// critical section, which their fibers enter one after the other, first under round_robin, then
// under yields_in_time<round_robin>. It takes the module. Prints JSON.
#include <pthread.h>
#include <sched.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <boost/fiber/all.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "Documentation/examples/yields_in_time.hpp"
#include "lab/workload.h"

namespace {

using boost::fibers::algo::round_robin;
using schedscope::lab::now_ns;

constexpr int carriers_per_cpu = 4;
constexpr int fibers_per_carrier = 4;
constexpr std::uint64_t inside_ns = 30'000, outside_ns = 90'000;
// As long as a fiber runs between two switches, and for the switch itself as much again.
constexpr std::uint64_t margin_ns = 2 * (inside_ns + outside_ns);
// More than a section takes by itself, with a queue of all carriers in front of it.
constexpr std::uint64_t long_wait_ns = 1'000'000;

struct Counts {
  std::uint64_t sections = 0;     // times the lock was held
  std::uint64_t involuntary = 0;  // slices that ended while the carrier could have gone on
  std::uint64_t yielded = 0;      // of those, by sched_yield
  std::uint64_t while_held = 0;   // of those, with the lock held
  std::uint64_t long_waits = 0;   // for the lock
  std::uint64_t longest_wait_ns = 0;

  void operator+=(const Counts& other) {
    sections += other.sections;
    involuntary += other.involuntary;
    yielded += other.yielded;
    while_held += other.while_held;
    long_waits += other.long_waits;
    longest_wait_ns = std::max(longest_wait_ns, other.longest_wait_ns);
  }
};

void spin(std::uint64_t ns) {
  for (const std::uint64_t end = now_ns() + ns; now_ns() < end;) {
  }
}

void one_section(std::mutex& lock, const schedscope_slicepage* page, Counts& counts) {
  schedscope_slicepage before, after;
  const std::uint64_t asked_ns = now_ns();
  lock.lock();
  schedscope_timeslice_read(page, &before);
  const std::uint64_t waited_ns = now_ns() - asked_ns;
  spin(inside_ns);
  schedscope_timeslice_read(page, &after);
  lock.unlock();
  ++counts.sections;
  counts.while_held += after.involuntary - before.involuntary;
  counts.long_waits += waited_ns > long_wait_ns;
  counts.longest_wait_ns = std::max(counts.longest_wait_ns, waited_ns);
}

void carry(std::mutex& lock, std::uint64_t until_ns, const schedscope_slicepage* page,
           Counts& counts) {
  schedscope_slicepage first, last;
  schedscope_timeslice_read(page, &first);
  std::vector<boost::fibers::fiber> fibers;
  for (int i = 0; i < fibers_per_carrier; ++i) {
    fibers.emplace_back([&] {
      while (now_ns() < until_ns) {
        one_section(lock, page, counts);
        spin(outside_ns);
        boost::this_fiber::yield();
      }
    });
  }
  for (auto& fiber : fibers) fiber.join();
  schedscope_timeslice_read(page, &last);
  counts.involuntary = last.involuntary - first.involuntary;
  counts.yielded = last.yielded - first.yielded;
}

// Empty: the module is not there.
std::optional<Counts> play(bool in_time, std::uint64_t for_ns) {
  const int carriers = carriers_per_cpu * ::get_nprocs();
  std::mutex lock;
  std::atomic<int> without_page = 0;
  std::vector<Counts> counts(carriers);
  std::vector<std::thread> threads;
  const std::uint64_t until_ns = now_ns() + for_ns;
  for (Counts& mine : counts) {
    threads.emplace_back([&, in_time] {
      if (in_time)
        boost::fibers::use_scheduling_algorithm<yields_in_time<round_robin>>(margin_ns);
      else
        boost::fibers::use_scheduling_algorithm<round_robin>();
      const schedscope_slicepage* page = schedscope_timeslice_open();
      if (page == nullptr) {
        ++without_page;
        return;
      }
      carry(lock, until_ns, page, mine);
      schedscope_timeslice_close(page);
    });
  }
  for (auto& thread : threads) thread.join();
  if (without_page != 0) return std::nullopt;
  Counts all;
  for (const Counts& mine : counts) all += mine;
  return all;
}

nlohmann::json json_of(const Counts& counts) {
  return {{"sections", counts.sections},
          {"involuntary", counts.involuntary},
          {"yielded", counts.yielded},
          {"while_holding_the_lock", counts.while_held},
          {"waits_over_1_ms", counts.long_waits},
          {"longest_wait_ns", counts.longest_wait_ns}};
}

}  // namespace

int main(int count, char** arguments) {
  const int seconds = count == 2 ? std::atoi(arguments[1]) : 0;
  if (seconds < 1) {
    fmt::print(stderr, "usage: timeslice-bench SECONDS\n");
    return 2;
  }
  const auto for_ns = static_cast<std::uint64_t>(seconds) * 1'000'000'000;
  const auto before = play(false, for_ns), after = play(true, for_ns);
  if (!before || !after) {
    fmt::print(stderr, "timeslice-bench: cannot open {}; load the module first\n",
               SCHEDSCOPE_TIMESLICE_DEVICE);
    return 3;
  }
  fmt::print("{}\n", nlohmann::json{{"seconds", seconds},
                                    {"carriers", carriers_per_cpu * ::get_nprocs()},
                                    {"fibers_per_carrier", fibers_per_carrier},
                                    {"inside_ns", inside_ns},
                                    {"outside_ns", outside_ns},
                                    {"margin_ns", margin_ns},
                                    {"round_robin", json_of(*before)},
                                    {"yields_in_time", json_of(*after)}}
                         .dump());
}
