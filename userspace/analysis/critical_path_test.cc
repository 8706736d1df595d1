// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "timeline/simulation.h"

namespace schedscope::analysis {
namespace {

using namespace timeline::testing;
using timeline::State;

Report analyse(const Script& s, std::string thread, std::uint64_t end_ns, Window window = {},
               const capture::Machine& machine = {}) {
  Analysis analysis(machine, window, {}, std::move(thread));
  for (std::size_t i = 0; i < s.size(); ++i) analysis.add(s[i]);
  return analysis.finish(end_ns);
}

Result<CriticalPath> find(const Script& s, std::string thread, std::uint64_t end_ns,
                          Window window = {}, const capture::Machine& machine = {}) {
  return *analyse(s, std::move(thread), end_ns, window, machine).critical_path;
}

std::uint32_t tid_of(const CriticalPath& path, timeline::ThreadIndex thread) {
  for (const PathThread& row : path.threads) {
    if (row.thread == thread) return row.tid;
  }
  return 0;
}

std::string_view word(WakerKind cause) {
  constexpr std::array<std::string_view, waker_kind_count> words = {"thread", "timer", "interrupt",
                                                                    "unknown"};
  return words[static_cast<std::size_t>(cause)];
}

// "7 run 10-20, 8 sleep timer 20-30".
std::string told(const CriticalPath& path) {
  std::string text;
  for (const PathSegment& s : path.segments) {
    const bool asleep = s.state == State::sleep || s.state == State::block;
    text += fmt::format("{}{} {}{} {}-{}", text.empty() ? "" : ", ", tid_of(path, s.thread),
                        name_of(s.state), asleep ? fmt::format(" {}", word(s.cause)) : "",
                        s.begin_ns, s.end_ns);
  }
  return text;
}

std::string told(const Script& s, std::uint32_t tid, std::uint64_t end_ns, Window window = {}) {
  const auto path = find(s, fmt::format("{}", tid), end_ns, window);
  if (!path) return path.error().message();
  EXPECT_TRUE(path->adds_up);
  return told(*path);
}

// These are asleep at 0.
Script sleepers(std::initializer_list<std::uint32_t> tids) {
  Script s;
  for (const std::uint32_t tid : tids) s.task(0, tid, SCHEDSCOPE_TASK_BEGIN, 1);
  return s;
}

// 7 runs from 10 to 20 and sleeps until 8 wakes it at 60; 8 slept from 25 until 9 woke it at 45,
// and 9 until the timer did at 28.
Script chain() {
  Script s = sleepers({7, 8, 9});
  s.wake(5, 8);
  s.to(5, 1, 8);
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.to(20, 0, 0, sleeps);
  s.to(25, 1, 0, sleeps);
  s.wake(28, 9, 0, SCHEDSCOPE_WAKING_TIMER);
  s.to(30, 1, 9);
  s.wake(45, 8, 9);
  s.to(50, 1, 8, sleeps);
  s.wake(60, 7, 8);
  s.to(62, 0, 7);
  s.to(70, 0, 0, sleeps);
  s.to(80, 1, 0, sleeps);
  return s;
}

TEST(CriticalPath, GoesOnInTheWaker) {
  EXPECT_EQ(told(chain(), 7, 90, {10, 70}),
            "7 run 10-20, 8 run 20-25, 9 sleep timer 25-28, 9 wait 28-30, 9 run 30-45, "
            "8 wait 45-50, 8 run 50-60, 7 wait 60-62, 7 run 62-70");
}

TEST(CriticalPath, CountsEachThread) {
  const auto path = find(chain(), "7", 90, {10, 70});
  ASSERT_TRUE(path.has_value());
  ASSERT_EQ(path->threads.size(), 3U);
  // 9 and 7 have 20 ns each, 8 has 15 + 5.
  for (const PathThread& row : path->threads) EXPECT_EQ(row.ns, 20U);
  const PathThread& nine = path->threads[2];
  EXPECT_EQ(nine.tid, 9U);
  EXPECT_EQ(nine.state_ns[static_cast<std::size_t>(State::run)], 15U);
  EXPECT_EQ(nine.state_ns[static_cast<std::size_t>(State::wait)], 2U);
  EXPECT_EQ(nine.sleep_ns[static_cast<std::size_t>(WakerKind::timer)], 3U);
  EXPECT_EQ(path->segments[0].depth, 0U);
  EXPECT_EQ(path->segments[1].depth, 1U);
  EXPECT_EQ(path->segments[2].depth, 2U);
}

// A sleep that is not over at the end has no waker yet; one that began before counts from there on.
TEST(CriticalPath, CutAtBothEnds) {
  EXPECT_EQ(told(chain(), 7, 90, {30, 55}), "7 sleep unknown 30-55");
  EXPECT_EQ(told(chain(), 7, 90, {40, 65}),
            "9 run 40-45, 8 wait 45-50, 8 run 50-60, 7 wait 60-62, 7 run 62-65");
  EXPECT_EQ(told(chain(), 7, 90, {47, 61}), "8 wait 47-50, 8 run 50-60, 7 wait 60-61");
  EXPECT_EQ(told(chain(), 7, 90, {72, 88}), "7 sleep unknown 72-88");
}

TEST(CriticalPath, TimerInterruptAndBlock) {
  Script s = sleepers({7});
  s.wake(10, 7, 0, SCHEDSCOPE_WAKING_TIMER);
  s.to(12, 0, 7);
  s.to(20, 0, 0, blocks);
  s.wake(30, 7);
  s.to(30, 0, 7);
  s.to(40, 0, 0, blocks);
  EXPECT_EQ(told(s, 7, 50),
            "7 sleep timer 0-10, 7 wait 10-12, 7 run 12-20, 7 block interrupt 20-30, 7 run 30-40, "
            "7 block unknown 40-50");
}

TEST(CriticalPath, OneThatWakesItselfIsNotFollowed) {
  Script s = sleepers({7});
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.to(20, 0, 0, sleeps);
  s.wake(30, 7, 7);
  s.to(30, 0, 7);
  EXPECT_EQ(told(s, 7, 40, {10, 40}), "7 run 10-20, 7 sleep unknown 20-30, 7 run 30-40");
}

// Two threads that wake each other in turn, and two that do so at once, both asleep.
TEST(CriticalPath, Cycles) {
  Script s = sleepers({7, 8});
  s.wake(10, 7);
  s.to(10, 0, 7);
  for (std::uint64_t t = 20; t < 60; t += 20) {
    s.wake(t, 8, 7);
    s.to(t, 0, 8, sleeps);
    s.wake(t + 10, 7, 8);
    s.to(t + 10, 0, 7, sleeps);
  }
  EXPECT_EQ(told(s, 7, 60, {10, 60}),
            "7 run 10-20, 8 run 20-30, 7 run 30-40, 8 run 40-50, 7 run 50-60");

  Script both = sleepers({7, 8});
  both.wake(10, 7);
  both.to(10, 0, 7);
  both.wake(10, 8);
  both.to(10, 1, 8);
  both.to(20, 0, 0, sleeps);
  both.to(20, 1, 0, sleeps);
  both.wake(50, 8, 7);
  both.wake(50, 7, 8);
  both.to(50, 0, 7);
  both.to(50, 1, 8);
  EXPECT_EQ(told(both, 7, 60, {10, 60}), "7 run 10-20, 8 sleep unknown 20-50, 7 run 50-60");
}

// By its records the waker slept when it woke: nothing is made up of that.
TEST(CriticalPath, WakerThatSlept) {
  Script s = chain();
  s.wake(85, 7, 9);
  s.to(86, 0, 7);
  EXPECT_EQ(told(s, 7, 90, {70, 90}), "9 sleep unknown 70-85, 7 wait 85-86, 7 run 86-90");
  // Nor is what ended that sleep later.
  s.wake(95, 9, 0, SCHEDSCOPE_WAKING_TIMER);
  s.to(95, 1, 9);
  s.to(99, 1, 0, sleeps);
  EXPECT_EQ(told(s, 7, 99, {70, 99}), "9 sleep unknown 70-85, 7 wait 85-86, 7 run 86-99");
}

TEST(CriticalPath, IsNotBridgedOverAGap) {
  Script s = sleepers({7, 8});
  s.wake(5, 8);
  s.to(5, 1, 8);
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.to(20, 0, 0, sleeps);
  s.lost(1, 30, 40);  // 8 may have left, and come again
  s.wake(50, 7, 8).rec.cpu = 1;
  s.to(52, 0, 7);
  s.to(60, 1, 0, sleeps);
  s.to(70, 0, 0, sleeps);
  // That 7 slept through it is not certain either.
  EXPECT_EQ(told(s, 7, 80, {10, 70}),
            "7 run 10-20, 7 sleep unknown 20-30, 7 unknown 30-50, 7 wait 50-52, 7 run 52-70");
}

TEST(CriticalPath, WhatTheWakerLostIsUnknown) {
  Script s = sleepers({7, 8});
  s.wake(5, 8);
  s.to(5, 1, 8);
  s.lost(1, 12, 14);
  s.wake(20, 7);
  s.to(20, 0, 7);
  s.to(22, 0, 0, sleeps);
  s.wake(50, 7, 8).rec.cpu = 1;
  s.to(52, 0, 7);
  s.to(60, 1, 0, sleeps);
  s.to(70, 0, 0, sleeps);
  EXPECT_EQ(told(s, 7, 80, {20, 70}), "7 run 20-22, 8 run 22-50, 7 wait 50-52, 7 run 52-70");
  EXPECT_EQ(told(s, 8, 80, {5, 60}), "8 run 5-12, 8 unknown 12-14, 8 run 14-60");
}

// Before a waker's birth it is what its parent did.
TEST(CriticalPath, GoesOnInWhoMadeTheWaker) {
  Script s = sleepers({7, 8});
  s.wake(5, 8);
  s.to(5, 1, 8);
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.to(20, 0, 0, sleeps);
  s.fork(28, 8, 9);
  s.wake_new(30, 9);
  auto woken = s.back<schedscope_waking>();
  woken.waker_tid = 8;
  woken.target_cpu = 0;
  s.drop_last();
  s.add(woken);
  s.to(33, 0, 9);
  s.wake(40, 7, 9);
  s.to(45, 0, 7, dies);
  s.to(50, 0, 0, sleeps);
  s.to(60, 1, 0, sleeps);
  EXPECT_EQ(told(s, 7, 70, {10, 50}),
            "7 run 10-20, 8 run 20-30, 9 wait 30-33, 9 run 33-40, 7 wait 40-45, 7 run 45-50");
  EXPECT_EQ(told(s, 9, 70), "9 wait 30-33, 9 run 33-45");  // no longer than it lived
}

TEST(CriticalPath, MakerThatIsNotKnown) {
  Script s = sleepers({7});
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.to(20, 0, 0, sleeps);
  s.fork(28, 0, 9);
  s.wake_new(30, 9);
  s.to(33, 0, 9);
  s.wake(40, 7, 9);
  s.to(45, 0, 7, dies);
  s.to(50, 0, 0, sleeps);
  EXPECT_EQ(told(s, 7, 70, {10, 50}),
            "7 run 10-20, 7 sleep unknown 20-30, 9 wait 30-33, 9 run 33-40, 7 wait 40-45, "
            "7 run 45-50");
}

// 7 waits behind 9 on CPU 0, and from 95 on behind 8 on CPU 1.
TEST(CriticalPath, SaysBehindWhomInEachQueue) {
  Script s = sleepers({7, 8, 9});
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.wake(20, 8);
  s.to(20, 1, 8);
  s.wake(80, 9, 7);
  s.to(80, 0, 9, preempted_by(9));
  auto moved = make_record<schedscope_migrate>(SCHEDSCOPE_REC_MIGRATE, 95, 0);
  moved.tid = 7;
  moved.to_cpu = 1;
  s.add(moved);
  s.to(97, 1, 0, sleeps);
  s.to(98, 1, 7);
  s.to(99, 1, 0, sleeps);
  s.to(110, 0, 0, sleeps);
  const auto path = find(s, "7", 120, {70, 99});
  ASSERT_TRUE(path.has_value());
  EXPECT_EQ(told(*path), "7 run 70-80, 7 wait 80-95, 7 wait 95-98, 7 run 98-99");
  EXPECT_EQ(path->segments[1].cpu, 0U);
  EXPECT_EQ(path->segments[1].behind_ns, 15U);
  EXPECT_EQ(path->segments[2].cpu, 1U);
  EXPECT_EQ(path->segments[2].behind_ns, 2U);
  ASSERT_EQ(path->waited_behind.size(), 3U);
  EXPECT_EQ(path->waited_behind[0].tid, 9U);
  EXPECT_EQ(path->waited_behind[1].tid, 8U);
  EXPECT_EQ(path->waited_behind[2].comm, "(idle)");
  EXPECT_EQ(path->waited_behind[2].ns, 1U);
  EXPECT_EQ(path->waited_behind_unknown_ns, 0U);
}

TEST(CriticalPath, OfASelectionNobodyElseIsCertain) {
  Script s = sleepers({7});
  s.task(5, 8, SCHEDSCOPE_TASK_BYSTANDER, 0, "other");
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.to(20, 0, 8, ticked);
  s.to(50, 0, 7, ticked);
  s.to(60, 0, 0, sleeps);
  capture::Machine machine;
  machine.filter = "comm x";
  const auto path = find(s, "7", 100, {10, 60}, machine);
  ASSERT_TRUE(path.has_value());
  EXPECT_EQ(told(*path), "7 run 10-20, 7 wait 20-50, 7 run 50-60");
  EXPECT_EQ(path->segments[1].behind_ns, 0U);
  EXPECT_EQ(path->waited_behind_unknown_ns, 30U);
}

TEST(CriticalPath, OfNobodyOrOfSeveral) {
  Script s = sleepers({7, 8});
  s.task(1, 9, SCHEDSCOPE_TASK_BEGIN, 1, "alone");
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.to(20, 0, 0, dies);
  s.fork(30, 8, 7);
  s.wake_new(30, 7);
  s.to(30, 0, 7);
  s.to(40, 0, 0, sleeps);
  for (const auto& [thread, wrong] : {std::pair("4711", "no thread is named or numbered 4711"),
                                      std::pair("7", "2 threads had the tid 7"),
                                      std::pair("thread", "3 threads are named thread: 7, 8, 7")}) {
    const auto path = find(s, thread, 50);
    ASSERT_FALSE(path.has_value()) << thread;
    EXPECT_EQ(path.error().exit, Exit::usage);
    EXPECT_NE(path.error().message().find(wrong), std::string::npos) << path.error().message();
  }
  EXPECT_TRUE(find(s, "7", 50, {5, 25}).has_value());  // only one of them lived then
  EXPECT_TRUE(find(s, "alone", 50).has_value());
  EXPECT_FALSE(find(s, "alone\x1b", 50).has_value());
}

// What is wrong with it, held against the truth where nothing was lost.
std::string problem(const CriticalPath& path, const Simulation* truth) {
  std::uint64_t at = path.from_ns, sum = 0;
  for (const PathSegment& s : path.segments) {
    const std::uint32_t tid = tid_of(path, s.thread);
    if (s.begin_ns != at || s.end_ns <= s.begin_ns) return fmt::format("a hole at {}", at);
    at = s.end_ns;
    const Stretch stretch{.what = "", .begin = s.begin_ns, .end = s.end_ns};
    if (truth == nullptr || s.state == State::unknown) continue;
    if (!truth->truly(tid, stretch, name_of(s.state))) {
      return fmt::format("{} was not {} {}-{}:{}", tid, name_of(s.state), s.begin_ns, s.end_ns,
                         truth->story(tid));
    }
  }
  for (const PathThread& row : path.threads) sum += row.ns;
  if (at != path.to_ns || sum != path.to_ns - path.from_ns || !path.adds_up) {
    return fmt::format("{} to {}, {} in threads", at, path.to_ns, sum);
  }
  return "";
}

// What the thread itself ran and waited is on its path, whole.
std::string own_problem(const CriticalPath& path, const Report& report) {
  const ThreadReport& all = *report.find(path.thread);
  std::uint64_t run = 0, wait = 0;
  for (const PathSegment& s : path.segments) {
    if (s.thread != path.thread) continue;
    if (s.depth != 0) return "sleeps for itself";
    if (s.state == State::run) run += s.end_ns - s.begin_ns;
    if (s.state == State::wait) wait += s.end_ns - s.begin_ns;
  }
  if (run == all.run_ns && wait == all.wait_ns) return "";
  return fmt::format("ran {} of {}, waited {} of {}", run, all.run_ns, wait, all.wait_ns);
}

TEST(CriticalPath, TilesAnyTimeOfAnySchedule) {
  std::mt19937_64 rng(1);
  std::size_t followed = 0, deepest = 0;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    const bool exact = seed % 2 == 0;
    Simulation truth(seed, 400, exact);
    const Script script = exact ? truth.script : truth.with_losses(1 + static_cast<int>(seed % 5));
    for (std::uint32_t tid = 100; tid < 112; ++tid) {
      SCOPED_TRACE(fmt::format("seed {}, tid {}", seed, tid));
      const std::uint64_t from = rng() % truth.end();
      const Window window{from, from + 1 + rng() % (truth.end() - from)};
      const Report report = analyse(script, fmt::format("{}", tid), truth.end(), window);
      const auto& path = *report.critical_path;
      if (!path) continue;  // it did not live then, or two did
      EXPECT_EQ(problem(*path, exact ? &truth : nullptr), "");
      EXPECT_EQ(own_problem(*path, report), "");
      followed += path->threads.size() > 1 ? 1 : 0;
      for (const PathSegment& s : path->segments) deepest = std::max<std::size_t>(deepest, s.depth);
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(followed, 500U);
  EXPECT_GT(deepest, 3U);
}

}  // namespace
}  // namespace schedscope::analysis
