// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "capture/writer.h"
#include "schema/record.h"

// Schedules made up for tests and benchmarks, with the randomness that real ones have: every
// duration is drawn to the nanosecond, and nothing repeats by design but the pattern of who
// follows whom.
namespace schedscope::capture::synthetic {

// One thread as the records tell of it.
struct Thread {
  std::uint32_t tid = 0;
  std::uint32_t switches = 0;
  std::uint32_t slice_ns = 3'000'000;
  std::int16_t prio = 120;
  std::uint8_t policy = 0;
};

// One CPU that switches and wakes; its records go to the source of its number.
class Cpu {
 public:
  Cpu(const Cpu&) = delete;
  Cpu& operator=(const Cpu&) = delete;
  Cpu(Writer& writer, std::uint16_t number, std::uint64_t seed)
      : writer_(writer), number_(number), random_(seed) {
    idle_.slice_ns = 0;
  }

  Thread& idle() { return idle_; }
  std::mt19937_64& random() { return random_; }
  std::uint64_t now_ns() const { return now_ns_; }
  std::uint64_t records() const { return records_; }

  // Time passes: most often about `typical_ns`, now and then much longer.
  void pass(double typical_ns, double spread) {
    std::lognormal_distribution<double> draw(std::log(typical_ns), spread);
    now_ns_ += 1 + static_cast<std::uint64_t>(draw(random_));
  }

  void wake(const Thread& thread, const Thread& waker, std::uint16_t flags = 0) {
    auto record = make_record<schedscope_waking>(SCHEDSCOPE_REC_WAKING, now_ns_, number_, flags);
    record.tid = thread.tid;
    record.waker_tid = waker.tid;
    record.target_cpu = number_;
    add(record);
  }

  void switch_to(Thread& prev, Thread& next, std::uint32_t state, std::uint16_t flags = 0,
                 std::uint32_t resched_tid = 0) {
    auto record = make_record<schedscope_switch>(SCHEDSCOPE_REC_SWITCH, now_ns_, number_, flags);
    record.prev_tid = prev.tid;
    record.next_tid = next.tid;
    record.prev_state = state;
    record.prev_switches = ++prev.switches;
    record.prev_slice_ns = prev.slice_ns;
    record.prev_prio = prev.prio;
    record.next_prio = next.prio;
    record.prev_policy = prev.policy;
    record.next_policy = next.policy;
    record.resched_tid = resched_tid;
    add(record);
  }

 private:
  template <typename Record>
  void add(const Record& record) {
    writer_.add(number_, view_of(record));
    ++records_;
  }

  Writer& writer_;
  std::uint16_t number_;
  std::mt19937_64 random_;
  Thread idle_;
  std::uint64_t now_ns_ = 1'000'000'000'000;
  std::uint64_t records_ = 0;
};

// Two threads on one CPU that wake each other through a pipe, as perf bench sched pipe does.
class PingPong {
 public:
  PingPong(Writer& writer, std::uint16_t cpu, std::uint64_t seed)
      : cpu_(writer, cpu, seed), threads_{{.tid = 41'213}, {.tid = 41'214}} {}

  void step() {
    Thread& now = threads_[turn_];
    Thread& other = threads_[turn_ ^= 1];
    cpu_.pass(900, 0.15);
    cpu_.wake(other, now);
    cpu_.pass(1100, 0.15);
    cpu_.switch_to(now, other, 1);
  }

  Cpu& cpu() { return cpu_; }

 private:
  Cpu cpu_;
  Thread threads_[2];
  unsigned turn_ = 0;
};

// A server under load: a hundred threads a CPU, few of them busy, that sleep, block, are
// preempted by those they or the timer wake, and leave the CPU idle in between.
class Mixed {
 public:
  Mixed(Writer& writer, std::uint16_t cpu, std::uint64_t seed) : cpu_(writer, cpu, seed) {
    for (std::uint32_t i = 0; i < 100; ++i) {
      Thread thread{.tid = 30'000 + cpu * 5'000U + i * 7};
      thread.prio = static_cast<std::int16_t>(i % 10 == 0 ? 100 + i % 40 : 120);
      thread.slice_ns = i % 10 == 1 ? 700'000 : 3'000'000;
      thread.policy = i % 20 == 0 ? 3 : 0;
      threads_.push_back(thread);
    }
  }

  // One switch and the wakeup before it.
  void step() {
    Thread& prev = *current_;
    Thread& next = chance(0.2) ? cpu_.idle() : pick();
    Thread& woken = &next == &cpu_.idle() ? pick() : next;
    const bool timer = chance(0.2);
    cpu_.pass(15'000, 1.2);
    cpu_.wake(woken, prev, timer ? SCHEDSCOPE_WAKING_TIMER : 0);
    cpu_.pass(2'000, 0.8);
    if (chance(0.15)) {
      cpu_.switch_to(prev, next, 0, SCHEDSCOPE_SWITCH_PREEMPT | SCHEDSCOPE_SWITCH_WAKEUP,
                     woken.tid);
    } else {
      cpu_.switch_to(prev, next, chance(0.1) ? 2 : 1);
    }
    current_ = &next;
  }

  Cpu& cpu() { return cpu_; }

 private:
  bool chance(double probability) {
    return std::bernoulli_distribution(probability)(cpu_.random());
  }

  // Few threads do most of the work.
  Thread& pick() {
    std::geometric_distribution<std::size_t> draw(0.08);
    return threads_[std::min(draw(cpu_.random()), threads_.size() - 1)];
  }

  Cpu cpu_;
  std::vector<Thread> threads_;
  Thread* current_ = &cpu_.idle();
};

// Very many threads a CPU, all of them as busy as the others: nothing stays in a cache. Each
// wakes any other one, waits, runs and sleeps.
class Crowd {
 public:
  Crowd(Writer& writer, std::uint16_t cpu, std::uint64_t seed, std::uint32_t threads)
      : cpu_(writer, cpu, seed) {
    for (std::uint32_t i = 0; i < threads; ++i) threads_.push_back({.tid = 1000 + i * 64 + cpu});
  }

  void step() {
    Thread& next = pick();
    cpu_.pass(1'500, 0.8);
    cpu_.wake(next, *current_);
    cpu_.pass(20'000, 1.0);
    cpu_.switch_to(*current_, next, 1);
    current_ = &next;
  }

  Cpu& cpu() { return cpu_; }
  [[nodiscard]] const std::vector<Thread>& threads() const { return threads_; }

 private:
  Thread& pick() {
    std::uniform_int_distribution<std::size_t> draw(0, threads_.size() - 1);
    for (;;) {
      Thread& thread = threads_[draw(cpu_.random())];
      if (&thread != current_) return thread;
    }
  }

  Cpu cpu_;
  std::vector<Thread> threads_;
  Thread* current_ = &cpu_.idle();
};

// All of `loads` together make `switches`, with a flush every `flush_every` of them as a recorder
// would do it.
template <typename Workload>
void run(Writer& writer, std::deque<Workload>& loads, std::uint64_t switches,
         std::uint64_t flush_every) {
  for (std::uint64_t i = 0; i < switches; ++i) {
    // The CPU that is furthest behind goes on, so that all reach about the same time.
    auto& load = *std::ranges::min_element(loads, {}, [](auto& l) { return l.cpu().now_ns(); });
    load.step();
    if (i % flush_every == flush_every - 1) {
      auto& oldest = *std::ranges::min_element(loads, {}, [](auto& l) { return l.cpu().now_ns(); });
      [[maybe_unused]] const auto flushed = writer.flush(oldest.cpu().now_ns());
    }
  }
}

// The same of `cpus` CPUs.
template <typename Workload>
void fill(Writer& writer, std::uint16_t cpus, std::uint64_t switches, std::uint64_t flush_every) {
  std::deque<Workload> loads;  // they point into themselves
  for (std::uint16_t cpu = 0; cpu < cpus; ++cpu) loads.emplace_back(writer, cpu, 1000U + cpu);
  run(writer, loads, switches, flush_every);
}

}  // namespace schedscope::capture::synthetic
