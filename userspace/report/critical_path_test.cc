// SPDX-License-Identifier: GPL-2.0-only
#include "report/critical_path.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "report/html.h"
#include "report/json.h"
#include "report/page.h"
#include "report/testing.h"

namespace schedscope::report {
namespace {

using timeline::State;

// The victim waits behind the hog, and sleeps for somebody who is not selected.
analysis::Report report_with_path() {
  analysis::Report report = testing::report();
  const std::uint64_t start = report.start_ns;
  analysis::CriticalPath path;
  path.thread = 1;
  path.from_ns = start;
  path.to_ns = start + 900;
  path.threads = {{.thread = 1, .tid = 101, .ns = 600},
                  {.thread = 9, .tid = 42, .comm = "\x1b[2J"}};
  path.threads[0].state_ns[static_cast<std::size_t>(State::wait)] = 600;
  path.threads[1].ns = path.threads[1].state_ns[static_cast<std::size_t>(State::sleep)] = 300;
  path.threads[1].sleep_ns[static_cast<std::size_t>(analysis::WakerKind::timer)] = 300;
  path.segments = {{.thread = 1,
                    .state = State::wait,
                    .cpu = 1,
                    .begin_ns = start,
                    .end_ns = start + 600,
                    .behind = 0,
                    .behind_ns = 500},
                   {.thread = 9,
                    .state = State::sleep,
                    .cause = analysis::WakerKind::timer,
                    .depth = 1,
                    .begin_ns = start + 600,
                    .end_ns = start + 900}};
  path.waited_behind = {{.thread = 0, .tid = 100, .comm = "hog", .count = 1, .ns = 500}};
  path.waited_behind_unknown_ns = 100;
  path.adds_up = true;
  report.critical_path = path;
  return report;
}

TEST(CriticalPathText, SaysWhoseTimeItWas) {
  const analysis::Report report = report_with_path();
  const std::string text = critical_path_text(report, **report.critical_path, {});
  EXPECT_NE(text.find("Adds up in 2 segments: 900 ns"), std::string::npos) << text;
  EXPECT_NE(text.find("wait for CPU 1, 500 ns of it behind </script><img>/100"), std::string::npos)
      << text;
  EXPECT_NE(text.find("sleep, ended by the timer"), std::string::npos) << text;
  EXPECT_NE(text.find(R"(\x1b[2J/42)"), std::string::npos) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(CriticalPathText, SaysWhatItLeavesOut) {
  const analysis::Report report = report_with_path();
  TextOptions options;
  options.top = 1;
  const std::string text = critical_path_text(report, **report.critical_path, options);
  EXPECT_NE(text.find("The 1 longest segment,"), std::string::npos) << text;
  EXPECT_NE(text.find("… and 1 more segment, 300 ns together"), std::string::npos) << text;
  EXPECT_NE(text.find("… and 1 more thread, 300 ns together"), std::string::npos) << text;
}

TEST(CriticalPathText, AHoleIsSaidAloud) {
  analysis::Report report = report_with_path();
  (*report.critical_path)->adds_up = false;
  EXPECT_NE(critical_path_text(report, **report.critical_path, {}).find("DOES NOT ADD UP"),
            std::string::npos);
}

TEST(CriticalPathJson, HasTheKeysThatScriptsRelyOn) {
  const auto out = nlohmann::json::parse(json_report(report_with_path()));
  const auto& path = out["critical_path"];
  EXPECT_EQ(path["tid"], 101);
  EXPECT_EQ(path["adds_up"], true);
  EXPECT_EQ(path["to_ns"].get<std::uint64_t>() - path["from_ns"].get<std::uint64_t>(), 900U);
  EXPECT_EQ(path["threads"][0]["wait_ns"], 600);
  EXPECT_EQ(path["threads"][1]["comm"], R"(\x1b[2J)");
  EXPECT_EQ(path["threads"][1]["sleep_by"]["timer"], 300);
  EXPECT_EQ(path["waited_behind"][0]["ns"], 500);
  EXPECT_EQ(path["waited_behind_unknown_ns"], 100);
  EXPECT_EQ(path["segments"][0]["behind"]["tid"], 100);
  EXPECT_EQ(path["segments"][0]["cpu"], 1);
  EXPECT_EQ(path["segments"][1]["cause"], "timer");
  EXPECT_EQ(path["segments"][1]["tid"], 42);
  EXPECT_EQ(path["segments"][1]["depth"], 1);
  EXPECT_EQ(path["segments_left_out"], 0);
  EXPECT_FALSE(nlohmann::json::parse(json_report(testing::report())).contains("critical_path"));
}

// Of three segments of 600, 100 and 200 ns, beside those that the analysis left out.
TEST(CriticalPathJson, KeepsTheLongestSegmentsAndCountsTheOthers) {
  analysis::Report report = report_with_path();
  analysis::CriticalPath& path = **report.critical_path;
  path.segments[1].end_ns = path.segments[1].begin_ns + 100;
  path.segments.push_back(path.segments[1]);
  path.segments[2].begin_ns = path.segments[1].end_ns;
  path.segments[2].end_ns = path.segments[2].begin_ns + 200;
  path.segments_left_out = 5;
  path.left_out_ns = 7;
  const auto two = critical_path_json(report, path, 2);
  ASSERT_EQ(two["segments"].size(), 2U);
  EXPECT_EQ(two["segments"][0]["begin_ns"], path.segments[0].begin_ns);
  EXPECT_EQ(two["segments"][1]["begin_ns"], path.segments[2].begin_ns);
  EXPECT_EQ(two["segments_left_out"], 6);
  EXPECT_EQ(two["left_out_ns"], 107);
  const auto all = critical_path_json(report, path);
  EXPECT_EQ(all["segments"].size(), 3U);
  EXPECT_EQ(all["segments_left_out"], 5);
  EXPECT_EQ(all["left_out_ns"], 7);
  EXPECT_EQ(critical_path_json(report, path, 0)["left_out_ns"], 907);
}

// The earliest of those that are equally long.
TEST(CriticalPathJson, ThePageIsBoundedAndTheReportIsNot) {
  analysis::Report report = report_with_path();
  auto& segments = (*report.critical_path)->segments;
  segments.assign(page_segments + 3, segments[0]);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    segments[i].begin_ns = report.start_ns + 10 * i;
    segments[i].end_ns = segments[i].begin_ns + 10;
  }
  const auto all = nlohmann::json::parse(json_report(report))["critical_path"];
  EXPECT_EQ(all["segments"].size(), page_segments + 3);
  EXPECT_EQ(all["segments_left_out"], 0);
  if (page_template().empty()) GTEST_SKIP() << "built without npm";
  const auto page = html_report(report, Pictures());
  ASSERT_TRUE(page);
  const std::string_view open = "id=\"report\">";
  const std::size_t begin = page->find(open) + open.size();
  const std::string text = page->substr(begin, page->find("</script>", begin) - begin);
  const auto path = nlohmann::json::parse(text)["critical_path"];
  EXPECT_EQ(path["segments"].size(), page_segments);
  EXPECT_EQ(path["segments"].back()["end_ns"], report.start_ns + 10 * page_segments);
  EXPECT_EQ(path["segments_left_out"], 3);
  EXPECT_EQ(path["left_out_ns"], 30);
}

}  // namespace
}  // namespace schedscope::report
