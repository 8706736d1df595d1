// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "timeline/gaps.h"
#include "timeline/testing.h"

namespace schedscope::timeline {
namespace {

using namespace testing;

TEST(Gap, EndsWhatWasOpenOnItsCpuAsUnknown) {
  Script s;
  s.to(10, 0, 7);
  s.lost(0, 30, 50);
  // Who leaves has been there since the gap ended. Whether it was woken in the gap, on its way to
  // sleep, would show at its next waking.
  s.to(60, 0, 0, sleeps);
  const Told told(s, 80);
  EXPECT_EQ(told.thread(7),
            "unknown 0-10, run 10-30 ~, unknown 30-50, ~run 50-60 blocked, unknown 60-80");
  EXPECT_EQ(told.kept.of_cpu(0), "idle 0-10, run 10-30, unknown 30-50, run 50-60, idle 60-80");
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
  EXPECT_EQ(identities(told, 0, 80), "");
}

TEST(Gap, SleepersAndWaitersMayHaveRunInIt) {
  Script s;
  s.to(5, 0, 7);
  s.to(10, 0, 8, ticked);  // 7 waits
  s.to(20, 0, 0, sleeps);  // 8 sleeps
  s.lost(1, 30, 50);
  s.wake(60, 8);
  s.to(65, 0, 8);
  s.to(70, 0, 7, sleeps);
  s.to(75, 0, 0, sleeps);
  const Told told(s, 80, Timeline::Scope::whole_machine, 2);
  EXPECT_EQ(told.thread(8),
            "unknown 0-10, run 10-20 blocked, sleep 20-30, unknown 30-60, wait 60-65, "
            "run 65-70 blocked, sleep 70-80");
  EXPECT_EQ(told.thread(7),
            "unknown 0-5, run 5-10 expired, wait 10-30, unknown 30-70, "
            "run 70-75 blocked, sleep 75-80");
  EXPECT_EQ(identities(told, 0, 80), "");
}

TEST(Gap, DoesNotTouchWhoRunsOnAnotherCpu) {
  Script s;
  s.to(10, 0, 7);
  s.lost(1, 30, 50);
  s.to(60, 0, 0, sleeps);
  EXPECT_EQ(Told(s, 60, Timeline::Scope::whole_machine, 2).thread(7),
            "unknown 0-10, run 10-60 blocked");
}

// The gap is told of at its end; in between, 7 was woken and ran elsewhere, which its switch
// number shows not to be all: what is given out is only what is certain.
TEST(Gap, ToldOfAfterItsSwitchesWereMissed) {
  Script s;
  s.to(5, 0, 7);
  s.to(10, 0, 0, sleeps);
  s.set_number(7, 4);  // it ran on CPU 1 in the gap, three switches
  s.wake(40, 7);
  s.to(45, 0, 7);
  s.lost(1, 20, 50);
  s.to(60, 0, 0, sleeps);
  const Told told(s, 70, Timeline::Scope::whole_machine, 2);
  EXPECT_EQ(told.thread(7),
            "unknown 0-5, run 5-10 blocked, unknown 10-45, run 45-60 blocked, unknown 60-70");
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
}

TEST(Gap, ToldOfAfterTheMissExplainsIt) {
  Script s;
  s.to(5, 0, 7);
  s.to(10, 0, 0, sleeps);
  s.set_number(7, 4);
  s.wake(40, 7);
  s.to(45, 0, 7);
  s.to(48, 0, 0, sleeps);
  s.lost(1, 20, 50);
  const Told told(s, 70, Timeline::Scope::whole_machine, 2);
  EXPECT_EQ(told.thread(7), "unknown 0-5, run 5-10 blocked, unknown 10-48, unknown 48-70");
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
  EXPECT_EQ(identities(told, 0, 70), "");
}

TEST(Gap, WakingAfterItOfAThreadThatIsRunningIsNoWait) {
  Script s;
  s.to(10, 0, 7);
  s.lost(0, 20, 30);
  s.wake(40, 7);  // consumed in place: 7 has been on the CPU since the gap
  s.to(50, 0, 0, sleeps);
  EXPECT_EQ(Told(s, 50).thread(7), "unknown 0-10, run 10-20 ~, unknown 20-30, ~run 30-50 blocked");
}

TEST(Gap, OfTheWholeCaptureTakesAllCpus) {
  Script s;
  s.to(10, 0, 7);
  s.to(10, 1, 8);
  s.lost(SCHEDSCOPE_CPU_NONE, 20, 30);
  const Told told(s, 40, Timeline::Scope::whole_machine, 2);
  EXPECT_EQ(told.thread(7), "unknown 0-10, run 10-20 ~, unknown 20-40");
  EXPECT_EQ(told.thread(8), "unknown 0-10, run 10-20 ~, unknown 20-40");
  EXPECT_EQ(told.kept.of_cpu(1), "idle 0-10, run 10-20, unknown 20-40");
}

TEST(Gap, ThreadThatNothingAnnouncedIsBornWithItsFirstRecord) {
  Script s;
  s.lost(0, 10, 20);
  s.wake(30, 7);
  s.to(40, 0, 7);
  const Told told(s, 50);
  EXPECT_EQ(told.thread(7), "wait 30-40, run 40-50 ~");
  EXPECT_EQ(told.timeline.threads()[0].born_ns, 30U);
}

TEST(Discontinuity, SwitchNumberThatDoesNotFollow) {
  Script s;
  s.to(5, 0, 7);
  s.to(10, 0, 0, sleeps);
  s.wake(20, 7);
  s.to(25, 0, 7);
  s.set_number(7, 4);
  s.to(30, 0, 0, sleeps);
  const Told told(s, 40);
  EXPECT_EQ(told.thread(7), "unknown 0-5, run 5-10 blocked, unknown 10-30, sleep 30-40");
  EXPECT_EQ(told.kept.of_cpu(0), "idle 0-5, run 5-10, idle 10-25, unknown 25-30, idle 30-40");
  EXPECT_EQ(told.timeline.discontinuities(), 1U);
  EXPECT_EQ(identities(told, 0, 40), "");
}

TEST(Discontinuity, NumberWraps) {
  Script s;
  s.to(5, 0, 7);
  s.set_number(7, 0xfffffffe);
  s.to(10, 0, 8, ticked);
  s.to(15, 0, 7, sleeps);
  s.to(20, 0, 0, sleeps);
  EXPECT_EQ(Told(s, 20).timeline.discontinuities(), 0U);
}

TEST(Discontinuity, AnotherThreadLeavesThanTheOneThatCame) {
  Script s;
  s.to(10, 0, 7);
  s.has(0, 8);
  s.to(30, 0, 0, sleeps);
  const Told told(s, 40);
  EXPECT_EQ(told.thread(7), "unknown 0-10, unknown 10-40");
  EXPECT_EQ(told.thread(8), "unknown 0-30, ~run 30-30 blocked, sleep 30-40");
  EXPECT_EQ(told.kept.of_cpu(0), "idle 0-10, unknown 10-30, run 30-30, idle 30-40");
  EXPECT_EQ(told.timeline.discontinuities(), 1U);
  EXPECT_EQ(identities(told, 0, 40), "");
}

TEST(Discontinuity, ThreadComesWhileItRunsElsewhere) {
  Script s;
  s.to(10, 0, 7);
  s.to(20, 1, 7);
  s.to(30, 1, 0, sleeps);
  const Told told(s, 40, Timeline::Scope::whole_machine, 2);
  EXPECT_EQ(told.kept.of_cpu(0), "idle 0-10, unknown 10-40");
  EXPECT_EQ(told.timeline.discontinuities(), 1U);
  EXPECT_EQ(identities(told, 0, 40), "");
}

TEST(Gaps, EarliestAfter) {
  Gaps gaps;
  gaps.add(10);
  gaps.add(30);
  gaps.add(20);  // began before the second one, told of after it
  EXPECT_EQ(gaps.earliest_after(0), 10U);
  EXPECT_EQ(gaps.earliest_after(1), 20U);
  EXPECT_EQ(gaps.earliest_after(2), 20U);
  EXPECT_EQ(gaps.held(), 2U);
}

}  // namespace
}  // namespace schedscope::timeline
