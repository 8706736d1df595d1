// SPDX-License-Identifier: GPL-2.0-only
#include "collect/trigger.h"

#include <set>

#include <gtest/gtest.h>

namespace schedscope::collect {
namespace {

constexpr std::uint64_t ms = 1'000'000;

class TriggerTest : public ::testing::Test {
 protected:
  void wake(std::uint64_t at_ms, std::uint16_t cpu, std::uint32_t tid) {
    auto record = make_record<schedscope_waking>(SCHEDSCOPE_REC_WAKING, at_ms * ms, cpu);
    record.tid = tid;
    trigger_.see(view_of(record));
  }
  // `prev_state` 1 is asleep.
  void to(std::uint64_t at_ms, std::uint16_t cpu, std::uint32_t prev, std::uint32_t next,
          std::uint32_t prev_state = 1, std::uint16_t flags = 0) {
    auto record = make_record<schedscope_switch>(SCHEDSCOPE_REC_SWITCH, at_ms * ms, cpu, flags);
    record.prev_tid = prev;
    record.next_tid = next;
    record.prev_state = prev_state;
    trigger_.see(view_of(record));
  }
  void task(std::uint64_t at_ms, std::uint16_t cpu, std::uint32_t tid, std::uint16_t flags) {
    auto record = make_record<schedscope_task>(SCHEDSCOPE_REC_TASK, at_ms * ms, cpu, flags);
    record.tid = tid;
    trigger_.see(view_of(record));
  }
  void lose(std::uint64_t end_ms, std::uint16_t cpu, std::uint64_t begin_ms) {
    auto record = make_record<schedscope_lost>(SCHEDSCOPE_REC_LOST, end_ms * ms, cpu);
    record.begin_ns = begin_ms * ms;
    record.end_ns = end_ms * ms;
    trigger_.see(view_of(record));
  }
  std::string judged(std::uint64_t certain_ms) {
    const auto fired = trigger_.judge(certain_ms * ms);
    return fired ? describe(*fired) : "";
  }

  std::set<std::uint32_t> recorded_{7, 8, 9};
  Trigger trigger_{{.wait_ns = 10 * ms, .slice_ns = 50 * ms},
                   [this](std::uint32_t tid) { return recorded_.contains(tid); }};
};

TEST_F(TriggerTest, AWaitAfterAWakeup) {
  to(0, 0, 7, 8);
  wake(5, 1, 7);
  to(14, 0, 8, 7);
  EXPECT_EQ(judged(20), "");
  to(24, 0, 7, 8);
  wake(30, 1, 7);
  to(40, 0, 8, 7);
  EXPECT_EQ(judged(50), "thread 7 waited for 10.00 ms");
  EXPECT_EQ(judged(60), "");
}

TEST_F(TriggerTest, AWaitAfterLosingTheCpu) {
  to(0, 0, 7, 8, 0);
  to(3, 0, 8, 9, 1, SCHEDSCOPE_SWITCH_PREEMPT);
  to(12, 0, 9, 7);
  EXPECT_EQ(judged(13), "thread 7 waited for 12.00 ms");
  EXPECT_EQ(judged(14), "thread 8 waited for 11.00 ms, and still does");
}

TEST_F(TriggerTest, AWaitThatGoesOn) {
  wake(5, 1, 7);
  EXPECT_EQ(judged(14), "");
  EXPECT_EQ(judged(16), "thread 7 waited for 11.00 ms, and still does");
}

TEST_F(TriggerTest, ASleepIsNoWait) {
  to(0, 0, 7, 8, 1);
  EXPECT_EQ(judged(40), "");
  wake(45, 0, 7);
  wake(46, 0, 7);
  to(47, 0, 8, 7);
  // Woken while it runs: nothing waits.
  wake(48, 1, 7);
  EXPECT_EQ(judged(90), "");
}

TEST_F(TriggerTest, ASlice) {
  to(0, 0, 7, 8);
  to(50, 0, 8, 0);
  EXPECT_EQ(judged(51), "thread 8 ran for 50.00 ms");
  // Idle runs as long as it likes.
  EXPECT_EQ(judged(500), "");
  to(501, 0, 0, 9);
  EXPECT_EQ(judged(552), "thread 9 ran for 51.00 ms, and still does");
}

// A slice whose beginning was before the recording has no known length.
TEST_F(TriggerTest, ASliceFromBefore) {
  to(100, 0, 7, 0);
  EXPECT_EQ(judged(101), "");
}

TEST_F(TriggerTest, RecordsOfTwoCpusComeInTheirTimesOrder) {
  to(0, 0, 7, 8);
  // CPU 0 is drained before CPU 1, on which the wakeup was.
  to(30, 0, 8, 7);
  EXPECT_EQ(judged(5), "");
  wake(10, 1, 7);
  EXPECT_EQ(judged(40), "thread 7 waited for 20.00 ms");
}

TEST_F(TriggerTest, NothingIsJudgedBeforeItIsCertain) {
  wake(10, 1, 7);
  to(30, 0, 8, 7);
  EXPECT_EQ(judged(10), "");
  EXPECT_EQ(judged(31), "thread 7 waited for 20.00 ms");
}

TEST_F(TriggerTest, AGapEndsAllThatIsOpen) {
  wake(5, 1, 7);
  to(6, 0, 0, 9);
  lose(8, 0, 7);
  EXPECT_EQ(judged(100), "");
  to(101, 0, 8, 7);
  to(102, 0, 9, 0);
  EXPECT_EQ(judged(103), "");
}

// It is told of when there is room again: also what other CPUs saw meanwhile is not known.
TEST_F(TriggerTest, AGapThatIsToldOfLate) {
  wake(5, 1, 7);
  lose(30, 0, 8);
  to(20, 1, 9, 7);
  EXPECT_EQ(judged(40), "");
}

// The earliest of several.
TEST_F(TriggerTest, TheFirstThatWasTooLong) {
  for (const std::uint32_t tid : {9U, 7U, 8U}) wake(tid, 1, tid);
  EXPECT_EQ(judged(30), "thread 7 waited for 23.00 ms, and still does");
}

TEST_F(TriggerTest, WhatWasForgottenIsNotJudged) {
  wake(5, 1, 7);
  to(6, 0, 0, 9);
  EXPECT_EQ(judged(10), "");
  trigger_.forget();
  EXPECT_EQ(judged(100), "");
}

TEST_F(TriggerTest, OnlyWhoIsRecorded) {
  recorded_.erase(8);
  to(1, 0, 8, 7, 0);
  to(2, 0, 7, 8);
  EXPECT_EQ(judged(80), "");
  // It comes into the selection: its wait, and its slice, from before are not its own.
  recorded_.insert(8);
  to(81, 1, 9, 8);
  task(90, 0, 8, SCHEDSCOPE_TASK_MOVED);
  EXPECT_EQ(judged(140), "");
  // It waits there, and leaves the selection.
  wake(150, 0, 8);
  task(155, 0, 8, SCHEDSCOPE_TASK_MOVED | SCHEDSCOPE_TASK_BYSTANDER);
  EXPECT_EQ(judged(180), "");
}

// The stopper came to it, and left it unseen.
TEST_F(TriggerTest, ACpuThatWasTakenDownRunsNobody) {
  to(1, 1, 0, 7);
  auto record =
      make_record<schedscope_hotplug>(SCHEDSCOPE_REC_HOTPLUG, 5 * ms, 0, SCHEDSCOPE_HOTPLUG_OFF);
  record.of_cpu = 1;
  trigger_.see(view_of(record));
  EXPECT_EQ(judged(500), "");
}

TEST_F(TriggerTest, OneWitnessIsEnough) {
  auto record =
      make_record<schedscope_waking>(SCHEDSCOPE_REC_WAKING, 5 * ms, 0, SCHEDSCOPE_REC_SECOND);
  record.tid = 7;
  trigger_.see(view_of(record));
  EXPECT_EQ(judged(100), "");
}

TEST(TriggerLimits, NoneIsNoLimit) {
  Trigger trigger({.wait_ns = 0, .slice_ns = 0});
  auto record = make_record<schedscope_waking>(SCHEDSCOPE_REC_WAKING, 5 * ms, 0);
  record.tid = 7;
  trigger.see(view_of(record));
  EXPECT_FALSE(trigger.judge(100'000 * ms).has_value());
}

}  // namespace
}  // namespace schedscope::collect
