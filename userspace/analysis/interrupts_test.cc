// SPDX-License-Identifier: GPL-2.0-only
//
// What interrupts took, of slices that begin, go on and end in every way.
#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "report/json.h"
#include "report/text.h"
#include "timeline/testing.h"

namespace schedscope::analysis {
namespace {

using timeline::testing::Script;

constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t us = 1'000;

Report analyse(const Script& s, std::uint64_t end, Window window = {}, bool recorded = true,
               std::uint64_t start = 0) {
  capture::Machine machine;
  machine.start_ns = start;
  machine.cpus = machine.cpus_online = 2;
  if (recorded) machine.extras = {"interrupts"};
  Analysis analysis(machine, window);
  for (std::size_t i = 0; i < s.size(); ++i) analysis.add(s[i]);
  return analysis.finish(end);
}

InterruptReport of(const Report& report, std::uint32_t tid) {
  for (const ThreadReport& thread : report.threads) {
    if (thread.who.tid == tid) return thread.interrupts.value();
  }
  ADD_FAILURE() << "no thread " << tid;
  return {};
}

const timeline::testing::Why runnable = timeline::testing::runnable;

// 7 runs from 100 to 110 ms and loses 30 us, 8 from there to 130 and loses 1 ms, 2 in softirqs.
Script two_slices() {
  Script s;
  s.wake(99 * ms, 7);
  s.interrupts(100 * ms, 0, 0, 1 * ms, 5 * us, 6 * us);
  s.to(100 * ms, 0, 7);
  s.interrupts(110 * ms, 0, 7, 10 * ms, 10 * us, 20 * us);
  s.to(110 * ms, 0, 8, runnable);
  s.interrupts(130 * ms, 0, 8, 20 * ms, 1 * ms, 2 * ms);
  s.to(130 * ms, 0, 0);
  return s;
}

TEST(Interrupts, OfEachSliceAndOfIdleTime) {
  const Report report = analyse(two_slices(), 200 * ms);
  const InterruptReport seven = of(report, 7);
  EXPECT_EQ(seven.irq_ns, 10 * us);
  EXPECT_EQ(seven.softirq_ns, 20 * us);
  EXPECT_EQ(seven.irqs, 1U);
  EXPECT_EQ(seven.softirqs, 1U);
  EXPECT_EQ(seven.unknown_ns, 0U);
  EXPECT_EQ(of(report, 8).irq_ns, 1 * ms);
  ASSERT_EQ(report.cpus.size(), 2U);
  const CpuReport& cpu = report.cpus[0];
  EXPECT_EQ(cpu.idle_irq_ns, 5 * us);
  EXPECT_EQ(cpu.idle_softirq_ns, 6 * us);
  EXPECT_EQ(cpu.interrupts->irq_ns, 1 * ms + 15 * us);
  EXPECT_EQ(cpu.interrupts->softirq_ns, 2 * ms + 26 * us);
  EXPECT_EQ(cpu.interrupts->irqs, 3U);
  EXPECT_EQ(cpu.idle_ns, 170 * ms);
  EXPECT_EQ(cpu.interrupts->unknown_ns, 169 * ms);
  EXPECT_TRUE(report.threads_conserved);
}

TEST(Interrupts, AbsentWhereTheyWereNotRecorded) {
  const Report report = analyse(two_slices(), 200 * ms, {}, false);
  EXPECT_FALSE(report.threads[0].interrupts);
  EXPECT_FALSE(report.cpus[0].interrupts);
  EXPECT_EQ(report::json_report(report).find("irq"), std::string::npos);
  EXPECT_NE(report::json_report(analyse(two_slices(), 200 * ms)).find("\"idle_softirq_ns\""),
            std::string::npos);
}

TEST(Interrupts, OfASliceThatTheWindowCutsNothingIsKnown) {
  const Report report = analyse(two_slices(), 200 * ms, {.from_ns = 105 * ms, .to_ns = 0});
  EXPECT_EQ(of(report, 7).irq_ns, 0U);
  EXPECT_EQ(of(report, 7).unknown_ns, 5 * ms);
  EXPECT_EQ(of(report, 8).irq_ns, 1 * ms);
}

// On a CPU for all of the recording: parts, and what was left at the end.
TEST(Interrupts, OfASliceThatGoesOn) {
  Script s;
  s.task(1 * ms, 7, SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_ON_CPU, 0).task_cpu = 1;
  s.interrupts(1000 * ms, 1, 7, 1000 * ms, 3 * ms);
  auto& rest = s.interrupts(1500 * ms, 1, 7, 500 * ms, 2 * ms);
  rest.rec.cpu = SCHEDSCOPE_CPU_NONE;
  rest.rec.flags = SCHEDSCOPE_INTERRUPTS_GOES_ON;
  const Report report = analyse(s, 1510 * ms);
  EXPECT_EQ(of(report, 7).irq_ns, 5 * ms);
  EXPECT_EQ(of(report, 7).unknown_ns, 10 * ms);
}

// A piece of a flight recording, or a slice that had begun in a gap: the record is of more.
TEST(Interrupts, OfMoreThanTheSliceThatIsKnown) {
  Script s;
  s.has(0, 7);
  s.interrupts(1010 * ms, 0, 7, 900 * ms, 1 * ms);
  s.interrupts(1030 * ms, 0, 7, 20 * ms, 2 * ms);
  s.to(1030 * ms, 0, 0);
  const Report report = analyse(s, 1100 * ms, {}, true, 1000 * ms);
  EXPECT_EQ(of(report, 7).irq_ns, 2 * ms);
  EXPECT_EQ(of(report, 7).unknown_ns, 10 * ms);
}

// Idle from 20 to 50 ms, where records are lost until 60 ms, and from 70 to 80 ms.
TEST(Interrupts, OfIdleTimeBeforeAGapNothingIsKnown) {
  Script s;
  s.wake(9 * ms, 7);
  s.interrupts(10 * ms, 0, 0, 10 * ms, 1 * us);
  s.to(10 * ms, 0, 7);
  s.interrupts(20 * ms, 0, 7, 10 * ms, 1 * us);
  s.to(20 * ms, 0, 0);
  s.lost(0, 50 * ms, 60 * ms);
  s.wake(65 * ms, 7);
  s.interrupts(66 * ms, 0, 0, 12 * ms, 1 * us);  // idle since 54 ms, in the gap
  s.to(66 * ms, 0, 7);
  s.interrupts(70 * ms, 0, 7, 4 * ms, 1 * us);
  s.to(70 * ms, 0, 0);
  s.interrupts(80 * ms, 0, 0, 10 * ms, 1 * us).rec.flags = SCHEDSCOPE_INTERRUPTS_GOES_ON;
  const Report report = analyse(s, 80 * ms);
  EXPECT_EQ(report.cpus[0].interrupts->irqs, 5U);
  EXPECT_GE(report.cpus[0].interrupts->unknown_ns, 30 * ms);
  EXPECT_LE(report.cpus[0].interrupts->unknown_ns, 36 * ms);
}

TEST(Interrupts, OfASliceWhoseRecordWasLost) {
  Script s;
  s.wake(99 * ms, 7);
  s.to(100 * ms, 0, 7);
  s.interrupts(105 * ms, 0, 7, 5 * ms, 1 * ms).rec.flags = SCHEDSCOPE_INTERRUPTS_GOES_ON;
  s.lost(0, 110 * ms, 110 * ms);
  s.to(110 * ms, 0, 8, runnable);
  s.interrupts(120 * ms, 0, 8, 10 * ms, 2 * ms);
  s.to(120 * ms, 0, 0);
  const Report report = analyse(s, 200 * ms);
  EXPECT_EQ(of(report, 7).irq_ns, 1 * ms);
  EXPECT_EQ(of(report, 7).unknown_ns, 5 * ms);
  EXPECT_EQ(of(report, 8).irq_ns, 2 * ms);
  EXPECT_EQ(of(report, 8).unknown_ns, 0U);
}

TEST(Interrupts, NothingOfAnotherThreadAndNoMoreThanTheSlice) {
  Script s;
  s.wake(99 * ms, 7);
  s.to(100 * ms, 0, 7);
  s.interrupts(110 * ms, 0, 9, 10 * ms, 1 * ms);
  s.to(110 * ms, 0, 8, runnable);
  s.interrupts(120 * ms, 0, 8, 10 * ms, ~0ULL, ~0ULL);
  s.to(120 * ms, 0, 0);
  const Report report = analyse(s, 200 * ms);
  EXPECT_EQ(of(report, 7).irq_ns, 0U);
  EXPECT_EQ(of(report, 7).unknown_ns, 10 * ms);
  EXPECT_EQ(of(report, 8).unknown_ns, 10 * ms);
  EXPECT_EQ(report.cpus[0].interrupts->irq_ns, 0U);
}

TEST(Interrupts, FoundWhereTheyTookANotablePart) {
  Script s;
  s.wake(99 * ms, 7);
  s.to(100 * ms, 0, 7);
  s.interrupts(300 * ms, 0, 7, 200 * ms, 6 * ms, 14 * ms);
  s.to(300 * ms, 0, 8, runnable);
  s.interrupts(500 * ms, 0, 8, 200 * ms, 2 * ms, 7 * ms);
  s.to(500 * ms, 0, 0);
  const Report report = analyse(s, 600 * ms);
  std::vector<Finding> found;
  for (const Finding& finding : report.findings) {
    if (finding.kind == "interrupts") found.push_back(finding);
  }
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].for_ns, 20 * ms);
  EXPECT_NE(found[0].text.find("(10 %)"), std::string::npos) << found[0].text;
  report::TextOptions options;
  options.width = 200;
  options.thread = "7";
  const std::string text = report::text_report(report, options);
  EXPECT_NE(text.find("interrupts took at least 6.000 ms in 1 hard ones"), std::string::npos)
      << text;
}

}  // namespace
}  // namespace schedscope::analysis
