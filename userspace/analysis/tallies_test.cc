// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "schema/record.h"

namespace schedscope::analysis {
namespace {

schedscope_tally tally(std::uint64_t at_ns, std::uint16_t cpu, std::uint32_t what) {
  auto record = make_record<schedscope_tally>(SCHEDSCOPE_REC_TALLY, at_ns, cpu);
  record.what = what;
  record.since_ns = 100;
  return record;
}

Report analyse(std::initializer_list<schedscope_tally> records) {
  capture::Machine machine;
  machine.cpus = 2;
  Analysis analysis(machine, Window{});
  for (const auto& record : records) analysis.add(view_of(record));
  return analysis.finish(10'000);
}

TEST(Tallies, AreAbsentWhereNothingWasCounted) {
  EXPECT_FALSE(analyse({}).tallies);
}

TEST(Tallies, TheLastOfEachCpuHoldsAndAllCpusAreOneRow) {
  auto before = tally(200, 0, SCHEDSCOPE_TALLY_SLICE);
  before.count = before.hist[3] = 50;
  auto first = tally(300, 0, SCHEDSCOPE_TALLY_SLICE);
  first.count = first.hist[3] = 60;
  first.sum_ns = 600;
  first.max_ns = 11;
  auto second = tally(310, 1, SCHEDSCOPE_TALLY_SLICE);
  second.count = second.hist[5] = 1;
  second.sum_ns = second.max_ns = 40;
  auto queued = tally(310, 1, SCHEDSCOPE_TALLY_QUEUED);
  queued.count = queued.hist[0] = 1;
  const Report report = analyse({before, first, second, queued});

  ASSERT_TRUE(report.tallies);
  EXPECT_EQ(report.tallies->since_ns, 100U);
  EXPECT_EQ(report.tallies->at_ns, 310U);
  ASSERT_EQ(report.tallies->rows.size(), 2U);
  const TallyReport& slices = report.tallies->rows[0];
  EXPECT_EQ(slices.what, SCHEDSCOPE_TALLY_SLICE);
  EXPECT_EQ(slices.count, 61U);
  EXPECT_EQ(slices.sum_ns, 640U);
  EXPECT_EQ(slices.max_ns, 40U);
  EXPECT_EQ(slices.percentile(500), 15U);
  EXPECT_EQ(slices.percentile(983), 15U);
  EXPECT_EQ(slices.percentile(990), 40U);
}

TEST(Tallies, WhatNoProbeCountsIsLeftOut) {
  auto odd = tally(300, 0, SCHEDSCOPE_TALLIES);
  odd.count = 1;
  auto odd_class = tally(300, 0, SCHEDSCOPE_TALLY_SLICE);
  odd_class.of_class = SCHEDSCOPE_CLASSES;
  const auto no_cpu = tally(300, 2, SCHEDSCOPE_TALLY_SLICE);
  EXPECT_FALSE(analyse({odd, odd_class, no_cpu}).tallies);
}

TEST(Tallies, NoCountIsTooLarge) {
  TallyReport row;
  row.count = ~0ULL;
  row.hist[39] = ~0ULL;
  row.max_ns = 77;
  EXPECT_EQ(row.percentile(999), 77U);
}

}  // namespace
}  // namespace schedscope::analysis
