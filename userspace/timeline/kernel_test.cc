// SPDX-License-Identifier: GPL-2.0-only
#include "timeline/kernel.h"

#include <gtest/gtest.h>

#include "timeline/testing.h"

namespace schedscope::timeline {
namespace {

using namespace testing;

TEST(KernelTimeline, ThreadRunsSleepsWaitsAndRunsAgain) {
  Script s;
  s.fork(5, 1, 7);
  s.wake_new(10, 7);
  s.to(20, 0, 7);
  s.to(50, 0, 0, sleeps);
  s.wake(80, 7);
  s.to(90, 0, 7);
  s.to(100, 0, 0, blocks);
  const Told told(s, 120);
  EXPECT_EQ(told.thread(7),
            "wait 10-20, run 20-50 blocked, sleep 50-80, wait 80-90, "
            "run 90-100 blocked, block 100-120");
  EXPECT_EQ(told.kept.of_cpu(0), "idle 0-20, run 20-50, idle 50-90, run 90-100, idle 100-120");
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
  EXPECT_EQ(identities(told, 0, 120), "");
}

// GOLDEN wake-before-switch: the two cases look alike until the next event.
TEST(KernelTimeline, WakingBeforeTheSwitchConsumedInPlaceIsASleep) {
  Script s;
  s.to(10, 0, 7, runnable);
  s.wake(15, 7);           // it still runs, sees its condition fulfilled, goes on
  s.to(20, 0, 0, sleeps);  // and sleeps for another reason
  s.wake(30, 7);
  s.to(31, 0, 7);
  s.to(40, 0, 0, sleeps);
  const Told told(s, 50);
  EXPECT_EQ(told.thread(7),
            "unknown 0-10, run 10-20 blocked, sleep 20-30, wait 30-31, "
            "run 31-40 blocked, sleep 40-50");
}

TEST(KernelTimeline, WakingBetweenStateAndSwitchLosesNoRunnableSpan) {
  Script s;
  s.to(10, 0, 7);
  s.wake(19, 7);
  s.to(20, 0, 8, sleeps);
  s.to(30, 0, 7, sleeps);
  s.to(40, 0, 0, sleeps);
  const Told told(s, 50);
  EXPECT_EQ(told.thread(7),
            "unknown 0-10, run 10-20 blocked, wait 20-30, run 30-40 blocked, sleep 40-50");
}

TEST(KernelTimeline, WakingBeforeTheLastSwitchOfTheCaptureIsUnknown) {
  Script s;
  s.to(10, 0, 7);
  s.wake(19, 7);
  s.to(20, 0, 0, sleeps);
  EXPECT_EQ(Told(s, 50).thread(7), "unknown 0-10, run 10-20 blocked, unknown 20-50");
}

TEST(KernelTimeline, WakingOfAWaitingThreadChangesNothing) {
  Script s;
  s.to(10, 0, 7);
  s.to(20, 0, 8, ticked);
  s.wake(25, 7);
  s.to(30, 0, 7, sleeps);
  s.to(40, 0, 0, sleeps);
  EXPECT_EQ(Told(s, 40).thread(7),
            "unknown 0-10, run 10-20 expired, wait 20-30, run 30-40 blocked");
}

TEST(KernelTimeline, ComingWithoutAWakingIsUnknown) {
  Script s;
  s.to(10, 0, 7);
  s.to(20, 0, 0, sleeps);
  s.to(30, 0, 7);
  s.to(40, 0, 0, sleeps);
  EXPECT_EQ(Told(s, 40).thread(7),
            "unknown 0-10, run 10-20 blocked, unknown 20-30, run 30-40 blocked");
}

TEST(KernelTimeline, FirstSwitchOfACpuSaysWhoRanSinceTheStart) {
  Script s;
  s.has(0, 7);
  s.to(30, 0, 0, sleeps);
  const Told told(s, 40);
  EXPECT_EQ(told.thread(7), "~run 0-30 blocked, sleep 30-40");
  EXPECT_EQ(told.kept.of_cpu(0), "run 0-30, idle 30-40");
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
}

TEST(KernelTimeline, StillRunningAtTheEndIsCut) {
  Script s;
  s.to(10, 0, 7);
  const Told told(s, 40);
  EXPECT_EQ(told.thread(7), "unknown 0-10, run 10-40 ~");
  EXPECT_EQ(told.kept.slices[0].end, SliceEnd::unknown);
}

TEST(KernelTimeline, WalkTellsWhoSleptSinceTheStart) {
  Script s;
  s.task(3, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  s.task(3, 8, SCHEDSCOPE_TASK_BEGIN, 2);
  s.task(3, 9, SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_ON_RQ, 0);
  s.task(3, 10, SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_ON_RQ, 1);  // delayed dequeue, or not
  s.task(3, 11, SCHEDSCOPE_TASK_BEGIN, 0x402);                      // an idle kernel thread
  for (const std::uint32_t tid : {7U, 8U, 10U, 11U}) s.wake(20, tid);
  for (const std::uint32_t tid : {7U, 8U, 9U, 10U, 11U}) s.to(20 + tid, 0, tid, sleeps);
  const Told told(s, 32);
  EXPECT_EQ(told.thread(7), "sleep 0-20, wait 20-27, run 27-28 blocked, sleep 28-32");
  EXPECT_EQ(told.thread(8), "block 0-20, wait 20-28, run 28-29 blocked, sleep 29-32");
  EXPECT_EQ(told.thread(9), "wait 0-29, run 29-30 blocked, sleep 30-32");
  EXPECT_EQ(told.thread(10), "unknown 0-20, wait 20-30, run 30-31 blocked, sleep 31-32");
  EXPECT_EQ(told.thread(11), "sleep 0-20, wait 20-31, run 31-32 ~");
  EXPECT_TRUE(told.kept.spans[0].begin_cut);
}

TEST(KernelTimeline, ThreadWithoutAnEventSleptWhenBothWalksSaySo) {
  Script s;
  s.task(3, 7, SCHEDSCOPE_TASK_BEGIN, 1).switches = 4;
  s.task(3, 8, SCHEDSCOPE_TASK_BEGIN, 1).switches = 4;
  s.task(3, 9, SCHEDSCOPE_TASK_BEGIN, 2).switches = 4;
  s.lost(0, 10, 20);
  s.task(90, 7, SCHEDSCOPE_TASK_END, 1).switches = 4;
  s.task(90, 8, SCHEDSCOPE_TASK_END, 1).switches = 6;
  s.task(90, 9, SCHEDSCOPE_TASK_END, 2).switches = 4;
  const Told told(s, 100);
  EXPECT_EQ(told.thread(7), "sleep 0-100");
  EXPECT_EQ(told.thread(8), "unknown 0-100");
  EXPECT_EQ(told.thread(9), "block 0-100");
}

TEST(KernelTimeline, ThreadReadOnACpuThatNeverSwitchedRanAllTheTime) {
  Script s;
  s.task(3, 7, SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_ON_CPU | SCHEDSCOPE_TASK_ON_RQ, 0).task_cpu =
      1;
  const Told told(s, 100);
  EXPECT_EQ(told.thread(7), "~run 0-100 ~");
  EXPECT_EQ(told.kept.of_cpu(1), "run 0-100");
  EXPECT_EQ(told.kept.of_cpu(0), "unknown 0-100");
}

TEST(KernelTimeline, ReusedTidIsAnotherThread) {
  Script s;
  s.fork(1, 1, 7);
  s.wake_new(2, 7);
  s.to(3, 0, 7);
  s.to(10, 0, 0, dies);
  s.fork(11, 1, 7);
  s.wake_new(12, 7);
  s.to(15, 0, 7);
  s.to(20, 0, 0, dies);
  const Told told(s, 30);
  EXPECT_EQ(told.timeline.threads().size(), 2U);
  EXPECT_EQ(told.thread(7, 0), "wait 2-3, run 3-10 exited");
  EXPECT_EQ(told.thread(7, 1), "wait 12-15, run 15-20 exited");
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
}

// The tid is free once the parent reaped the thread, which may be before its last switch.
TEST(KernelTimeline, TidReusedBeforeTheLastSwitch) {
  Script s;
  s.fork(1, 1, 7);
  s.wake_new(2, 7);
  s.to(3, 0, 7);
  s.fork(8, 1, 7);  // another thread, while the first one still runs on CPU 0
  s.wake_new(9, 7);
  s.to(10, 1, 7);
  s.set_number(7, 5);
  s.to(12, 0, 0, dies).prev_switches = 1;
  s.set_number(7, 0);
  s.to(20, 1, 0, sleeps);
  const Told told(s, 30, Timeline::Scope::whole_machine, 2);
  EXPECT_EQ(told.thread(7, 0), "wait 2-3, run 3-12 exited");
  EXPECT_EQ(told.thread(7, 1), "wait 9-10, run 10-20 blocked, sleep 20-30");
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
  EXPECT_EQ(identities(told, 0, 30), "");
}

TEST(KernelTimeline, ExecOfAnotherThanTheLeaderTakesTheLeadersTid) {
  Script s;
  s.to(10, 0, 8);
  auto exec = make_record<schedscope_exec>(SCHEDSCOPE_REC_EXEC, 15, 0);
  exec.tid = 7;
  exec.old_tid = 8;
  s.wake(12, 7);
  s.add(exec);
  auto& out = s.to(20, 0, 0, sleeps);
  out.prev_tid = 7;
  const Told told(s, 30);
  EXPECT_EQ(told.thread(7), "unknown 0-10, run 10-20 blocked, sleep 20-30");
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
}

// As the kernel does it: the two have exchanged their tids before either is told of, the leader
// leaves under the other one's, and the caller sleeps before it is through.
TEST(KernelTimeline, ExecIsToldAtTheExchangeAndAgainWhenItIsDone) {
  Script s;
  s.task(1, 7, SCHEDSCOPE_TASK_BEGIN, 1).start_ns = 700;
  s.task(1, 8, SCHEDSCOPE_TASK_BEGIN, 1).start_ns = 800;
  s.to(10, 0, 8);
  s.to(11, 1, 7);
  auto exec = make_record<schedscope_exec>(SCHEDSCOPE_REC_EXEC, 15, 1);
  exec.tid = 7;
  exec.old_tid = 8;
  s.add(exec);
  s.has(1, 8);
  s.to(15, 1, 0, dies);
  exec.rec.time_ns = 18;
  exec.rec.cpu = 0;
  s.add(exec);
  s.has(0, 7);
  s.to(18, 0, 0, sleeps);
  s.wake(20, 7);
  s.to(21, 0, 7);
  exec.rec.time_ns = 22;
  s.add(exec);
  s.task(22, 7, 0, 0).start_ns = 700;
  s.to(25, 0, 0, sleeps);
  const Told told(s, 30);
  EXPECT_EQ(
      told.thread(7),
      "unknown 0-10, run 10-18 blocked, sleep 18-20, wait 20-21, run 21-25 blocked, sleep 25-30");
  EXPECT_EQ(told.thread(8), "unknown 0-11, run 11-15 exited");
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
  EXPECT_EQ(identities(told, 0, 30), "");
}

TEST(KernelTimeline, SpanNamesItsWaker) {
  Script s;
  s.to(10, 0, 7);
  s.to(20, 0, 8, sleeps);
  s.wake(30, 7, 8);
  s.to(40, 0, 7, sleeps);
  s.to(50, 0, 0, sleeps);
  s.wake(60, 7, 8, SCHEDSCOPE_WAKING_TIMER);
  s.to(61, 0, 7);
  s.to(62, 0, 0);
  const Told told(s, 70);
  std::vector<Span> sleeps_of_7;
  for (const Span& span : told.kept.spans) {
    if (span.thread == told.timeline.find(7) && span.state == State::sleep) {
      sleeps_of_7.push_back(span);
    }
  }
  ASSERT_EQ(sleeps_of_7.size(), 3U);
  EXPECT_EQ(sleeps_of_7[0].waker, told.timeline.find(8));
  EXPECT_FALSE(sleeps_of_7[0].waker_timer);
  EXPECT_TRUE(sleeps_of_7[1].waker_timer);  // who was interrupted is nobody's waker
  EXPECT_EQ(sleeps_of_7[1].waker, no_index);
  EXPECT_TRUE(sleeps_of_7[2].end_cut);
}

// A CPU is taken down and brought up again: it was off, and nobody was idle there.
TEST(KernelTimeline, ACpuThatGoesAndComes) {
  Script s;
  s.to(10, 0, 7);
  s.to(20, 0, 0, sleeps);
  s.hotplug(25, 0, SCHEDSCOPE_HOTPLUG_OFF);
  s.hotplug(60, 0, 0);
  s.wake(61, 7);
  s.to(62, 0, 7);
  s.to(70, 0, 0, sleeps);
  const Told told(s, 80);
  EXPECT_EQ(told.kept.of_cpu(0),
            "idle 0-10, run 10-20, idle 20-25, off 25-60, idle 60-62, run 62-70, idle 70-80");
  EXPECT_EQ(told.thread(7),
            "unknown 0-10, run 10-20 blocked, sleep 20-61, wait 61-62, "
            "run 62-70 blocked, sleep 70-80");
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
}

TEST(KernelTimeline, ACpuThatStaysOff) {
  Script s;
  s.to(10, 0, 7);
  s.to(20, 0, 0, sleeps);
  s.hotplug(25, 0, SCHEDSCOPE_HOTPLUG_OFF);
  s.hotplug(30, 0, SCHEDSCOPE_HOTPLUG_OFF);
  EXPECT_EQ(Told(s, 80).kept.of_cpu(0), "idle 0-10, run 10-20, idle 20-25, off 25-80");
}

// The recorder found it off as it began: so it was from the start, unless something was heard.
TEST(KernelTimeline, ACpuThatIsFoundOff) {
  Script s;
  s.hotplug(3, 0, SCHEDSCOPE_HOTPLUG_OFF, SCHEDSCOPE_CPU_NONE);
  s.hotplug(40, 0, 0);
  s.to(50, 0, 7);
  EXPECT_EQ(Told(s, 80).kept.of_cpu(0), "off 0-40, idle 40-50, run 50-80");
  Script late;
  late.to(1, 0, 7);
  late.to(2, 0, 0, sleeps);
  late.hotplug(3, 0, SCHEDSCOPE_HOTPLUG_OFF, SCHEDSCOPE_CPU_NONE);
  EXPECT_EQ(Told(late, 80).kept.of_cpu(0), "idle 0-1, run 1-2, idle 2-3, off 3-80");
}

// A thread that is still there left unseen.
TEST(KernelTimeline, ACpuThatGoesWithAThreadOnIt) {
  Script s;
  s.to(10, 0, 7);
  s.hotplug(25, 0, SCHEDSCOPE_HOTPLUG_OFF);
  const Told told(s, 80);
  EXPECT_EQ(told.kept.of_cpu(0), "idle 0-10, unknown 10-25, off 25-80");
  EXPECT_EQ(told.thread(7), "unknown 0-10, unknown 10-80");
  EXPECT_EQ(told.timeline.discontinuities(), 1U);
}

// The kernel does not tell when the stopper leaves a CPU that it takes down.
TEST(KernelTimeline, TheStopperLeavesACpuThatGoes) {
  Script s;
  s.task(1, 17, SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_KTHREAD, 1, "migration/0").prio = 0;
  s.set_prio(17, 0);
  s.wake(20, 17);
  s.to(21, 0, 17);
  s.hotplug(25, 0, SCHEDSCOPE_HOTPLUG_OFF);
  s.hotplug(60, 0, 0);
  s.has(0, 0);
  s.set_number(17, 2);
  s.wake(70, 17);
  s.to(71, 0, 17);
  s.to(72, 0, 0, sleeps);
  const Told told(s, 80);
  EXPECT_EQ(told.kept.of_cpu(0),
            "idle 0-21, unknown 21-25, off 25-60, idle 60-71, run 71-72, idle 72-80");
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
}

// That it comes was lost; a switch there says that it is back.
TEST(KernelTimeline, ACpuThatComesUnseen) {
  Script s;
  s.to(10, 0, 7);
  s.to(20, 0, 0, sleeps);
  s.hotplug(25, 0, SCHEDSCOPE_HOTPLUG_OFF);
  s.to(60, 0, 7);
  EXPECT_EQ(Told(s, 80).kept.of_cpu(0), "idle 0-10, run 10-20, idle 20-25, off 25-60, run 60-80");
  Script gap;
  gap.to(10, 0, 7);
  gap.to(20, 0, 0, sleeps);
  gap.hotplug(25, 0, SCHEDSCOPE_HOTPLUG_OFF);
  gap.lost(1, 40, 50);
  gap.to(60, 0, 7);
  EXPECT_EQ(Told(gap, 80, Timeline::Scope::whole_machine, 2).kept.of_cpu(0),
            "idle 0-10, run 10-20, idle 20-25, off 25-40, unknown 40-50, idle 50-60, run 60-80");
}

// A ring may hold records from before the recording began: that is no clock that went back.
TEST(KernelTimeline, WhatIsOlderThanTheStartHoldsThere) {
  Script s;
  s.to(5, 0, 7);
  s.to(8, 0, 0, sleeps);
  s.wake(20, 7);
  const Told told(s, 30, Timeline::Scope::whole_machine, 1, 10);
  EXPECT_EQ(told.thread(7), "sleep 10-20, wait 20-30");
  EXPECT_EQ(told.timeline.clock_reversals(), 0U);
}

TEST(KernelTimeline, TimeThatGoesBackIsClampedAndCounted) {
  Script s;
  s.to(10, 0, 7);
  s.to(20, 0, 0, sleeps);
  s.wake(18, 7);
  s.to(30, 0, 7);
  s.to(40, 0, 0, sleeps);
  const Told told(s, 40);
  EXPECT_EQ(told.thread(7), "unknown 0-10, run 10-20 blocked, wait 20-30, run 30-40 blocked");
  EXPECT_EQ(told.timeline.clock_reversals(), 1U);
}

TEST(KernelTimeline, StopperThatMovesTheThreadEndsItsSliceAsMigrated) {
  Script s;
  s.set_prio(20, 0);
  s.task(1, 20, SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_KTHREAD, 1, "migration/0").policy = 1;
  s.to(10, 0, 7);
  s.wake(19, 20, 7);
  s.to(20, 0, 20, preempted_by(20));
  auto migrate = make_record<schedscope_migrate>(SCHEDSCOPE_REC_MIGRATE, 22, 0);
  migrate.tid = 7;
  migrate.to_cpu = 1;
  s.add(migrate);
  s.to(23, 0, 0, sleeps);
  s.to(25, 1, 7);
  s.set_prio(7, 120);
  s.to(30, 1, 0, sleeps);
  const Told told(s, 30, Timeline::Scope::whole_machine, 2);
  EXPECT_EQ(told.thread(7), "unknown 0-10, run 10-20 migrated, wait 20-25, run 25-30 blocked");
  EXPECT_EQ(identities(told, 0, 30), "");
}

// The load balancer of another CPU is no reason for the end of a slice.
TEST(KernelTimeline, ThreadThatAnotherCpuPullsOverWhileTheStopperWorksWasOutranked) {
  Script s;
  s.set_prio(20, 0);
  s.task(1, 20, SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_KTHREAD, 1, "migration/0");
  s.to(10, 0, 7);
  s.wake(19, 20, 7);
  s.to(20, 0, 20, preempted_by(20));
  auto migrate = make_record<schedscope_migrate>(SCHEDSCOPE_REC_MIGRATE, 22, 1);
  migrate.tid = 7;
  migrate.to_cpu = 1;
  s.add(migrate);
  s.to(23, 0, 0, sleeps);
  s.to(25, 1, 7);
  s.set_prio(7, 120);
  s.to(30, 1, 0, sleeps);
  EXPECT_EQ(Told(s, 30, Timeline::Scope::whole_machine, 2).thread(7),
            "unknown 0-10, run 10-20 outranked, wait 20-25, run 25-30 blocked");
}

TEST(KernelTimeline, StopperForAnotherThreadOnlyOutranks) {
  Script s;
  s.set_prio(20, 0);
  s.task(1, 20, SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_KTHREAD, 1, "migration/0");
  s.to(10, 0, 7);
  s.wake(19, 20, 7);
  s.to(20, 0, 20, preempted_by(20));
  s.to(23, 0, 7, sleeps);
  s.to(30, 0, 0, sleeps);
  EXPECT_EQ(Told(s, 30).thread(7),
            "unknown 0-10, run 10-20 outranked, wait 20-23, run 23-30 blocked");
}

// Of a bystander only what touches a selected thread is recorded.
TEST(KernelTimeline, SelectedThreadsAreExactAmongBystanders) {
  using enum Timeline::Scope;
  Script s;
  s.task(1, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  s.task(10, 50, SCHEDSCOPE_TASK_BYSTANDER, 0);
  s.wake(9, 7);
  s.has(0, 50);
  s.to(10, 0, 7, ticked);  // 50 had been there for an unknown time
  s.task(20, 51, SCHEDSCOPE_TASK_BYSTANDER, 0);
  s.to(20, 0, 51, sleeps);  // 51 leaves unseen
  s.wake(30, 7);
  s.has(0, 50);
  s.set_number(50, 9);
  s.to(35, 0, 7, sleeps);
  s.to(40, 0, 0, sleeps);
  const Told told(s, 50, selected);
  EXPECT_EQ(told.thread(7),
            "sleep 0-10, run 10-20 blocked, sleep 20-30, wait 30-35, "
            "run 35-40 blocked, sleep 40-50");
  EXPECT_EQ(told.kept.of_cpu(0), "unknown 0-10, run 10-20, unknown 20-35, run 35-40, idle 40-50");
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
  EXPECT_EQ(identities(told, 0, 50), "");
}

}  // namespace
}  // namespace schedscope::timeline
