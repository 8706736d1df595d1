// SPDX-License-Identifier: GPL-2.0-only
#include "report/stacks.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "report/export_folded.h"
#include "report/json.h"
#include "report/testing.h"

namespace schedscope::report {
namespace {

analysis::Report with_stacks() {
  analysis::Report report = testing::report();
  analysis::StackReport& stacks = report.stacks.emplace();
  stacks.frames = {{.symbol = "_ZN4work5sleepEi", .file = "/bin/work", .in_file = true},
                   {.symbol = "", .file = "/lib/libx.so", .where = 0x123, .in_file = true},
                   {.symbol = "", .file = "", .where = 0x7f00},
                   {.symbol = "__schedule", .kernel = true},
                   {.symbol = "do_nanosleep", .kernel = true},
                   {.symbol = "a;b\n\x1b", .file = "/bin/work", .in_file = true}};
  stacks.stacks = {{1, {3, 4}}, {2, {0, 1}}, {3, {5, 2}}};
  stacks.with = {.count = 4, .ns = 60'000'000};
  stacks.before = {.count = 1, .ns = 39'000'000};
  stacks.user.gone = {.count = 1, .ns = 10'000'000};
  report.threads[1].off_cpu_stacks = {
      {.stacks = {.kernel = 1, .user = 2}, .count = 2, .ns = 40'000'000, .max_ns = 30'000'000},
      {.stacks = {.kernel = 1, .user = SCHEDSCOPE_STACK_GONE}, .count = 1, .ns = 10'000'000},
      {.stacks = {.kernel = SCHEDSCOPE_STACK_UNREADABLE, .user = 3}, .count = 1, .ns = 8'000'000},
      {.others = true, .count = 1, .ns = 2'000'000}};
  return report;
}

TEST(Stacks, Labels) {
  const auto report = with_stacks();
  EXPECT_EQ(frame_labels(*report.stacks, 2),
            (std::vector<std::string>{"work::sleep", "libx.so+0x123"}));
  EXPECT_EQ(frame_labels(*report.stacks, 3), (std::vector<std::string>{"a;b\\x0a\\x1b", "0x7f00"}));
  EXPECT_EQ(frame_labels(*report.stacks, SCHEDSCOPE_STACK_GONE),
            (std::vector<std::string>{"unknown (gone)"}));
  EXPECT_EQ(frame_labels(*report.stacks, 77), (std::vector<std::string>{"unknown (untold)"}));
  EXPECT_TRUE(frame_labels(*report.stacks, SCHEDSCOPE_STACK_NONE).empty());
}

TEST(Stacks, Text) {
  const auto report = with_stacks();
  const std::string all = text_report(report, {});
  EXPECT_NE(all.find("work::sleep < libx.so+0x123"), std::string::npos) << all;
  EXPECT_NE(all.find("do_nanosleep [k]"), std::string::npos) << all;
  EXPECT_NE(all.find("4 of 5 sleeps have stacks"), std::string::npos) << all;
  EXPECT_NE(all.find("1 sleep (10.00 ms) has no user stack: the program was gone"),
            std::string::npos)
      << all;
  const std::string one = text_report(report, {.thread = "101"});
  EXPECT_NE(one.find("  off the CPU 40.00 ms in 2 sleeps, the longest 30.00 ms:\n"
                     "      __schedule [k]\n      do_nanosleep [k]\n      work::sleep\n"),
            std::string::npos)
      << one;
  EXPECT_EQ(text_report(testing::report(), {}).find("slept"), std::string::npos);
}

TEST(Stacks, Json) {
  const auto out = nlohmann::json::parse(json_report(with_stacks()));
  const auto& rows = out["threads"][1]["off_cpu_stacks"];
  const auto labels = [&](const nlohmann::json& stack) {
    std::vector<std::string> names;
    for (const std::size_t frame : out["stacks"]["stacks"][stack.get<std::size_t>()]) {
      names.push_back(out["stacks"]["frames"][frame]);
    }
    return names;
  };
  EXPECT_EQ(labels(rows[0]["user"]), (std::vector<std::string>{"work::sleep", "libx.so+0x123"}));
  EXPECT_EQ(labels(rows[0]["kernel"]), (std::vector<std::string>{"__schedule", "do_nanosleep"}));
  EXPECT_EQ(rows[1]["kernel"], rows[0]["kernel"]);
  EXPECT_EQ(rows[0]["count"], 2);
  EXPECT_EQ(rows[0]["ns"], 40'000'000);
  EXPECT_EQ(rows[1]["user_missing"], "gone");
  EXPECT_EQ(rows[2]["kernel_missing"], "unreadable");
  EXPECT_EQ(rows[3]["others"], true);
  EXPECT_EQ(out["stacks"]["sleeps"]["count"], 4);
  EXPECT_EQ(out["stacks"]["user_missing"]["gone"]["ns"], 10'000'000);
  const auto none = nlohmann::json::parse(json_report(testing::report()));
  EXPECT_FALSE(none.contains("stacks"));
  EXPECT_FALSE(none["threads"][1].contains("off_cpu_stacks"));
}

TEST(Stacks, PartOfACapture) {
  auto report = with_stacks();
  report.stacks->in_part = true;
  EXPECT_EQ(frame_labels(*report.stacks, 77), (std::vector<std::string>{"unknown (unread)"}));
}

TEST(Stacks, Folded) {
  EXPECT_EQ(folded(with_stacks()),
            "bad\\xff\\x1b[31m;(no record) 39000000\n"
            "bad\\xff\\x1b[31m;(others) 2000000\n"
            "bad\\xff\\x1b[31m;0x7f00;a:b\\x0a\\x1b;unknown (unreadable)_[k] 8000000\n"
            "bad\\xff\\x1b[31m;libx.so+0x123;work::sleep;do_nanosleep_[k];__schedule_[k] 40000000\n"
            "bad\\xff\\x1b[31m;unknown (gone);do_nanosleep_[k];__schedule_[k] 10000000\n");
}

}  // namespace
}  // namespace schedscope::report
