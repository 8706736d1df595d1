// SPDX-License-Identifier: GPL-2.0-only
//
// Why threads were off the CPU: sleeps by call and waker, futexes by owner.
#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "timeline/testing.h"

namespace schedscope::analysis {
namespace {

using namespace timeline::testing;
using timeline::State;

Report analyse(const Script& s, std::uint64_t end_ns, Window window = {}) {
  Analysis analysis(capture::Machine{}, window);
  for (std::size_t i = 0; i < s.size(); ++i) analysis.add(s[i]);
  return analysis.finish(end_ns);
}

const ThreadReport& of(const Report& report, std::uint32_t tid) {
  for (const ThreadReport& thread : report.threads) {
    if (thread.who.tid == tid) return thread;
  }
  static const ThreadReport none;
  return none;
}

TEST(OffCpu, ByCallStateAndWaker) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  s.task(0, 9, SCHEDSCOPE_TASK_BEGIN, 1);
  const auto round = [&](std::uint64_t t, Why why, std::uint32_t waker, std::uint16_t flags) {
    s.wake(t, 7, waker, flags);
    s.to(t, 0, 7);
    s.to(t + 5, 0, 0, why);
  };
  round(10, sleeps_in(0), 0, 0);                         // read, until 20: a thread
  round(20, sleeps_in(0), 9, 0);                         // read, until 40: the timer
  round(40, sleeps_in(35), 9, SCHEDSCOPE_WAKING_TIMER);  // nanosleep, until 100: idle
  round(100, Why{.state = 2}, 0, 0);                     // a page fault, until 200: a thread
  round(200, sleeps_in(0), 9, 0);                        // read, to the end
  const Report report = analyse(s, 300);
  const auto& rows = of(report, 7).off_cpu;
  ASSERT_TRUE(report.syscalls_known);
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_EQ(rows[0].ns, 95U);
  EXPECT_EQ(rows[0].state, State::sleep);
  EXPECT_EQ(rows[0].waker, WakerKind::unknown);
  EXPECT_EQ(rows[1].state, State::block);
  EXPECT_EQ(rows[1].syscall.number, timeline::Syscall::none);
  EXPECT_EQ(rows[2].syscall.number, 35U);
  EXPECT_EQ(rows[2].waker, WakerKind::interrupt);
  EXPECT_EQ(rows[3].syscall.number, 0U);
  EXPECT_EQ(rows[3].waker, WakerKind::timer);
  EXPECT_EQ(rows[3].ns, 15U);
  EXPECT_EQ(rows[5].syscall.number, 0U);
  EXPECT_EQ(rows[5].waker, WakerKind::thread);
  EXPECT_EQ(rows[5].ns, 5U);
  std::uint64_t sum = 0;
  for (const OffCpu& row : rows) sum += row.ns;
  EXPECT_EQ(sum, of(report, 7).sleep_ns + of(report, 7).block_ns);
}

TEST(OffCpu, MoreKindsThanAreKept) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  for (std::uint32_t i = 1; i <= 200; ++i) {
    s.wake(10 * i, 7);
    s.to(10 * i, 0, 7);
    s.to(10 * i + 1, 0, 0, sleeps_in(i));
  }
  const Report report = analyse(s, 10'000);
  const auto& rows = of(report, 7).off_cpu;
  std::uint64_t sum = 0, count = 0;
  for (const OffCpu& row : rows) {
    sum += row.ns;
    count += row.count;
  }
  EXPECT_LE(rows.size(), 65U);
  EXPECT_EQ(sum, of(report, 7).sleep_ns);
  EXPECT_EQ(count, 201U);
}

// Thread 7 sleeps 20-80 for a futex that 8 has, which runs, waits, runs and sleeps meanwhile.
Script contended() {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1, "waiter").pid = 7;
  s.task(0, 8, SCHEDSCOPE_TASK_BEGIN, 1, "owner").pid = 7;
  s.wake(5, 8);
  s.to(5, 1, 8);
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.futex(20, 0, 7, 0x1000, 8);
  s.to(20, 0, 0, sleeps_in(202));
  s.to(30, 1, 9, ticked);  // 8 runs 20-30, waits 30-45,
  s.to(45, 1, 8, sleeps);
  s.to(50, 1, 0, sleeps);  // runs 45-50, sleeps 50-70,
  s.wake(70, 8);
  s.to(70, 1, 8);  // runs 70-80
  s.wake(80, 7, 8);
  s.to(82, 0, 7);
  s.to(90, 0, 0, sleeps);
  s.to(95, 1, 0, sleeps);
  return s;
}

std::uint64_t in(const FutexOwner& owner, State state) {
  return owner.state_ns[static_cast<std::size_t>(state)];
}

TEST(Futexes, WhatTheOwnerDidMeanwhile) {
  const Report report = analyse(contended(), 100);
  ASSERT_EQ(report.futexes.size(), 1U);
  const FutexReport& futex = report.futexes[0];
  EXPECT_EQ(futex.pid, 7U);
  EXPECT_EQ(futex.word, 0x1000U);
  EXPECT_EQ(futex.waits, 1U);
  EXPECT_EQ(futex.ns, 60U);
  EXPECT_EQ(futex.owned_ns, 60U);
  ASSERT_EQ(futex.owners.size(), 1U);
  const FutexOwner& owner = futex.owners[0];
  EXPECT_EQ(owner.ns, 60U);
  EXPECT_EQ(in(owner, State::run), 25U);
  EXPECT_EQ(in(owner, State::wait), 15U);
  EXPECT_EQ(in(owner, State::sleep), 20U);
  EXPECT_EQ(in(owner, State::unknown), 0U);
}

TEST(Futexes, InAWindow) {
  for (std::uint64_t from = 1; from < 90; from += 3) {
    const Report report = analyse(contended(), 100, {from, from + 8});
    for (const FutexReport& futex : report.futexes) {
      std::uint64_t sum = 0;
      for (const FutexOwner& owner : futex.owners) {
        for (const std::uint64_t ns : owner.state_ns) sum += ns;
        EXPECT_EQ(in(owner, State::unknown), 0U) << from;
      }
      EXPECT_EQ(sum, futex.owned_ns) << from;
    }
  }
}

// The sleeper was still asleep at the end, or its owner exited before it was woken.
TEST(Futexes, ASleepOrAnOwnerThatEnds) {
  Script asleep;
  asleep.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1).pid = 7;
  asleep.task(0, 8, SCHEDSCOPE_TASK_BEGIN, 1).pid = 7;
  asleep.wake(5, 8);
  asleep.to(5, 1, 8);
  asleep.wake(10, 7);
  asleep.to(10, 0, 7);
  asleep.futex(20, 0, 7, 0x1000, 8);
  asleep.to(20, 0, 0, sleeps_in(202));
  Script exited = asleep;
  Report report = analyse(asleep, 100);
  ASSERT_EQ(report.futexes.size(), 1U);
  ASSERT_EQ(report.futexes[0].owners.size(), 1U);
  EXPECT_EQ(in(report.futexes[0].owners[0], State::run), 80U);

  exited.to(60, 1, 0, dies);
  exited.wake(80, 7);
  exited.to(80, 0, 7);
  exited.to(90, 0, 0, sleeps);
  report = analyse(exited, 100);
  ASSERT_EQ(report.futexes[0].owners.size(), 1U);
  EXPECT_EQ(in(report.futexes[0].owners[0], State::run), 40U);
  EXPECT_EQ(in(report.futexes[0].owners[0], State::unknown), 20U);
}

}  // namespace
}  // namespace schedscope::analysis
