// SPDX-License-Identifier: GPL-2.0-only
//
// Threads that come into the selection while it is recorded, and that leave it.
#include <gtest/gtest.h>

#include "timeline/testing.h"

namespace schedscope::timeline {
namespace {

using namespace testing;

constexpr std::uint16_t enters = SCHEDSCOPE_TASK_MOVED;
constexpr std::uint16_t leaves = SCHEDSCOPE_TASK_MOVED | SCHEDSCOPE_TASK_BYSTANDER;
constexpr std::uint16_t on_cpu = SCHEDSCOPE_TASK_ON_CPU | SCHEDSCOPE_TASK_ON_RQ;
constexpr auto selected = Timeline::Scope::selected;

TEST(Selection, ASleeperThatEntersSleepsFromThereOn) {
  Script s;
  s.task(20, 7, enters, 1);
  s.wake(30, 7);
  s.to(35, 0, 7).prev_tid = 9;  // whoever was there
  s.to(50, 0, 0, sleeps);
  const Told told(s, 80, selected);
  EXPECT_EQ(told.thread(7), "sleep 20-30, wait 30-35, run 35-50 blocked, sleep 50-80");
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
  EXPECT_TRUE(told.timeline.threads()[0].partial);
  EXPECT_EQ(identities(told, 0, 80), "");
}

TEST(Selection, ARunningThreadThatEntersRunsFromThereOn) {
  Script s;
  s.task(20, 7, enters | on_cpu).switches = 41;
  s.has(0, 7);
  s.set_number(7, 41);
  s.to(50, 0, 0, sleeps);
  const Told told(s, 80, selected);
  EXPECT_EQ(told.thread(7), "~run 20-50 blocked, sleep 50-80");
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
  EXPECT_EQ(identities(told, 0, 80), "");
}

// It may have come in after recording began, and be told of before its coming is: a new name, or a
// program, on another CPU.
TEST(Selection, OneThatIsToldOfFirstWasNotThereFromTheStart) {
  Script s;
  s.task(20, 7, 0, 1).start_ns = 1;
  s.task(21, 7, enters, 1).start_ns = 1;
  s.task(50, 7, leaves, 1).start_ns = 1;
  const Told told(s, 80, selected, 1, 10);
  EXPECT_EQ(told.timeline.threads()[0].born_ns, 20U);
  EXPECT_EQ(told.timeline.threads()[0].gone_ns, 50U);
  EXPECT_EQ(identities(told, 10, 80), "");
}

// What is known of a bystander's place may be old: it enters where it is read.
TEST(Selection, ABystanderThatEntersIsAnotherThread) {
  Script s;
  s.task(5, 6, SCHEDSCOPE_TASK_BEGIN | on_cpu);
  s.task(10, 7, SCHEDSCOPE_TASK_BYSTANDER);
  s.has(0, 6);
  s.to(10, 0, 7, sleeps);
  s.task(20, 7, enters, 1).switches = 3;  // it has left the CPU since, and sleeps
  const Told told(s, 80, selected);
  EXPECT_TRUE(told.timeline.threads()[1].bystander);
  EXPECT_FALSE(told.timeline.threads()[2].bystander);
  EXPECT_EQ(told.timeline.threads()[2].born_ns, 20U);
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
  EXPECT_EQ(identities(told, 0, 80), "");
}

TEST(Selection, WhatALeaverDidCountsUpToThere) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  s.wake(10, 7);
  s.to(15, 0, 7);
  s.to(30, 0, 0, sleeps);
  s.task(50, 7, leaves, 1);
  const Told told(s, 80, selected);
  EXPECT_EQ(told.thread(7), "sleep 0-10, wait 10-15, run 15-30 blocked, sleep 30-50");
  EXPECT_EQ(told.timeline.threads()[0].gone_ns, 50U);
  EXPECT_TRUE(told.timeline.threads()[0].partial);
  EXPECT_FALSE(told.timeline.threads()[0].exited);
  EXPECT_TRUE(told.timeline.threads()[1].bystander);
  EXPECT_EQ(identities(told, 0, 80), "");
}

// A new name, or a program, that was told of on another CPU while it left, or a walk that met it.
TEST(Selection, ALeaverThatIsToldOfAgainStaysOut) {
  Script s;
  s.task(10, 7, enters, 1);
  s.task(50, 7, leaves, 1);
  s.task(51, 7, 0, 1);
  s.task(52, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  const Told told(s, 80, selected);
  ASSERT_EQ(told.timeline.threads().size(), 2U);
  EXPECT_EQ(told.timeline.threads()[0].gone_ns, 50U);
  EXPECT_TRUE(told.timeline.threads()[1].bystander);
}

// The walk at the start finds whom the rules select, who may have been met before.
TEST(Selection, ABystanderThatTheWalkFindsIsSelected) {
  Script s;
  s.task(10, 7, SCHEDSCOPE_TASK_BYSTANDER, 1);
  s.task(20, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  const Told told(s, 80, selected);
  ASSERT_EQ(told.timeline.threads().size(), 2U);
  EXPECT_FALSE(told.timeline.threads()[1].bystander);
}

// A filtered-out thread still ends the open interval of one that is in: here the leaver, whose
// switch to a selected one is recorded.
TEST(Selection, ALeaverStaysOnItsCpuUntilItIsSeenToLeaveThat) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  s.task(0, 8, SCHEDSCOPE_TASK_BEGIN, 1);
  s.wake(10, 7);
  s.to(15, 0, 7);
  s.task(30, 7, leaves | on_cpu);
  s.wake(35, 8);
  s.to(40, 0, 8, ticked);
  s.to(60, 0, 0, sleeps);
  const Told told(s, 80, selected);
  EXPECT_EQ(told.thread(7), "sleep 0-10, wait 10-15, run 15-30 ~");
  EXPECT_EQ(told.thread(7, 1), "~run 30-40 expired, wait 40-80");
  EXPECT_EQ(told.thread(8), "sleep 0-35, wait 35-40, run 40-60 blocked, sleep 60-80");
  EXPECT_EQ(told.timeline.discontinuities(), 0U);
  EXPECT_EQ(identities(told, 0, 80), "");
}

TEST(Selection, EachStayIsAThreadOfItsOwn) {
  Script s;
  s.task(10, 7, enters, 1);
  s.task(20, 7, leaves, 1);
  s.task(30, 7, enters, 2);
  const Told told(s, 80, selected);
  EXPECT_EQ(told.thread(7, 0), "sleep 10-20");
  EXPECT_EQ(told.thread(7, 2), "block 30-80");
  EXPECT_EQ(identities(told, 0, 80), "");
}

// It slept the whole time only if it never ran: the kernel's count of its switches says so.
TEST(Selection, ALeaverThatRanUnseenIsUnknown) {
  Script s;
  s.task(10, 7, enters, 1).switches = 4;
  s.task(20, 7, leaves, 1).switches = 5;
  EXPECT_EQ(Told(s, 80, selected).thread(7, 0), "unknown 10-20");
}

TEST(Selection, OfTheWholeMachineAMoveIsNoCrossing) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  s.task(20, 7, SCHEDSCOPE_TASK_MOVED, 1);
  s.task(80, 7, SCHEDSCOPE_TASK_END, 1);
  EXPECT_EQ(Told(s, 80).thread(7), "sleep 0-80");
}

}  // namespace
}  // namespace schedscope::timeline
