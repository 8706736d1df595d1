// SPDX-License-Identifier: GPL-2.0-only
//
// Fair threads by the scheduler's virtual times, from records whose answer is known.
#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "report/export_json.h"
#include "report/json.h"
#include "report/text.h"
#include "timeline/testing.h"

namespace schedscope::analysis {
namespace {

using timeline::testing::Script;
using timeline::testing::ticked;

constexpr std::uint64_t ms = 1'000'000;
constexpr std::int64_t sms = 1'000'000;
constexpr std::uint16_t known = SCHEDSCOPE_EEVDF_DEADLINE | SCHEDSCOPE_EEVDF_LAG;
constexpr std::uint16_t in = SCHEDSCOPE_EEVDF_IN | known;

Report analyse(const Script& s, std::uint64_t end, Window window = {}, bool recorded = true) {
  capture::Machine machine;
  machine.cpus = machine.cpus_online = 1;
  if (recorded) machine.extras = {"eevdf"};
  Analysis analysis(machine, window);
  for (std::size_t i = 0; i < s.size(); ++i) analysis.add(s[i]);
  return analysis.finish(end);
}

const EevdfReport& of(const Report& report, std::uint32_t tid) {
  static const EevdfReport none;
  for (const ThreadReport& thread : report.threads) {
    if (thread.who.tid == tid && thread.eevdf) return *thread.eevdf;
  }
  ADD_FAILURE() << "nothing of " << tid;
  return none;
}

// 7 runs twice, past its deadline and then up to before it; 8 goes to sleep in between.
Script two_threads() {
  Script s;
  s.wake(9 * ms, 7);
  s.wake(9 * ms, 8);
  s.eevdf(10 * ms, 0, 7, in, 100 * ms, 103 * ms, 1 * sms).slice_ns = 3 * ms;
  s.to(10 * ms, 0, 7);
  s.eevdf(14 * ms, 0, 7, known | SCHEDSCOPE_EEVDF_PROTECTED, 104 * ms, 107 * ms, -2 * sms)
      .protected_until = 103 * ms;
  s.eevdf(14 * ms, 0, 8, in, 100 * ms, 103 * ms, 2 * sms).slice_ns = 3 * ms;
  s.to(14 * ms, 0, 8, ticked);
  s.eevdf(16 * ms, 0, 8, known | SCHEDSCOPE_EEVDF_OFF_QUEUE, 102 * ms, 103 * ms, 1 * sms);
  s.eevdf(16 * ms, 0, 7, in | SCHEDSCOPE_EEVDF_CUSTOM, 104 * ms, 107 * ms, 0).slice_ns = 5 * ms;
  s.to(16 * ms, 0, 7);
  s.eevdf(18 * ms, 0, 7, known | SCHEDSCOPE_EEVDF_PROTECTED, 106 * ms, 107 * ms, -1 * sms)
      .protected_until = 107 * ms;
  s.to(18 * ms, 0, 0, ticked);
  return s;
}

TEST(Eevdf, LagDeadlineAndSlice) {
  const Report report = analyse(two_threads(), 100 * ms);
  const EevdfReport& seven = of(report, 7);
  EXPECT_EQ(seven.vruntime_ns, 6 * ms);
  EXPECT_EQ(seven.past_deadline, 1U);
  EXPECT_EQ(seven.before_deadline, 1U);
  EXPECT_EQ(seven.left_protected, 1U);
  EXPECT_EQ(seven.lag_in.count, 2U);
  EXPECT_EQ(seven.lag_in.least_ns, 0);
  EXPECT_EQ(seven.lag_in.most_ns, 1 * sms);
  EXPECT_EQ(seven.lag_out.least_ns, -2 * sms);
  EXPECT_EQ(seven.lag_out.most_ns, -1 * sms);
  EXPECT_GE(seven.lag_out.p99_ns, 2 * ms);
  EXPECT_LE(seven.lag_out.p99_ns, 2 * ms + ms / 8);
  EXPECT_EQ(seven.slice_max_ns, 5 * ms);
  const EevdfReport& eight = of(report, 8);
  EXPECT_EQ(eight.before_deadline, 1U);
  EXPECT_EQ(eight.vruntime_ns, 2 * ms);
  EXPECT_FALSE(eight.custom_slice);
}

TEST(Eevdf, AbsentWhereItWasNotRecorded) {
  const Report report = analyse(two_threads(), 100 * ms, {}, false);
  EXPECT_FALSE(report.threads[0].eevdf);
  EXPECT_EQ(report::json_report(report).find("eevdf"), std::string::npos);
  const Report with = analyse(two_threads(), 100 * ms);
  EXPECT_NE(report::json_report(with).find("\"left_protected\""), std::string::npos);
  report::TextOptions options;
  options.width = 250;
  EXPECT_NE(report::text_report(with, options).find("-2.000 ms … -1.000 ms"), std::string::npos)
      << report::text_report(with, options);
}

// CFS has a vruntime and nothing else: what is not known is not 0.
TEST(Eevdf, OfCfs) {
  Script s;
  s.wake(9 * ms, 7);
  s.eevdf(10 * ms, 0, 7, SCHEDSCOPE_EEVDF_IN | SCHEDSCOPE_EEVDF_QUEUE, ~0ULL - 1 * ms);
  s.to(10 * ms, 0, 7);
  s.eevdf(14 * ms, 0, 7, SCHEDSCOPE_EEVDF_QUEUE, 3 * ms - 1);  // it wraps around
  s.to(14 * ms, 0, 0, ticked);
  const Report report = analyse(s, 100 * ms);
  EXPECT_EQ(of(report, 7).vruntime_ns, 4 * ms);
  const std::string json = report::json_report(report);
  EXPECT_NE(json.find("\"vruntime_ns\""), std::string::npos);
  EXPECT_EQ(json.find("lag_in"), std::string::npos);
  EXPECT_EQ(json.find("custom_slice"), std::string::npos);
}

TEST(Eevdf, NothingIsBridgedAcrossAGap) {
  Script s;
  s.wake(9 * ms, 7);
  s.eevdf(10 * ms, 0, 7, in, 100 * ms, 103 * ms, 0);
  s.to(10 * ms, 0, 7);
  s.lost(0, 11 * ms, 12 * ms);
  s.eevdf(14 * ms, 0, 7, known, 200 * ms, 203 * ms, 0);
  s.to(14 * ms, 0, 0, ticked);
  const EevdfReport seven = of(analyse(s, 100 * ms), 7);
  EXPECT_EQ(seven.vruntime_ns, 0U);
  EXPECT_EQ(seven.past_deadline + seven.before_deadline, 0U);
  EXPECT_EQ(seven.lag_out.count, 1U);
}

TEST(Eevdf, OfAWindow) {
  const Report report = analyse(two_threads(), 100 * ms, {.from_ns = 15 * ms, .to_ns = 0});
  EXPECT_EQ(of(report, 7).lag_in.count, 1U);
  EXPECT_EQ(of(report, 7).vruntime_ns, 2 * ms);
  EXPECT_EQ(of(report, 8).vruntime_ns, 0U);
}

TEST(Eevdf, ANegativeLagIsExportedAsOne) {
  Script s;
  s.eevdf(10 * ms, 0, 7, known, 1, 2, -3);
  EXPECT_NE(report::record_json(s[0]).find("\"lag\":-3"), std::string::npos)
      << report::record_json(s[0]);
}

// As a real-time thread it tells nothing.
TEST(Eevdf, ThreadThatLeavesItsClassOnTheCpu) {
  Script s;
  s.wake(9 * ms, 7);
  s.eevdf(10 * ms, 0, 7, in, 100 * ms, 103 * ms, 0);
  s.to(10 * ms, 0, 7);
  s.to(14 * ms, 0, 0, timeline::testing::runnable);
  s.to(20 * ms, 0, 7);
  s.eevdf(30 * ms, 0, 7, known, 900 * ms, 903 * ms, 0);
  s.to(30 * ms, 0, 0, ticked);
  const Report report = analyse(s, 100 * ms);
  EXPECT_EQ(of(report, 7).vruntime_ns, 0U);
  EXPECT_EQ(of(report, 7).past_deadline + of(report, 7).before_deadline, 0U);
}

}  // namespace
}  // namespace schedscope::analysis
