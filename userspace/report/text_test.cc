// SPDX-License-Identifier: GPL-2.0-only
#include "report/text.h"

#include <sstream>

#include <gtest/gtest.h>

#include "report/names.h"
#include "report/table.h"
#include "report/testing.h"

namespace schedscope::report {
namespace {

TEST(Names, NumbersForPeople) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(percent(1, 3), "33.3 %");
  EXPECT_EQ(percent(0, 3), "0 %");
  EXPECT_EQ(percent(1, 0), "unknown");
  // Rounding neither hides what is there nor makes a whole of a part.
  EXPECT_EQ(percent(1, 1e6), "<0.1 %");
  EXPECT_EQ(percent(999'999, 1e6), ">99.9 %");
  EXPECT_EQ(percent(1, 1), "100.0 %");
  EXPECT_EQ(plural(1, "gap"), "1 gap");
  EXPECT_EQ(plural(2, "switch", "switches"), "2 switches");
  EXPECT_EQ(policy_name(1), "fifo");
  EXPECT_EQ(policy_name(4), "policy 4");
}

TEST(Table, DropsWhatIsEmptyAndWhatHasNoRoom) {
  Table table({{"name", false, 9}, {"empty", true, 8}, {"minor", true, 1}, {"major", true, 7}});
  table.row({"käse", "", "1", "22"});
  EXPECT_EQ(table.text(80, false), "  name  minor  major\n  käse      1     22\n");
  EXPECT_EQ(table.text(16, false), "  name  major\n  käse     22\n");
}

TEST(Text, TellsFirstAndLists) {
  const std::string text = text_report(testing::report(), {});
  EXPECT_NE(text.find("1.000 s of Linux 6.12.0-test on 2 CPUs"), std::string::npos) << text;
  EXPECT_NE(text.find("101 waited longest"), std::string::npos) << text;
  EXPECT_NE(text.find("Nothing of 1,234 records."), std::string::npos) << text;
  EXPECT_NE(text.find("CPU time: not checked"), std::string::npos) << text;
  EXPECT_NE(text.find("Not measured"), std::string::npos) << text;
  EXPECT_NE(text.find("0x1f"), std::string::npos) << text;
  EXPECT_LT(text.find("Capture"), text.find("Threads\n"));
}

TEST(Text, NoControlBytesReachTheTerminal) {
  const std::string text = text_report(testing::report(), {});
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("bad\\xff\\x1b[31m"), std::string::npos);
}

TEST(Text, KeepsToTheWidth) {
  for (const std::size_t width : {60U, 80U, 120U}) {
    TextOptions options;
    options.width = width;
    std::istringstream lines(text_report(testing::report(), options));
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(display_width(line), width) << line;
    }
  }
}

TEST(Text, AFilterShowsThreadsInFull) {
  TextOptions options;
  options.thread = "101";
  const std::string text = text_report(testing::report(), options);
  EXPECT_NE(text.find("preempted by"), std::string::npos) << text;
  EXPECT_NE(text.find("nominal slice 3.000 ms"), std::string::npos) << text;
  EXPECT_EQ(text.find("User threads ("), std::string::npos) << text;
  options.thread = "nobody";
  EXPECT_NE(text_report(testing::report(), options).find("No thread is named"), std::string::npos);
}

TEST(Text, SlicesAgainstTheNominalOne) {
  analysis::Report report = testing::report();
  analysis::AgainstNominal& slices = report.threads[1].against_nominal;
  for (int i = 0; i < 3; ++i) slices.add(1, false);
  slices.add(16, true);
  report.policies = {{.policy = 0,
                      .threads = 1,
                      .slices = 5,
                      .ns = 9'000'000,
                      .nominal_min_ns = 2'000'000,
                      .nominal_max_ns = 3'000'000,
                      .against_nominal = slices},
                     {.policy = 1, .threads = 2, .slices = 7, .ns = 8}};
  const std::string all = text_report(report, {});
  for (const char* part : {"\nPolicies\n", "2.000 ms … 3.000 ms", "25.0 %", "fifo"}) {
    EXPECT_NE(all.find(part), std::string::npos) << part << "\n" << all;
  }
  TextOptions options;
  options.thread = "101";
  const std::string one = text_report(report, options);
  EXPECT_NE(one.find("0.25 … 0.50"), std::string::npos) << one;
  EXPECT_NE(one.find("4.00 and more"), std::string::npos) << one;
  EXPECT_EQ(one.find("\nPolicies\n"), std::string::npos) << one;
}

TEST(Text, WhenMostWasLostIsSaid) {
  analysis::Report report = testing::report();
  report.lost["ring_full"] = 34;
  report.gaps = {
      {.begin_ns = report.start_ns, .end_ns = report.start_ns + 5, .count = 4},
      {.begin_ns = report.start_ns + 7'000, .end_ns = report.start_ns + 8'000, .count = 30}};
  TextOptions wide;
  wide.width = 400;
  const std::string text = text_report(report, wide);
  EXPECT_NE(text.find("in 2 gaps, the longest 1.000 us, 30 of them at +7.000 us"),
            std::string::npos)
      << text;
}

TEST(Text, WhatWasComparedIsSaid) {
  analysis::Report report = testing::report();
  report.kernel_counts_agree = true;
  report.kernel_counts = {
      .threads = 9, .run_times = 3, .run_times_short = 4, .run_times_unknown = 2};
  TextOptions wide;
  wide.width = 400;
  const std::string text = text_report(report, wide);
  EXPECT_NE(text.find("counts: agree (switches of 9 threads, run time of 3; that of 2 is not known "
                      "exactly enough)."),
            std::string::npos)
      << text;
}

TEST(Text, CostIsSaid) {
  analysis::Report report = testing::report();
  report.overhead_ns_per_switch = 512;
  report.agent_cpu_ns = 12'000'000;
  report.agent_core_percent = 0.4;
  report.bytes = 91;
  report.recorded_switches = 10;
  TextOptions wide;
  wide.width = 400;
  const std::string text = text_report(report, wide);
  EXPECT_NE(text.find("512 ns in the probes a switch"), std::string::npos) << text;
  EXPECT_NE(text.find("12.00 ms of it the recorder's, 0.40 % of one CPU; "
                      "9.1 bytes a switch in the capture."),
            std::string::npos)
      << text;
}

TEST(Text, CgroupsInPlaceOfThreads) {
  analysis::Report report = testing::report();
  report.cgroups = {{.id = 5, .path = "/one\x1b[1m", .threads = 2, .run_ns = 3'000'000},
                    {.id = 6, .threads = 1, .run_ns = 1'000'000}};
  report.cgroup_moves_missed = 2;
  TextOptions options;
  options.by_cgroup = true;
  const std::string text = text_report(report, options);
  EXPECT_NE(text.find("/one\\x1b[1m"), std::string::npos) << text;
  EXPECT_NE(text.find("75.0 %"), std::string::npos) << text;
  EXPECT_NE(text.find("unknown (id 6)"), std::string::npos) << text;
  EXPECT_NE(text.find("2 threads went from one cgroup"), std::string::npos) << text;
  EXPECT_EQ(text.find("\nThreads\n"), std::string::npos) << text;
}

TEST(Text, LossIsSaid) {
  analysis::Report report = testing::report();
  report.lost["ring_full"] = 34;
  report.gaps = {{.begin_ns = 5'100'000'000, .end_ns = 5'200'000'000, .count = 34}};
  report.complete = false;
  report.damage = "chunk 3 has a wrong checksum";
  TextOptions wide;
  wide.width = 400;
  const std::string text = text_report(report, wide);
  EXPECT_NE(text.find("34 records of 1,234 lost (ring_full 34) in 1 gap, the longest 100.0 ms"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("cut off: chunk 3 has a wrong checksum"), std::string::npos) << text;
}

TEST(Text, AnEmptyReportIsNoCrash) {
  EXPECT_NE(text_report(analysis::Report{}, {}).find("an unknown kernel"), std::string::npos);
}

}  // namespace
}  // namespace schedscope::report
