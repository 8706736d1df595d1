// SPDX-License-Identifier: GPL-2.0-only
#include <functional>

#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "timeline/testing.h"

namespace schedscope::analysis {
namespace {

using namespace timeline::testing;

constexpr std::uint64_t us = 1'000;
constexpr std::uint64_t end_ns = 100'000 * us;

// Changes the second witness's copy of the i-th switch, or drops it.
using Change = std::function<bool(std::size_t, schedscope_switch&)>;
bool keeps(std::size_t, schedscope_switch&) {
  return true;
}

template <typename T>
T seconds(T record) {
  record.rec.flags |= SCHEDSCOPE_REC_SECOND;
  return record;
}

schedscope_task walked(std::uint64_t t, std::uint16_t flag) {
  auto task = make_record<schedscope_task>(SCHEDSCOPE_REC_TASK, t, SCHEDSCOPE_CPU_NONE, flag);
  task.tid = 7;
  return seconds(task);
}

// Two threads take turns on CPU 0; either witness may be the first to stamp a switch. Both watch
// from the third switch to the last but one.
Report report_of(const Change& change, const std::function<void(Script&)>& last = {},
                 std::uint64_t start_ns = 0) {
  Script s;
  for (std::uint64_t i = 0; i < 20; ++i) {
    const std::uint64_t t = (i + 1) * 1000 * us;
    if (i == 2) s.add(walked(t - 100 * us, SCHEDSCOPE_TASK_BEGIN));
    if (i == 19) s.add(walked(t - 100 * us, SCHEDSCOPE_TASK_END));
    schedscope_switch copy = s.to(t, 0, i % 2 == 0 ? 7 : 8, runnable);
    copy.rec.time_ns += i % 3 == 0 ? -us : us;
    copy = seconds(copy);
    if (!change(i, copy)) continue;
    if (copy.rec.time_ns < t) {
      const schedscope_switch first = s.back<schedscope_switch>();
      s.drop_last();
      s.add(copy);
      s.add(first);
    } else {
      s.add(copy);
    }
  }
  if (last) last(s);
  capture::Machine machine;
  machine.cpus = 1;
  machine.start_ns = start_ns;
  machine.streams = {"bpf", "module"};
  Analysis analysis(machine, {});
  for (std::size_t i = 0; i < s.size(); ++i) analysis.add(s[i]);
  return analysis.finish(end_ns);
}

TEST(SecondWitness, BothSawTheSame) {
  const Report report = report_of(keeps);
  ASSERT_TRUE(report.second_witness.has_value());
  EXPECT_EQ(report.second_witness->compared, 20U);
  EXPECT_EQ(report.bpf_module_agree, true);
  EXPECT_TRUE(report.agreement_details.empty());
  // And the second's are in nobody's times.
  EXPECT_EQ(report.switches, 20U);
}

// Of what it saw of a switch from before the start, something may be missing.
TEST(SecondWitness, APairFromBeforeTheStart) {
  const auto other = [](std::size_t i, schedscope_switch& copy) {
    if (i == 0) copy.prev_state ^= 1;
    return true;
  };
  EXPECT_EQ(report_of(other).bpf_module_agree, false);
  const Report report = report_of(other, {}, 1500 * us);
  EXPECT_EQ(report.bpf_module_agree, true);
  EXPECT_EQ(report.second_witness->compared, 19U);
}

TEST(SecondWitness, ASwitchThatTheSecondMissed) {
  for (const std::size_t missed : {2U, 9U, 17U}) {
    const Report report = report_of([&](std::size_t i, auto&) { return i != missed; });
    EXPECT_EQ(report.second_witness->missed_by_second, 1U);
    EXPECT_EQ(report.second_witness->missed_by_first, 0U);
    EXPECT_EQ(report.bpf_module_agree, false);
    ASSERT_EQ(report.agreement_details.size(), 1U);
  }
}

TEST(SecondWitness, WhatOneSawWhileTheOtherDidNotWatchYetIsNoMiss) {
  for (const std::size_t unseen : {0U, 1U, 19U}) {
    const Report report = report_of([&](std::size_t i, auto&) { return i != unseen; });
    EXPECT_EQ(report.second_witness->compared, 19U);
    EXPECT_EQ(report.second_witness->missed_by_second, 0U);
    EXPECT_EQ(report.bpf_module_agree, true);
  }
}

// An execve gave the thread that leaves another tid between the two looks.
TEST(SecondWitness, ATidThatChangesBetweenTheTwoLooks) {
  Script s;
  s.add(walked(1, SCHEDSCOPE_TASK_BEGIN));
  schedscope_switch copy = s.to(10 * us, 0, 7);
  s.add(seconds(copy));
  copy = s.to(20 * us, 0, 0, dies);
  auto exec = make_record<schedscope_exec>(SCHEDSCOPE_REC_EXEC, 21 * us, 0, SCHEDSCOPE_REC_SECOND);
  exec.tid = 7;
  exec.old_tid = 8;
  s.add(exec);
  copy.prev_tid = 8;
  copy.rec.time_ns = 21 * us;
  s.add(seconds(copy));
  s.add(walked(30 * us, SCHEDSCOPE_TASK_END));
  capture::Machine machine;
  machine.cpus = 1;
  machine.streams = {"bpf", "module"};
  Analysis analysis(machine, {});
  for (std::size_t i = 0; i < s.size(); ++i) analysis.add(s[i]);
  const Report report = analysis.finish(end_ns);
  EXPECT_EQ(report.second_witness->compared, 2U);
  EXPECT_EQ(report.bpf_module_agree, true);
}

TEST(SecondWitness, ASwitchThatTheFirstMissed) {
  const Report report = report_of([](std::size_t i, schedscope_switch& copy) {
    if (i == 9) copy.prev_switches += 100;
    return true;
  });
  EXPECT_EQ(report.second_witness->missed_by_first, 1U);
  EXPECT_EQ(report.second_witness->missed_by_second, 1U);
  EXPECT_EQ(report.bpf_module_agree, false);
}

TEST(SecondWitness, OtherValuesAreADisagreementOtherAskersAreTold) {
  for (const bool asker : {false, true}) {
    const Report report = report_of([&](std::size_t i, schedscope_switch& copy) {
      if (i == 9 && asker) copy.rec.flags |= SCHEDSCOPE_SWITCH_TICK;
      if (i == 9 && !asker) copy.prev_state = 1;
      return true;
    });
    EXPECT_EQ(report.second_witness->other_ends, asker ? 1U : 0U);
    EXPECT_EQ(report.second_witness->other_values, asker ? 0U : 1U);
    EXPECT_EQ(report.bpf_module_agree, asker);
    EXPECT_EQ(report.agreement_details.size(), 1U);
  }
}

TEST(SecondWitness, AnotherSystemCallIsADisagreement) {
  const Report report = report_of([](std::size_t i, schedscope_switch& copy) {
    if (i != 9) return true;
    copy.rec.flags |= SCHEDSCOPE_SWITCH_SYSCALL;
    copy.resched_tid = 202;
    return true;
  });
  EXPECT_EQ(report.second_witness->other_values, 1U);
  EXPECT_EQ(report.second_witness->other_ends, 0U);
}

TEST(SecondWitness, NothingIsComparedAcrossAGap) {
  const Report report = report_of([](std::size_t i, auto&) { return i != 9; },
                                  [](Script& s) { s.lost(0, 50'000 * us, 51'000 * us); });
  EXPECT_FALSE(report.bpf_module_agree.has_value());
  // What is in a gap of the one, the other has not missed.
  ASSERT_TRUE(report.second_witness.has_value());
  EXPECT_EQ(report.second_witness->missed_by_second, 0U);
}

TEST(SecondWitness, ItsRecordsAddUpToo) {
  for (const std::uint64_t produced : {20U, 21U}) {
    const Report report = report_of(keeps, [&](Script& s) {
      auto first = make_record<schedscope_cpu_stats>(SCHEDSCOPE_REC_CPU_STATS, end_ns, 0);
      first.produced = 20;
      s.add(first);
      auto second = seconds(first);
      second.produced = produced;
      s.add(second);
    });
    EXPECT_EQ(report.records_conserved, produced == 20);
  }
}

}  // namespace
}  // namespace schedscope::analysis
