// SPDX-License-Identifier: GPL-2.0-only
#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "timeline/testing.h"

namespace schedscope::analysis {
namespace {

using namespace timeline::testing;

Report analyse(const Script& s, std::uint64_t end, Window window = {}, const char* filter = "") {
  capture::Machine machine;
  machine.cpus = 1;
  machine.filter = filter;
  Analysis analysis(machine, window);
  for (std::size_t i = 0; i < s.size(); ++i) analysis.add(s[i]);
  return analysis.finish(end);
}

const CgroupReport& of(const Report& report, std::uint64_t id) {
  static const CgroupReport none;
  const auto at = std::ranges::find(report.cgroups, id, &CgroupReport::id);
  EXPECT_NE(at, report.cgroups.end()) << id;
  return at == report.cgroups.end() ? none : *at;
}

void add_path(Script& s, std::uint64_t id, const std::string& path) {
  for (std::size_t at = 0; at < path.size(); at += SCHEDSCOPE_CGROUP_PART_LEN) {
    auto part = make_record<schedscope_cgroup>(SCHEDSCOPE_REC_CGROUP, 0);
    part.cgroup_id = id;
    part.at = static_cast<std::uint32_t>(at);
    part.path_bytes = static_cast<std::uint32_t>(path.size());
    path.copy(reinterpret_cast<char*>(part.part), sizeof(part.part), at);
    s.add(part);
  }
}

// 7 runs from 0 to 60 in cgroup 5, then moves to 6 while on the CPU; 8 sleeps in 5.
Script mover() {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_ON_CPU).cgroup_id = 5;
  s.task(0, 8, SCHEDSCOPE_TASK_BEGIN, 1).cgroup_id = 5;
  s.has(0, 7);
  s.task(60, 7, SCHEDSCOPE_TASK_MOVED | SCHEDSCOPE_TASK_ON_CPU).cgroup_id = 6;
  s.to(100, 0, 0, sleeps);
  s.task(150, 8, SCHEDSCOPE_TASK_END, 1).cgroup_id = 5;
  return s;
}

TEST(Cgroups, AThreadThatMovesIsSplitAtTheMove) {
  const Report report = analyse(mover(), 150);
  EXPECT_EQ(of(report, 5).run_ns, 60U);
  EXPECT_EQ(of(report, 5).sleep_ns, 150U);
  EXPECT_EQ(of(report, 5).threads, 2U);
  EXPECT_EQ(of(report, 6).run_ns, 40U);
  EXPECT_EQ(of(report, 6).sleep_ns, 50U);
  EXPECT_EQ(of(report, 6).threads, 1U);
  EXPECT_EQ(report.cgroups.front().id, 5U);  // most run time first
  EXPECT_EQ(report.cgroups_conserved, true);
  EXPECT_EQ(report.cgroup_moves_missed, 0U);
}

TEST(Cgroups, AWindowCutsThemToo) {
  const Report report = analyse(mover(), 150, {50, 70});
  EXPECT_EQ(of(report, 5).run_ns, 10U);
  EXPECT_EQ(of(report, 6).run_ns, 10U);
  EXPECT_EQ(of(report, 5).sleep_ns, 20U);
  EXPECT_EQ(report.cgroups_conserved, true);
}

TEST(Cgroups, ManyMovesInOneStretch) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1).cgroup_id = 5;
  for (std::uint64_t t = 10; t <= 40; t += 10) {
    s.task(t, 7, SCHEDSCOPE_TASK_MOVED, 1).cgroup_id = t % 20 == 0 ? 5 : 6;
  }
  s.task(100, 7, SCHEDSCOPE_TASK_END, 1).cgroup_id = 5;
  const Report report = analyse(s, 100);
  EXPECT_EQ(of(report, 5).sleep_ns, 10U + 10 + 60);
  EXPECT_EQ(of(report, 6).sleep_ns, 10U + 10);
}

// Before a move that is the first thing told, it was elsewhere, and nobody knows where.
TEST(Cgroups, BeforeAFirstMoveItIsUnknown) {
  Script s;
  s.wake(0, 7);
  s.to(10, 0, 7);
  s.task(30, 7, SCHEDSCOPE_TASK_MOVED | SCHEDSCOPE_TASK_ON_CPU).cgroup_id = 6;
  s.to(50, 0, 0, sleeps);
  const Report report = analyse(s, 60);
  EXPECT_EQ(of(report, 0).run_ns, 20U);
  EXPECT_EQ(of(report, 6).run_ns, 20U);
}

TEST(Cgroups, WhatCameBeforeItWasFirstToldCountsFromBirth) {
  Script s;
  s.wake(0, 7);
  s.to(10, 0, 7);
  s.to(20, 0, 0, sleeps);
  s.wake(25, 7);
  s.to(30, 0, 7);
  s.to(35, 0, 0, sleeps);
  s.task(40, 7, SCHEDSCOPE_TASK_BEGIN, 1).cgroup_id = 5;
  const Report report = analyse(s, 60);
  EXPECT_EQ(report.cgroups.size(), 1U);
  EXPECT_EQ(of(report, 5).run_ns, 15U);
}

TEST(Cgroups, AMoveThatNobodyToldIsCounted) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1).cgroup_id = 5;
  s.task(90, 7, SCHEDSCOPE_TASK_END, 1).cgroup_id = 6;
  const Report report = analyse(s, 100);
  EXPECT_EQ(report.cgroup_moves_missed, 1U);
  EXPECT_EQ(of(report, 5).sleep_ns, 90U);
  EXPECT_EQ(report.cgroups_conserved, true);
}

TEST(Cgroups, OfASelectionOnlyWhoIsSelected) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1).cgroup_id = 5;
  s.task(40, 7, SCHEDSCOPE_TASK_MOVED | SCHEDSCOPE_TASK_BYSTANDER, 1).cgroup_id = 6;
  const Report report = analyse(s, 100, {}, "cgroup /five");
  ASSERT_EQ(report.cgroups.size(), 1U);
  EXPECT_EQ(of(report, 5).sleep_ns, 40U);
}

TEST(Cgroups, PathsComeInParts) {
  Script s = mover();
  const std::string deep = "/" + std::string(500, 'a') + "/" + std::string(100, 'b');
  add_path(s, 5, deep);
  add_path(s, 6, "/six");
  const Report report = analyse(s, 150);
  EXPECT_EQ(of(report, 5).path, deep);
  EXPECT_EQ(of(report, 6).path, "/six");
}

TEST(Cgroups, NoneIsKnownNoneIsShown) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  EXPECT_TRUE(analyse(s, 100).cgroups.empty());
}

}  // namespace
}  // namespace schedscope::analysis
