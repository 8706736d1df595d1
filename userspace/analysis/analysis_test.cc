// SPDX-License-Identifier: GPL-2.0-only
#include "analysis/analysis.h"
#include "analysis/ends_between.h"

#include <algorithm>
#include <functional>
#include <random>

#include <gtest/gtest.h>

#include "timeline/testing.h"

namespace schedscope::analysis {
namespace {

using namespace timeline::testing;
using timeline::SliceEnd;

constexpr std::uint64_t ms = 1'000'000;

Report analyse(const Script& s, std::uint64_t end, Window window = {},
               capture::Machine machine = {}) {
  if (machine.cpus == 0) machine.cpus = 1;
  Analysis analysis(machine, window);
  for (std::size_t i = 0; i < s.size(); ++i) analysis.add(s[i]);
  return analysis.finish(end);
}

const ThreadReport& of(const Report& report, std::uint32_t tid) {
  const auto it = std::find_if(report.threads.begin(), report.threads.end(),
                               [&](const ThreadReport& t) { return t.who.tid == tid; });
  EXPECT_NE(it, report.threads.end()) << tid;
  return *it;
}

bool has(const Report& report, std::string_view kind) {
  return std::any_of(report.findings.begin(), report.findings.end(),
                     [&](const Finding& f) { return f.kind == kind; });
}

std::uint64_t ends(const ThreadReport& t, SliceEnd end) {
  return t.ends[static_cast<std::size_t>(end)];
}

// A spinner (7) and a sleeper (8) on one CPU: 8 wakes every 10 ms and runs 1 ms.
// `mid` is called in its fifth run.
Script spinner_and_sleeper(const std::function<void(Script&)>& mid = [](Script&) {}) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_ON_CPU, 0, "spinner");
  s.task(0, 8, SCHEDSCOPE_TASK_BEGIN, 1, "sleeper");
  s.has(0, 7);
  for (std::uint64_t t = 10; t <= 100; t += 10) {
    s.wake(t * ms, 8, 7, SCHEDSCOPE_WAKING_TIMER);
    s.to(t * ms + 1000, 0, 8, preempted_by(8));
    if (t == 50) mid(s);
    s.to((t + 1) * ms, 0, 7, sleeps);
  }
  return s;
}

TEST(Analysis, SpinnerIsPreemptedBySleeper) {
  const Report report = analyse(spinner_and_sleeper(), 110 * ms);
  const ThreadReport& spinner = of(report, 7);
  EXPECT_EQ(ends(spinner, SliceEnd::preempted), 10U);
  EXPECT_EQ(ends(spinner, SliceEnd::unknown), 1U);  // still running at the end
  EXPECT_EQ(spinner.slices, 11U);
  ASSERT_EQ(spinner.preempted_by.size(), 1U);
  EXPECT_EQ(spinner.preempted_by[0].tid, 8U);
  EXPECT_EQ(spinner.preempted_by[0].comm, "sleeper");
  EXPECT_EQ(spinner.preempted_by[0].count, 10U);
  EXPECT_EQ(spinner.preempted_by[0].ns, 10 * (1 * ms - 1000));
  EXPECT_EQ(spinner.wait_ns, 10 * (1 * ms - 1000));

  const ThreadReport& sleeper = of(report, 8);
  EXPECT_EQ(sleeper.wakeups, 10U);
  EXPECT_EQ(sleeper.wait_max_ns, 1000U);
  EXPECT_EQ(sleeper.wait_p50_ns, 1000U);
  ASSERT_EQ(sleeper.woken_by.size(), 1U);
  EXPECT_EQ(sleeper.woken_by[0].comm, "(timer)");
  EXPECT_EQ(report.switches, 20U);
  EXPECT_EQ(report.threads_conserved, true);
  EXPECT_EQ(report.cpus_conserved, true);
  EXPECT_EQ(report.threads[0].who.tid, 7U);  // most run time first
  EXPECT_FALSE(report.records_conserved.has_value());
  EXPECT_FALSE(report.overhead_ns_per_switch.has_value());
}

TEST(Analysis, WindowCountsThePartInside) {
  const Report report = analyse(spinner_and_sleeper(), 110 * ms, {20 * ms, 50 * ms + 500'000});
  const ThreadReport& sleeper = of(report, 8);
  EXPECT_EQ(sleeper.wall_ns, 30 * ms + 500'000);
  EXPECT_EQ(sleeper.slices, 4U);
  EXPECT_EQ(sleeper.run_ns, 3 * (1 * ms - 1000) + 500'000 - 1000);
  EXPECT_EQ(ends(sleeper, SliceEnd::blocked), 3U);
  EXPECT_EQ(ends(sleeper, SliceEnd::unknown), 1U);
  EXPECT_EQ(report.threads_conserved, true);
  EXPECT_EQ(report.cpus_conserved, true);
  EXPECT_EQ(report.cpus[0].run_ns, 30 * ms + 500'000);
}

TEST(Analysis, IdentitiesHoldInAnyWindow) {
  std::mt19937_64 rng(1);
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t from = 1 + rng() % (105 * ms);
    const std::uint64_t to = from + rng() % (20 * ms);
    const Report report = analyse(spinner_and_sleeper(), 110 * ms, {from, to});
    EXPECT_EQ(report.cpus_conserved, true);
    EXPECT_NE(report.threads_conserved, false) << from << " " << to;
  }
}

TEST(Analysis, MigrationsAreSlicesOnAnotherCpu) {
  Script s;
  for (std::uint64_t i = 0; i < 6; ++i) {
    const auto cpu = static_cast<std::uint16_t>(i / 2 % 2);
    s.wake(10 * i, 7);
    s.to(10 * i, cpu, 7);
    s.to(10 * i + 5, cpu, 0, sleeps);
  }
  EXPECT_EQ(of(analyse(s, 100), 7).migrations, 2U);
}

TEST(Conservation, ProducedIsKeptAndLost) {
  Script s = spinner_and_sleeper();
  auto stats = make_record<schedscope_cpu_stats>(SCHEDSCOPE_REC_CPU_STATS, 110 * ms, 0);
  stats.produced = 30 + 5;  // 20 switches, 10 wakings; walks come through no ring
  stats.lost[SCHEDSCOPE_LOST_RING_FULL] = 5;
  stats.switches = 20;
  s.add(stats);
  auto none = make_record<schedscope_cpu_stats>(SCHEDSCOPE_REC_CPU_STATS, 110 * ms);
  none.run_ns = 200'000;
  none.switches = 2000;
  s.add(none);
  capture::Machine machine;
  machine.cpus_online = 2;
  machine.measured_ns = 10 * ms;
  machine.agent_cpu_ns = 1'100'000;
  Report report = analyse(s, 110 * ms, {}, machine);
  EXPECT_EQ(report.records_conserved, true);
  EXPECT_EQ(report.produced, 35U);
  EXPECT_EQ(report.kept, 30U);
  EXPECT_EQ(report.lost.at("ring_full"), 5U);
  EXPECT_EQ(report.overhead_ns_per_switch, 100.0);
  // 2 % of the time while it was measured, and 1 % for the recorder itself, on two CPUs.
  EXPECT_NEAR(report.overhead_cpu_percent.value_or(0), (2.0 + 1.0) / 2, 1e-9);
  EXPECT_EQ(report.agent_cpu_ns, 1'100'000U);
  EXPECT_NEAR(report.agent_core_percent.value_or(0), 1.0, 1e-9);
  EXPECT_EQ(report.recorded_switches, 20U);
  EXPECT_TRUE(has(report, "lost"));

  stats.produced = 36;
  s.drop_last();
  s.drop_last();
  s.add(stats);
  report = analyse(s, 110 * ms);
  EXPECT_EQ(report.records_conserved, false);
  EXPECT_TRUE(has(report, "conservation"));
}

TEST(Agreement, KernelCountsSwitchesBetweenTheWalks) {
  for (const std::uint64_t counted : {10U, 11U}) {
    Script s = spinner_and_sleeper();
    auto& end = s.task(105 * ms, 8, SCHEDSCOPE_TASK_END, 1, "sleeper");
    end.switches = counted;
    end.run_ns = 10 * ms;
    const Report report = analyse(s, 110 * ms);
    const ThreadReport& t = of(report, 8);
    ASSERT_TRUE(t.judge.has_value());
    EXPECT_EQ(t.judge->kernel_switches, counted);
    EXPECT_EQ(t.judge->recorded_switches, 10U);
    EXPECT_EQ(t.judge->recorded_run_ns, 10 * (1 * ms - 1000));
    EXPECT_EQ(report.kernel_counts_agree, counted == 10);
    EXPECT_EQ(report.agreement_details.size(), counted == 10 ? 0U : 1U);
  }
}

// What the kernel's clock went less or more at a slice's end is no difference.
TEST(Agreement, KernelRunTimeByTheKernelsClock) {
  struct Case {
    std::int16_t step;
    std::int64_t kernel_ns;  // beyond the recorded 50 ms
    bool agrees;
  };
  // 8 us for each of five slices, and 8 us.
  for (const Case& c :
       {Case{0, 47'000, true}, Case{0, -47'000, true}, Case{0, 49'000, false},
        Case{0, -49'000, false}, Case{900, -900'000, true}, Case{-900, 900'000, true},
        Case{900, 900'000, false},
        // In ms from 16,384 on: 172 ms, known to 1 ms.
        Case{-(16384 + 172), 172'900'000, true}, Case{-(16384 + 172), 173'100'000, false},
        // The most that a record can say: nobody knows.
        Case{32767, 500'000'000, true}}) {
    Script s;
    s.task(0, 8, SCHEDSCOPE_TASK_BEGIN, 1, "sleeper");
    for (std::uint64_t t = 20; t <= 100; t += 20) {
      s.wake(t * ms, 8);
      s.to(t * ms, 0, 8);
      s.to((t + 10) * ms, 0, 0).clock_step = t == 60 ? c.step : std::int16_t{0};
    }
    auto& end = s.task(115 * ms, 8, SCHEDSCOPE_TASK_END, 1, "sleeper");
    end.switches = 5;
    end.run_ns = static_cast<std::uint64_t>(50 * static_cast<std::int64_t>(ms) + c.kernel_ns);
    const Report report = analyse(s, 120 * ms);
    EXPECT_EQ(of(report, 8).judge->recorded_run_ns, 50 * ms);
    EXPECT_EQ(report.kernel_counts_agree, c.agrees) << c.step << " " << c.kernel_ns;
    EXPECT_EQ(report.kernel_counts.threads, 1U);
    EXPECT_EQ(report.kernel_counts.run_times, c.step == 32767 ? 0U : 1U);
    EXPECT_EQ(report.kernel_counts.run_times_unknown, c.step == 32767 ? 1U : 0U);
  }
}

// A step in whole ms leaves up to one of them to the next record of its CPU, and so to whoever that
// is of.
TEST(Agreement, WhatAStepInMsLeavesToTheNext) {
  for (const std::int16_t before : {std::int16_t{0}, std::int16_t{-(16384 + 26)}}) {
    Script s;
    s.task(0, 8, SCHEDSCOPE_TASK_BEGIN, 1, "before");
    s.task(0, 9, SCHEDSCOPE_TASK_BEGIN, 1, "after");
    s.wake(20 * ms, 8);
    s.to(20 * ms, 0, 8);
    s.wake(30 * ms, 9);
    s.to(40 * ms, 0, 9).clock_step = before;
    s.to(80 * ms, 0, 0).clock_step = -900;
    s.task(100 * ms, 8, SCHEDSCOPE_TASK_END, 1, "before").switches = 1;
    auto& end = s.task(100 * ms, 9, SCHEDSCOPE_TASK_END, 1, "after");
    end.switches = 1;
    end.run_ns = 40 * ms;
    EXPECT_EQ(analyse(s, 120 * ms).kernel_counts_agree, before != 0) << before;
  }
}

// What is on a CPU is told as it was when its slice began. As of a moment within a slice, as older
// captures have it, or of none that is known, there is nothing to compare.
TEST(Agreement, KernelRunTimeOfARunningThread) {
  struct Case {
    std::uint64_t run_at_ns, kernel_ns;
    bool agrees;
  };
  for (const Case& c : {Case{70 * ms, 40 * ms, true}, Case{70 * ms, 41 * ms, false},
                        Case{75 * ms, 41 * ms, true}, Case{0, 41 * ms, true}}) {
    Script s;
    s.task(0, 8, SCHEDSCOPE_TASK_BEGIN, 1, "hog");
    s.wake(20 * ms, 8);
    s.to(20 * ms, 0, 8);
    s.to(60 * ms, 0, 0);
    s.wake(70 * ms, 8);
    s.to(70 * ms, 0, 8);
    auto& end = s.task(80 * ms, 8, SCHEDSCOPE_TASK_END | SCHEDSCOPE_TASK_ON_CPU, 0, "hog");
    end.switches = 1;
    end.run_ns = c.kernel_ns;
    end.run_at_ns = c.run_at_ns;
    s.to(90 * ms, 0, 0);
    EXPECT_EQ(analyse(s, 120 * ms).kernel_counts_agree, c.agrees)
        << c.run_at_ns << " " << c.kernel_ns;
  }
}

// A slice that began before the capture, in which it has the time from the start on.
TEST(Agreement, KernelRunTimeOfASliceFromBeforeTheStart) {
  capture::Machine machine;
  machine.start_ns = 10 * ms;
  for (const std::uint64_t kernel_ns : {30 * ms, 31 * ms}) {
    Script s;
    s.counts(5 * ms, 8, 1, 500 * ms).rec.flags = SCHEDSCOPE_COUNTS_BEGIN;
    s.has(0, 8);
    s.to(5 * ms, 0, 0);
    s.wake(6 * ms, 8);
    s.to(6 * ms, 0, 8);
    auto& begin = s.task(20 * ms, 8, SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_ON_CPU, 0, "hog");
    begin.switches = 1;
    begin.run_ns = 500 * ms;
    begin.run_at_ns = 6 * ms;
    s.to(36 * ms, 0, 0);
    auto& end = s.task(80 * ms, 8, SCHEDSCOPE_TASK_END, 1, "hog");
    end.switches = 2;
    end.run_ns = 500 * ms + kernel_ns;
    end.run_at_ns = 80 * ms;
    const Report report = analyse(s, 120 * ms, {}, machine);
    EXPECT_EQ(report.kernel_counts_agree, kernel_ns == 30 * ms);
    EXPECT_EQ(of(report, 8).judge->recorded_run_ns, 30 * ms);
  }
}

// What a flight recorder keeps begins in the midst of it: the step before may have been in ms. In
// other recordings a CPU's first step is 0.
TEST(Agreement, WhatAStepBeforeTheStartLeft) {
  struct Case {
    std::int16_t step;
    std::uint64_t kernel_ns;
    bool agrees;
  };
  for (const Case& c :
       {Case{-900, 31'800'000, true}, Case{-900, 32'000'000, false}, Case{0, 30'900'000, false}}) {
    capture::Machine machine;
    machine.start_ns = 10 * ms;
    Script s;
    auto& begin = s.task(20 * ms, 8, SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_ON_CPU, 0, "hog");
    begin.switches = 1;
    begin.run_at_ns = 6 * ms;
    s.has(0, 8);
    s.set_number(8, 1);
    s.to(36 * ms, 0, 0).clock_step = c.step;
    auto& end = s.task(80 * ms, 8, SCHEDSCOPE_TASK_END, 1, "hog");
    end.switches = 2;
    end.run_ns = c.kernel_ns;
    end.run_at_ns = 80 * ms;
    const Report report = analyse(s, 120 * ms, {}, machine);
    EXPECT_EQ(of(report, 8).judge->recorded_run_ns, 30 * ms);
    EXPECT_EQ(report.kernel_counts_agree, c.agrees) << c.step << " " << c.kernel_ns;
  }
}

// Less may be counted where CPUs stand still in the midst of it, not more.
TEST(Agreement, KernelRunTimeInAVirtualMachine) {
  for (const bool virtual_machine : {false, true}) {
    for (const std::uint64_t kernel_ns : {39 * ms, 40 * ms, 41 * ms}) {
      Script s;
      s.task(0, 8, SCHEDSCOPE_TASK_BEGIN, 1, "hog");
      s.wake(20 * ms, 8);
      s.to(20 * ms, 0, 8);
      s.to(60 * ms, 0, 0);
      auto& end = s.task(80 * ms, 8, SCHEDSCOPE_TASK_END, 1, "hog");
      end.switches = 1;
      end.run_ns = kernel_ns;
      end.run_at_ns = 80 * ms;
      capture::Machine machine;
      machine.virtual_machine = virtual_machine;
      EXPECT_EQ(analyse(s, 120 * ms, {}, machine).kernel_counts_agree,
                kernel_ns == 40 * ms || (virtual_machine && kernel_ns < 40 * ms))
          << virtual_machine << " " << kernel_ns;
    }
  }
}

// Where the walk could not tell, the CPU's first switch does, whichever of the two is read first.
TEST(Agreement, KernelRunTimeFromTheFirstSwitchOn) {
  for (const bool walk_first : {true, false}) {
    for (const std::uint64_t kernel_ns : {530 * ms, 531 * ms}) {
      Script s;
      constexpr std::uint16_t walked = SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_ON_CPU;
      const auto walk = [&] {
        s.task(walk_first ? 0 : 31 * ms, 8, walked, 0, "hog").run_ns = 490 * ms;
      };
      if (walk_first) walk();
      s.has(0, 8);
      s.counts(30 * ms, 8, 1, 500 * ms).rec.flags = SCHEDSCOPE_COUNTS_BEGIN;
      s.to(30 * ms, 0, 0);
      if (!walk_first) walk();
      s.wake(40 * ms, 8);
      s.to(40 * ms, 0, 8);
      s.to(70 * ms, 0, 0);
      auto& end = s.task(80 * ms, 8, SCHEDSCOPE_TASK_END, 1, "hog");
      end.switches = 2;
      end.run_ns = kernel_ns;
      end.run_at_ns = 80 * ms;
      EXPECT_EQ(analyse(s, 120 * ms).kernel_counts_agree, kernel_ns == 530 * ms) << walk_first;
    }
  }
}

// A thread's last counters are those at its last switch, and have that in them.
TEST(Agreement, KernelRunTimeUntilTheLastSwitch) {
  for (const std::uint64_t kernel_ns : {30 * ms, 31 * ms}) {
    for (const std::uint32_t switches : {2U, 3U}) {
      Script s;
      s.task(0, 8, SCHEDSCOPE_TASK_BEGIN, 1, "short");
      s.wake(20 * ms, 8);
      s.to(20 * ms, 0, 8);
      s.to(30 * ms, 0, 0);
      s.wake(40 * ms, 8);
      s.to(40 * ms, 0, 8);
      auto exit = make_record<schedscope_exit>(SCHEDSCOPE_REC_EXIT, 59 * ms, 0);
      exit.tid = 8;
      exit.switches = 1;
      exit.run_ns = 10 * ms;
      exit.run_at_ns = 40 * ms;
      s.add(exit);
      s.counts(60 * ms, 8, switches, kernel_ns);
      s.to(60 * ms, 0, 0, dies);
      const Report report = analyse(s, 120 * ms);
      EXPECT_EQ(report.kernel_counts_agree, kernel_ns == 30 * ms && switches == 2) << switches;
      EXPECT_EQ(of(report, 8).judge->recorded_run_ns, 30 * ms);
    }
  }
}

TEST(Agreement, ModuleCountsTheSameSlices) {
  for (const std::uint64_t slices : {110U, 111U}) {
    Script s = spinner_and_sleeper();
    auto account = make_record<schedscope_account>(SCHEDSCOPE_REC_ACCOUNT, 0, SCHEDSCOPE_CPU_NONE,
                                                   SCHEDSCOPE_ACCOUNT_BEGIN);
    account.tid = 8;
    account.start_ns = 8;
    account.slices = 100;
    account.switches = 0;
    s.add(account);
    account.rec.flags = SCHEDSCOPE_ACCOUNT_END;
    account.slices = slices;
    account.switches = 10;
    s.add(account);
    const Report report = analyse(s, 110 * ms);
    EXPECT_EQ(of(report, 8).module->module_slices, slices - 100);
    EXPECT_EQ(of(report, 8).module->recorded_slices, 10U);
    EXPECT_EQ(report.bpf_module_agree, slices == 110);
  }
}

// The first reading in the fifth run, the second two switches before the last, by their own word.
TEST(Agreement, LedgerAndRecordsGiveTheSameReasons) {
  for (const std::uint64_t blocked : {4U, 3U}) {
    auto account = make_record<schedscope_account>(SCHEDSCOPE_REC_ACCOUNT, 50 * ms + 2000,
                                                   SCHEDSCOPE_CPU_NONE, SCHEDSCOPE_ACCOUNT_BEGIN);
    account.tid = 8;
    account.start_ns = 8;
    account.switches = 4;
    account.slices = account.ends[SCHEDSCOPE_END_BLOCKED] = 104;
    Script s = spinner_and_sleeper([&](Script& script) { script.add(account); });
    account.rec.time_ns = 105 * ms;
    account.rec.flags = SCHEDSCOPE_ACCOUNT_END;
    account.switches = 8;
    account.slices += 4;
    account.longest_slice_ns = 7;
    account.longest_slice_at_ns = 60 * ms;
    account.longest_wait_ns = 9;
    account.longest_wait_at_ns = 40 * ms;
    account.ends[SCHEDSCOPE_END_BLOCKED] += blocked;
    account.ends[SCHEDSCOPE_END_PREEMPTED] += 4 - blocked;
    s.add(account);
    const Report report = analyse(s, 110 * ms);
    EXPECT_EQ(report.bpf_module_agree, true);
    EXPECT_EQ(report.ledger_ends, 4U);
    EXPECT_EQ(report.ledger_other_ends, 4 - blocked);
    const auto& module = *of(report, 8).module;
    ASSERT_EQ(module.recorded_ends.size(), 10U);
    EXPECT_EQ(module.recorded_ends[SCHEDSCOPE_END_BLOCKED], 4U);
    EXPECT_EQ(module.module_ends[SCHEDSCOPE_END_PREEMPTED], 4 - blocked);
    EXPECT_EQ(module.slice_max_ns, 7U);
    EXPECT_FALSE(module.wait_max_ns.has_value());  // before the first reading
  }
}

TEST(EndsBetween, ReadingsThatComeLateOrTooLate) {
  using enum timeline::SliceEnd;
  EndsBetween ends;
  for (std::uint32_t i = 1; i <= 5; ++i) ends.add(i, i <= 3 ? expired : blocked);
  ends.begin_at(2);
  EXPECT_EQ(ends.counts()[static_cast<std::size_t>(expired)], 1U);
  EXPECT_EQ(ends.counts()[static_cast<std::size_t>(blocked)], 2U);
  ends.add(6, yielded);
  ends.end_at(5);
  ends.add(5, blocked);  // held back by the timeline
  ends.add(7, blocked);
  EXPECT_EQ(ends.counts()[static_cast<std::size_t>(blocked)], 3U);
  EXPECT_EQ(ends.counts()[static_cast<std::size_t>(yielded)], 0U);
  EXPECT_TRUE(ends.certain());
  for (std::uint32_t i = 8; i <= 20; ++i) ends.add(i, blocked);
  ends.end_at(10);
  EXPECT_FALSE(ends.certain());
}

TEST(Agreement, NothingIsJudgedAcrossAGap) {
  Script s = spinner_and_sleeper();
  s.task(105 * ms, 8, SCHEDSCOPE_TASK_END, 1, "sleeper").switches = 11;
  s.lost(0, 101 * ms, 102 * ms);
  const Report report = analyse(s, 110 * ms);
  EXPECT_FALSE(report.kernel_counts_agree.has_value());
  ASSERT_EQ(report.gaps.size(), 1U);
  EXPECT_EQ(report.gaps[0].begin_ns, 101 * ms);
}

// GOLDEN inversion: the low one holds what the high one waits for, the middle one runs.
TEST(Inversions, NamesTheHolderAndTheLength) {
  for (const bool inherits : {false, true}) {
    Script s;
    s.set_prio(10, 89);
    s.set_prio(20, 79);
    s.set_prio(30, 69);
    s.task(0, 10, SCHEDSCOPE_TASK_BEGIN, 1, "low");
    s.task(0, 20, SCHEDSCOPE_TASK_BEGIN, 1, "middle");
    s.task(0, 30, SCHEDSCOPE_TASK_BEGIN, 1, "high");
    s.wake(1 * ms, 10);
    s.to(1 * ms, 0, 10);
    s.wake(2 * ms, 30, 10);
    s.to(2 * ms, 0, 30, preempted_by(30));
    s.to(3 * ms, 0, 10, sleeps);  // high blocks on low's lock
    if (inherits) s.set_prio(10, 69);
    s.wake(4 * ms, 20, 10);
    if (!inherits) {
      s.to(4 * ms, 0, 20, preempted_by(20));
      s.to(54 * ms, 0, 10, sleeps);
    }
    s.wake(60 * ms, 30, 10);  // unlocks
    s.set_prio(10, 89);
    s.to(60 * ms, 0, 30, preempted_by(30));
    s.to(61 * ms, 0, 10, sleeps);
    s.to(62 * ms, 0, 0, sleeps);
    const Report report = analyse(s, 70 * ms);
    ASSERT_EQ(has(report, "inversion"), !inherits);
    if (inherits) continue;
    const Finding& f = report.findings[0];
    EXPECT_EQ(f.for_ns, 50 * ms);
    EXPECT_EQ(f.at_ns, 4 * ms);
    EXPECT_NE(f.text.find("high (30)"), std::string::npos) << f.text;
    EXPECT_NE(f.text.find("low (10)"), std::string::npos) << f.text;
    EXPECT_NE(f.text.find("middle (20)"), std::string::npos) << f.text;
  }
}

TEST(Findings, HostageTimeNamesTheCall) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_ON_CPU, 0, "carrier");
  s.has(0, 7);
  s.named(1, 7, SCHEDSCOPE_REC_USER_NAME, 1, "reader");
  s.run(1, 7, 1);
  for (std::uint64_t id = 2; id <= 11; ++id) s.ready(2, 7, id);
  s.to(10 * ms, 0, 0, sleeps);
  s.wake(110 * ms, 7);
  s.to(110 * ms, 0, 7);
  const Report report = analyse(s, 120 * ms);
  EXPECT_EQ(report.user_threads_conserved, true);
  ASSERT_TRUE(has(report, "hostage"));
  EXPECT_NE(report.findings[0].text.find("reader"), std::string::npos) << report.findings[0].text;
  EXPECT_EQ(report.findings[0].for_ns, 1000 * ms);
}

TEST(Findings, QuietCaptureHasNone) {
  EXPECT_TRUE(analyse(spinner_and_sleeper(), 110 * ms).findings.empty());
}

TEST(Findings, LongWaitIsTold) {
  Script s;
  s.to(1 * ms, 0, 7);
  s.wake(2 * ms, 8);
  s.to(200 * ms, 0, 8, ticked);
  s.to(201 * ms, 0, 7, sleeps);
  const Report report = analyse(s, 210 * ms);
  ASSERT_TRUE(has(report, "long-wait"));
  EXPECT_EQ(report.findings[0].for_ns, 198 * ms);
}

TEST(Analysis, UserThreadsInAWindowCountWhatTheSpansSay) {
  Script s;
  s.has(0, 7);
  for (std::uint64_t t = 0; t < 100; t += 10) s.run(t * ms, 7, 1 + t / 10 % 2);
  s.to(100 * ms, 0, 0, sleeps);
  const Report report = analyse(s, 110 * ms, {15 * ms, 45 * ms});
  EXPECT_EQ(report.user_threads_conserved, true);
  ASSERT_EQ(report.user_threads.size(), 2U);
  EXPECT_EQ(report.user_threads[0].wall_ns, 30 * ms);
  EXPECT_EQ(report.user_threads[0].state_ns[0], 15 * ms);  // 20-30, 40-45
  EXPECT_EQ(report.user_threads[0].switches, 2U);
}

}  // namespace
}  // namespace schedscope::analysis
