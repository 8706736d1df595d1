// SPDX-License-Identifier: GPL-2.0-only
//
// A CPU that is taken down and brought up again.
#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "timeline/testing.h"

namespace schedscope::analysis {
namespace {

using timeline::testing::Script;
using timeline::testing::sleeps;

constexpr std::uint64_t ms = 1'000'000;

Report analyse(const Script& s, std::uint64_t end, Window window = {}) {
  capture::Machine machine;
  machine.cpus = machine.cpus_online = 1;
  Analysis analysis(machine, window);
  for (std::size_t i = 0; i < s.size(); ++i) analysis.add(s[i]);
  return analysis.finish(end);
}

// Its stopper takes it down at 20 ms, and leaves it without a word; it is back at 60 ms.
Script going_and_coming(std::uint64_t stoppers_switches, std::uint64_t stoppers_run_ns = 2 * ms) {
  Script s;
  auto& begin =
      s.task(1 * ms, 17, SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_KTHREAD, 1, "migration/0");
  begin.prio = 0;
  begin.switches = 40;
  s.set_prio(17, 0);
  s.set_number(17, 40);
  s.wake(20 * ms, 17);
  s.to(21 * ms, 0, 17);
  s.hotplug(22 * ms, 0, SCHEDSCOPE_HOTPLUG_OFF);
  s.hotplug(60 * ms, 0, 0);
  s.has(0, 0);
  s.set_number(17, 41);
  s.wake(70 * ms, 17);
  s.to(71 * ms, 0, 17);
  s.to(72 * ms, 0, 0, sleeps);
  auto& end = s.task(80 * ms, 17, SCHEDSCOPE_TASK_END | SCHEDSCOPE_TASK_KTHREAD, 1, "migration/0");
  end.switches = stoppers_switches;
  end.run_ns = stoppers_run_ns;
  return s;
}

TEST(Cpus, TimeOffIsNeitherRunNorIdle) {
  const Report report = analyse(going_and_coming(42), 100 * ms);
  ASSERT_EQ(report.cpus.size(), 1U);
  EXPECT_EQ(report.cpus[0].off_ns, 38 * ms);
  EXPECT_EQ(report.cpus[0].unknown_ns, 1 * ms);
  EXPECT_EQ(report.cpus[0].run_ns, 1 * ms);
  EXPECT_EQ(report.cpus[0].idle_ns, 60 * ms);
  EXPECT_TRUE(report.cpus_conserved);
  EXPECT_EQ(report.discontinuities, 0U);
}

TEST(Cpus, OffInAWindow) {
  const Report report =
      analyse(going_and_coming(42), 100 * ms, {.from_ns = 30 * ms, .to_ns = 50 * ms});
  ASSERT_EQ(report.cpus.size(), 1U);
  EXPECT_EQ(report.cpus[0].off_ns, 20 * ms);
  EXPECT_EQ(report.cpus[0].idle_ns, 0U);
}

// The kernel counts the stopper's switch that it does not tell, and no other one is made up for.
TEST(Cpus, OneSwitchOfTheStopperIsNotTold) {
  EXPECT_EQ(analyse(going_and_coming(42), 100 * ms).kernel_counts_agree, true);
  EXPECT_EQ(analyse(going_and_coming(43), 100 * ms).kernel_counts_agree, false);
  // Nor is what it ran until then.
  const Report slow = analyse(going_and_coming(42, 30 * ms), 100 * ms);
  EXPECT_EQ(slow.kernel_counts_agree, true);
  EXPECT_EQ(slow.kernel_counts.run_times_unknown, 1U);
}

}  // namespace
}  // namespace schedscope::analysis
