// SPDX-License-Identifier: GPL-2.0-only
#include "report/html.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "report/embed.h"
#include "report/out_file.h"
#include "report/page.h"
#include "report/testing.h"

namespace schedscope::report {
namespace {

// A thread that runs `run_ns` and sleeps `sleep_ns`, again and again, on one CPU.
void alternate(Pictures& pictures, std::size_t times, std::uint64_t run_ns,
               std::uint64_t sleep_ns) {
  std::uint64_t now = 1'000'000;
  for (std::size_t i = 0; i < times; ++i) {
    pictures.slice({.thread = 0, .cpu = 0, .begin_ns = now, .end_ns = now + run_ns});
    now += run_ns;
    pictures.span({.thread = 0,
                   .state = timeline::State::sleep,
                   .cpu = 0,
                   .begin_ns = now,
                   .end_ns = now + sleep_ns});
    now += sleep_ns;
  }
}

TEST(Embed, Base64) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

TEST(Embed, NothingEndsTheScript) {
  const std::string json = R"({"a":"</script><!--<b>&"})";
  const std::string safe = script_safe(json);
  EXPECT_EQ(safe.find_first_of("<>&"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(safe), nlohmann::json::parse(json));
}

TEST(Pictures, AreExactWhileThereIsRoom) {
  Pictures pictures(1000);
  alternate(pictures, 100, 500, 1500);
  EXPECT_EQ(pictures.resolution_ns(), 0);
  EXPECT_EQ(pictures.cells(), 300);  // on the thread's lane run and sleep, on the CPU's run
  EXPECT_EQ(pictures.lanes(LaneKind::cpu)[0].cells.size(), 100);
}

TEST(Pictures, StayBoundedAndKeepEveryNanosecond) {
  Pictures pictures(1000);
  alternate(pictures, 100'000, 500, 1500);
  EXPECT_LE(pictures.cells(), 1000);
  EXPECT_GT(pictures.resolution_ns(), 0);
  EXPECT_EQ(pictures.stretches(), 300'000);
  std::uint64_t run = 0, sleep = 0, count = 0, end = 1'000'000;
  const Lane& lane = pictures.lanes(LaneKind::thread)[0];
  for (const Cell& cell : lane.cells) {
    EXPECT_EQ(cell.begin_ns, end);  // no hole, no overlap
    end = cell.end_ns;
    count += cell.count;
    EXPECT_LE(cell.end_ns - cell.begin_ns, pictures.resolution_ns());
    ASSERT_NE(cell.mix, Cell::no_mix);
    const Mix& mix = lane.mixes[cell.mix];
    for (std::size_t i = 0; i < mix.used; ++i) {
      (mix.key[i] == static_cast<std::uint32_t>(timeline::State::run) ? run : sleep) += mix.ns[i];
    }
  }
  EXPECT_EQ(count, 200'000);
  EXPECT_EQ(run, 50'000'000);
  EXPECT_EQ(sleep, 150'000'000);
}

TEST(Pictures, TheBoundHoldsAtEveryLength) {
  for (std::size_t times = 1; times < 20'000; times = times * 5 / 4 + 1) {
    Pictures pictures(1000);
    alternate(pictures, times, 700, 90'000);
    EXPECT_LE(pictures.cells(), 1000) << times;
  }
}

TEST(Pictures, LongStretchesStayExact) {
  Pictures pictures(64);
  alternate(pictures, 1000, 500, 1500);
  const std::uint64_t long_ns = 1'000'000'000;
  pictures.slice({.thread = 0,
                  .cpu = 0,
                  .end = timeline::SliceEnd::preempted,
                  .begin_ns = 10'000'000'000,
                  .end_ns = 10'000'000'000 + long_ns,
                  .by = 7});
  alternate(pictures, 0, 0, 0);
  const Cell& last = pictures.lanes(LaneKind::thread)[0].cells.back();
  EXPECT_EQ(last.end_ns - last.begin_ns, long_ns);
  EXPECT_EQ(last.count, 1);
  EXPECT_EQ(last.reason, timeline::SliceEnd::preempted);
  EXPECT_EQ(last.by, 7);
}

TEST(Pictures, ManyThreadsInOneCellEndUpInTheRest) {
  Mix mix;
  for (std::uint32_t i = 0; i < 20; ++i) mix.add(i, 10);
  mix.add(mix_unknown, 5);
  mix.add(mix_off, 3);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < mix.used; ++i) total += mix.ns[i];
  EXPECT_EQ(total, 208);
  EXPECT_EQ(mix.used, Mix::room);
  EXPECT_EQ(mix.ns[7], 130);
  EXPECT_EQ(mix.key[7], mix_others);
}

TEST(Pictures, OutsideOfTheWindowNothingIsKept) {
  Pictures pictures(1000, {.from_ns = 1'002'000, .to_ns = 1'004'000});
  alternate(pictures, 100, 500, 1500);
  EXPECT_EQ(pictures.lanes(LaneKind::cpu)[0].cells.size(), 1);
}

timeline::Span sleep_for(const timeline::Futex& futex, std::uint64_t begin_ns) {
  return {.thread = 0,
          .state = timeline::State::sleep,
          .begin_ns = begin_ns,
          .end_ns = begin_ns + 10,
          .syscall = {.number = 202},
          .futex = &futex};
}

TEST(Pictures, KeepWhatWasSleptInAndFor) {
  Pictures pictures;
  pictures.span(sleep_for({.word = 0xffff'ffff'ffff'fff0, .owner = 7}, 100));
  pictures.span(sleep_for({}, 200));
  pictures.span({.thread = 0, .state = timeline::State::block, .begin_ns = 300, .end_ns = 400});
  pictures.span(sleep_for({.word = 0xffff'ffff'ffff'fff0}, 500));
  const auto& cells = pictures.lanes(LaneKind::thread)[0].cells;
  ASSERT_EQ(cells.size(), 4);
  EXPECT_EQ(cells[0].by, 7);
  EXPECT_EQ(cells[0].why, 1);
  EXPECT_EQ(cells[1].by, timeline::no_index);
  EXPECT_EQ(cells[1].why, 2);
  EXPECT_EQ(cells[2].why, 0);
  EXPECT_EQ(cells[3].why, 1);
  const auto packed = pictures_json(pictures);
  ASSERT_TRUE(packed);
  EXPECT_EQ(
      nlohmann::json::parse(*packed)["whys"],
      nlohmann::json::parse(R"([[""], ["futex", "0xfffffffffffffff0"], ["futex", "several"]])"));
}

TEST(Pictures, WhatIsSleptForIsBoundedAndTheCallStays) {
  Pictures pictures;
  pictures.span({.thread = 0,
                 .state = timeline::State::sleep,
                 .begin_ns = 1,
                 .end_ns = 2,
                 .syscall = {.number = 202}});
  for (std::uint64_t i = 1; i < 2 * Pictures::most_whys; ++i) {
    pictures.span(sleep_for({.word = 8 * i}, 100 * i));
  }
  EXPECT_EQ(pictures.whys().size(), Pictures::most_whys);
  const Cell& last = pictures.lanes(LaneKind::thread)[0].cells.back();
  EXPECT_EQ(pictures.whys()[last.why], Why{.syscall = {.number = 202}});
}

TEST(Html, HoldsTheReportAndNoNameBreaksOut) {
  if (page_template().empty()) GTEST_SKIP() << "built without npm";
  Pictures pictures;
  alternate(pictures, 10, 500, 1500);
  const auto page = html_report(testing::report(), pictures, R"({"claims":[]})");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->find("</script><img>"), std::string::npos);
  EXPECT_EQ(page->find("<!--schedscope:"), std::string::npos);
  EXPECT_NE(page->find("default-src 'none'"), std::string::npos);
  for (const char* id : {"report", "pictures", "lab"}) {
    const std::string open = std::string("<script type=\"application/json\" id=\"") + id + "\">";
    const std::size_t at = page->find(open);
    ASSERT_NE(at, std::string::npos) << id;
    const std::size_t begin = at + open.size();
    EXPECT_TRUE(
        nlohmann::json::accept(page->substr(begin, page->find("</script>", begin) - begin)));
  }
}

TEST(Html, RefusesResultsThatAreNoJson) {
  if (page_template().empty()) GTEST_SKIP() << "built without npm";
  const auto page = html_report(testing::report(), Pictures(), "{");
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().exit, Exit::input);
}

TEST(OutFile, AppearsWholeOrNotAtAll) {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("schedscope-out-file-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const auto path = folder / "out";
  {
    auto file = OutFile::create(path);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->append("half"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  auto file = OutFile::create(path);
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->append("whole"));
  EXPECT_FALSE(std::filesystem::exists(path));
  ASSERT_TRUE(file->commit());
  std::ifstream in(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "whole");
  EXPECT_FALSE(OutFile::create(folder / "no" / "such"));
  // As /dev/stdout is one.
  std::filesystem::create_symlink(path, folder / "link");
  auto through = OutFile::create(folder / "link");
  ASSERT_TRUE(through && through->append("other") && through->commit());
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  std::ifstream again(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(again), {}), "other");
  if (std::filesystem::exists("/dev/full")) {
    auto full = OutFile::create("/dev/full");
    ASSERT_TRUE(full);
    ASSERT_TRUE(full->append("x"));
    EXPECT_FALSE(full->commit());
    EXPECT_FALSE(full->commit());
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace schedscope::report
