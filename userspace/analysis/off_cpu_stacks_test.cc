// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "analysis/frames.h"
#include "timeline/testing.h"

namespace schedscope::analysis {
namespace {

using namespace timeline::testing;

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

schedscope_frame frame(std::uint32_t stack, std::uint32_t index, std::uint32_t frames,
                       std::string_view symbol, std::uint32_t part = 0, std::uint32_t parts = 1) {
  auto record = make_record<schedscope_frame>(SCHEDSCOPE_REC_FRAME, 1);
  record.stack = stack;
  record.index = index;
  record.frames = frames;
  record.part = part;
  record.parts = parts;
  symbol.copy(reinterpret_cast<char*>(record.symbol), sizeof(record.symbol));
  return record;
}

// Thread 7 runs 5 ns from `t` on and sleeps, with these stacks.
void round(Script& s, std::uint64_t t, std::uint32_t kernel, std::uint32_t user) {
  s.wake(t, 7);
  s.to(t, 0, 7);
  auto record = make_record<schedscope_stack>(SCHEDSCOPE_REC_STACK, t + 5, 0);
  record.tid = 7;
  record.kernel = kernel;
  record.user = user;
  if (kernel != 0) s.add(record);
  s.to(t + 5, 0, 0, sleeps);
}

std::string symbols(const Report& report, std::uint32_t number) {
  std::string text;
  const auto* frames = report.stacks->find(number);
  if (frames == nullptr) return "none";
  for (const auto index : *frames) text += report.stacks->frames[index].symbol + " ";
  return text;
}

TEST(OffCpuStacks, TimeByStack) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  round(s, 10, 1, 2);
  round(s, 100, 1, 3);
  round(s, 150, 1, 2);
  round(s, 200, 0, 0);  // its record was lost
  round(s, 300, 1, SCHEDSCOPE_STACK_GONE);
  round(s, 400, SCHEDSCOPE_STACK_UNREADABLE, 9);  // nobody tells what 9 is
  s.add(frame(2, 1, 2, "main"));
  s.add(frame(1, 0, 1, "schedule"));
  s.add(frame(2, 0, 2, "f"));
  s.add(frame(3, 0, 2, "half"));
  const Report report = analyse(s, 500);
  ASSERT_TRUE(report.stacks);
  const auto& rows = of(report, 7).off_cpu_stacks;
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0].stacks, (timeline::Stacks{.kernel = 1, .user = 2}));
  EXPECT_EQ(rows[0].count, 2U);
  EXPECT_EQ(rows[0].ns, 85U + 45);
  EXPECT_EQ(rows[0].max_ns, 85U);
  EXPECT_EQ(symbols(report, 1), "schedule ");
  EXPECT_EQ(symbols(report, 2), "f main ");
  EXPECT_EQ(symbols(report, 3), "none");  // not whole
  EXPECT_EQ(report.stacks->with.count, 5U);
  EXPECT_EQ(report.stacks->with.ns, 130U + 45 + 95 + 95);
  EXPECT_EQ(report.stacks->before.ns, 10U);
  EXPECT_EQ(report.stacks->lost.ns, 95U);
  EXPECT_EQ(report.stacks->kernel.unreadable.count, 1U);
  EXPECT_EQ(report.stacks->user.gone.ns, 95U);
  EXPECT_EQ(report.stacks->user.untold.count, 2U);
  std::uint64_t sum = report.stacks->before.ns + report.stacks->lost.ns + report.stacks->with.ns;
  EXPECT_EQ(sum, of(report, 7).sleep_ns);
}

TEST(OffCpuStacks, AbsentWhereNoneWereRecorded) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  round(s, 10, 0, 0);
  EXPECT_FALSE(analyse(s, 100).stacks);
}

TEST(OffCpuStacks, OnlyTheReportedSpan) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  round(s, 10, 1, 2);
  round(s, 100, 1, 2);
  const Report report = analyse(s, 300, {.from_ns = 50, .to_ns = 200});
  EXPECT_EQ(of(report, 7).off_cpu_stacks.at(0).ns, 50U + 95);
}

// A record of a stack belongs to the switch right behind it, and to no other.
TEST(OffCpuStacks, OnlyOfTheSwitchBehindIt) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  round(s, 10, 0, 0);
  auto record = make_record<schedscope_stack>(SCHEDSCOPE_REC_STACK, 35, 0);
  record.tid = 7;
  record.kernel = 1;
  s.wake(30, 7);
  s.to(30, 0, 7);
  s.add(record);
  s.to(36, 0, 0, sleeps);
  const Report report = analyse(s, 100);
  EXPECT_TRUE(of(report, 7).off_cpu_stacks.empty());
  EXPECT_EQ(report.stacks->lost.ns, 15U + 64);
}

StackReport told(const std::vector<schedscope_frame>& records) {
  Frames frames;
  for (const auto& record : records) frames.add(record);
  StackReport report;
  frames.finish(report);
  return report;
}

TEST(Frames, PartsMakeUpATextInTheirOrder) {
  const std::string name(64, 'a');
  const auto report = told({frame(1, 0, 1, name, 0, 2), frame(1, 0, 1, "b", 1, 2)});
  ASSERT_EQ(report.frames.size(), 1U);
  EXPECT_EQ(report.frames[0].symbol, name + "b");
  EXPECT_TRUE(told({frame(1, 0, 1, "b", 1, 2), frame(1, 0, 1, name, 0, 2)}).stacks.empty());
  EXPECT_TRUE(told({frame(1, 0, 1, name, 0, 3), frame(1, 0, 1, "b", 2, 3)}).stacks.empty());
  const auto twice = {frame(1, 0, 1, name, 0, 3), frame(1, 0, 1, "b", 1, 3),
                      frame(1, 0, 1, "b", 1, 3)};
  EXPECT_TRUE(told(twice).stacks.empty());
}

TEST(Frames, TheSameFrameIsKeptOnce) {
  const auto report = told({frame(1, 0, 1, "f"), frame(2, 0, 2, "f"), frame(2, 1, 2, "f")});
  EXPECT_EQ(report.frames.size(), 1U);
  EXPECT_EQ(report.stacks.size(), 2U);
}

TEST(Frames, WhatMakesNoSenseIsLeftOut) {
  for (const auto& record :
       {frame(0, 0, 1, "f"), frame(~0U, 0, 1, "f"), frame(1, 1, 1, "f"), frame(1, 0, ~0U, "f"),
        frame(1, 0, 1, "f", 1, 1), frame(1, 0, 1, "f", 0, ~0U)}) {
    EXPECT_TRUE(told({record}).stacks.empty());
  }
  // Of two sizes of one stack the first counts.
  EXPECT_TRUE(
      told({frame(1, 0, 2, "f"), frame(1, 1, 3, "f"), frame(1, 2, 3, "f")}).stacks.at(1).size() ==
      2);
  auto long_id = frame(1, 0, 1, "f");
  long_id.build_id_bytes = ~0U;
  EXPECT_EQ(told({long_id}).frames[0].build_id.size(), 20U);
}

}  // namespace
}  // namespace schedscope::analysis
