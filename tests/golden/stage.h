// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace schedscope::golden {

// What workloads are made of.

[[nodiscard]] std::uint64_t now_ns();         // CLOCK_MONOTONIC
[[nodiscard]] std::uint64_t thread_cpu_ns();  // the kernel's account of the calling thread
// The time that the kernel itself says the calling thread spent in a run queue.
[[nodiscard]] std::uint64_t own_run_delay_ns();
[[nodiscard]] std::uint32_t this_tid();
// Of the machine; `cpu` itself when there is no other one.
[[nodiscard]] std::uint32_t another_cpu(std::uint32_t cpu);
// Sleeps until CLOCK_MONOTONIC shows `ns`.
void sleep_until(std::uint64_t ns);
// Runs until the kernel has charged `ns` more to the calling thread; returns what it has charged.
std::uint64_t work(std::uint64_t ns);

// The kernel's count of the calling thread's switches, and a moment at which it was that.
struct OwnSwitches {
  std::uint64_t at_ns, voluntary, involuntary;
};
[[nodiscard]] OwnSwitches own_switches();
void to_json(nlohmann::json& json, const OwnSwitches& switches);
void from_json(const nlohmann::json& json, OwnSwitches& switches);

// In which a thread that only looks at the clock did not see it: it was off its CPU, or that stood
// still, as a virtual CPU does that its host has stopped, and a tick then comes late.
struct Unseen {
  std::uint64_t begin_ns, end_ns;
  bool off_cpu;          // it was switched out and in meanwhile
  std::uint64_t cpu_ns;  // what the kernel charged it meanwhile
};
void to_json(nlohmann::json& json, const Unseen& unseen);
void from_json(const nlohmann::json& json, Unseen& unseen);
// Runs until CLOCK_MONOTONIC shows `end_ns`; of what it did not see, adds all from 0.1 ms up.
void spin_until(std::uint64_t end_ns, std::vector<Unseen>& unseen);
// How long the thread saw itself run in a slice, at least: where it was off its CPU as well, it did
// not run for more than it was charged, and what the clocks were `apart_ns`.
[[nodiscard]] std::uint64_t seen_ns(const std::vector<Unseen>& unseen, std::uint64_t begin_ns,
                                    std::uint64_t end_ns, std::uint64_t apart_ns);

// What sched_setattr(2), which the C library does not have, asks for.
struct SchedAttributes {
  std::uint32_t size = 48;
  std::uint32_t policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime_ns = 0, deadline_ns = 0, period_ns = 0;
};
// For the calling thread. Returns 0, or why not.
[[nodiscard]] int set_attributes(const SchedAttributes& attributes);

// A futex of this process alone.
class Futex {
 public:
  [[nodiscard]] std::uint32_t load() const { return word_.load(); }
  // Sets it and wakes who waits.
  void set(std::uint32_t value);
  // Returns once it is not `value`.
  void wait_while(std::uint32_t value);

 private:
  std::atomic<std::uint32_t> word_{0};
};

// Where and how a thread runs, from its first instruction on.
struct Seat {
  std::uint32_t cpu = 0;
  int policy = SCHED_OTHER;
  int priority = 0;
};
// Above all that a machine runs of its own accord, below the kernel's stopper.
inline constexpr int above_all = 80;

// A named thread; joined when dropped.
class Worker {
 public:
  [[nodiscard]] static Result<Worker> start(std::string name, Seat seat,
                                            std::function<void()> body);
  Worker(Worker&& other) noexcept
      : thread_(other.thread_), task_(std::exchange(other.task_, nullptr)) {}
  Worker& operator=(Worker&&) = delete;
  ~Worker() { join(); }
  void join();
  // The kernel's account of it, while it lives.
  [[nodiscard]] std::uint64_t cpu_ns() const;

 private:
  struct Task {
    std::string name;
    std::function<void()> body;
  };
  static void* run(void* task);

  explicit Worker(std::unique_ptr<Task> task) : task_(std::move(task)) {}

  pthread_t thread_{};
  std::unique_ptr<Task> task_;
};

}  // namespace schedscope::golden
