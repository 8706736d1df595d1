// SPDX-License-Identifier: GPL-2.0-only
//
// Slices against their nominal length; the script's is 3 ms.
#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "timeline/testing.h"

namespace schedscope::analysis {
namespace {

using namespace timeline::testing;

constexpr std::uint64_t ms = 1'000'000;

Report analyse(const Script& s, std::uint64_t end_ns) {
  Analysis analysis(capture::Machine{}, Window{});
  for (std::size_t i = 0; i < s.size(); ++i) analysis.add(s[i]);
  return analysis.finish(end_ns);
}

// Two threads take turns on CPU 0, tid 7 first; 9 is real time.
Report turns(std::initializer_list<std::pair<std::uint64_t, Why>> slices) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  s.task(0, 9, SCHEDSCOPE_TASK_BEGIN, 1);
  std::uint64_t t = 10;
  std::uint32_t current = 7;
  s.to(t, 0, current);
  for (const auto& [ns, why] : slices) {
    t += ns;
    const std::uint32_t other = current == 7 ? 9 : 7;
    schedscope_switch& record = s.to(t, 0, other, why);
    if (current == 9) {
      record.prev_policy = 1;
      record.prev_slice_ns = 0;
    }
    current = other;
  }
  return analyse(s, t + 50 * ms);
}

const ThreadReport& of(const Report& report, std::uint32_t tid) {
  const auto at =
      std::ranges::find(report.threads, tid, [](const ThreadReport& row) { return row.who.tid; });
  return at == report.threads.end() ? report.threads.front() : *at;
}

TEST(Nominal, QuartersOfTheNominalSlice) {
  const Report report = turns({{1, runnable},
                               {5 * ms, runnable},
                               {3 * ms / 4 - 1, runnable},
                               {5 * ms, runnable},
                               {3 * ms / 4, ticked},
                               {5 * ms, runnable},
                               {3 * ms, ticked},
                               {5 * ms, runnable},
                               {12 * ms - 1, runnable},
                               {5 * ms, runnable},
                               {12 * ms, ticked},
                               {5 * ms, runnable},
                               {900 * ms, runnable},
                               {5 * ms, runnable}});
  AgainstNominal::Counts all{}, expired{};
  all[0] = 2;
  all[1] = expired[1] = 1;
  all[4] = expired[4] = 1;
  all[15] = 1;
  all[16] = 2;
  expired[16] = 1;
  EXPECT_EQ(of(report, 7).against_nominal.all, all);
  EXPECT_EQ(of(report, 7).against_nominal.expired, expired);
  EXPECT_FALSE(of(report, 9).against_nominal.any());
}

TEST(Nominal, ByPolicy) {
  const Report report = turns({{2 * ms, ticked}, {5 * ms, runnable}, {4 * ms, ticked}});
  ASSERT_EQ(report.policies.size(), 2U);
  const PolicyReport& other = report.policies[0];
  EXPECT_EQ(other.policy, 0U);
  EXPECT_EQ(other.threads, 1U);
  EXPECT_EQ(other.slices, 2U);
  EXPECT_EQ(other.ns, 6 * ms);
  EXPECT_EQ(other.nominal_min_ns, 3 * ms);
  EXPECT_EQ(other.nominal_max_ns, 3 * ms);
  EXPECT_EQ(other.against_nominal.expired[2], 1U);
  EXPECT_EQ(other.against_nominal.expired[5], 1U);
  // The last of 9 is cut off by the end.
  const PolicyReport& fifo = report.policies[1];
  EXPECT_EQ(fifo.policy, 1U);
  EXPECT_EQ(fifo.slices, 1U);
  EXPECT_EQ(fifo.ns, 5 * ms);
  EXPECT_EQ(fifo.nominal_max_ns, 0U);
  EXPECT_FALSE(fifo.against_nominal.any());
}

TEST(Nominal, AThreadThatChangesItsPolicyIsInBoth) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  s.to(10, 0, 7);
  s.to(20, 0, 0, runnable);
  s.to(30, 0, 7);
  s.to(50, 0, 0, runnable).prev_policy = 3;
  const Report report = analyse(s, 100);
  ASSERT_EQ(report.policies.size(), 2U);
  EXPECT_EQ(report.policies[0].policy, 3U);
  EXPECT_EQ(report.policies[0].ns, 20U);
  EXPECT_EQ(report.policies[1].ns, 10U);
}

}  // namespace
}  // namespace schedscope::analysis
