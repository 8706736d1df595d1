// SPDX-License-Identifier: GPL-2.0-only
#include "capture/merge.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "capture/test_files.h"

namespace schedscope::capture {
namespace {

using Times = std::vector<std::uint64_t>;
using Who = std::vector<std::pair<std::uint64_t, std::uint64_t>>;  // time, source

// A chunk of sections; each record's cpu is its source.
std::unique_ptr<DecodedChunk> chunk(std::vector<std::pair<std::uint64_t, Times>> sections) {
  auto made = std::make_unique<DecodedChunk>();
  made->used = sections.size();
  for (const auto& [source, times] : sections) {
    DecodedSection& section = made->sections.emplace_back();
    section.source = source;
    section.memory.resize(times.size() * sizeof(schedscope_waking) / sizeof(std::uint64_t));
    auto* record = reinterpret_cast<schedscope_waking*>(section.memory.data());
    for (const std::uint64_t time : times) {
      *record = test::waking(time, static_cast<std::uint16_t>(source), 0);
      section.order.push_back(&(record++)->rec);
    }
  }
  return made;
}

Who drain(Merger& merger) {
  Who who;
  for (auto run = merger.next(); !run.empty(); run = merger.next()) {
    for (const auto* record : run) who.emplace_back(record->time_ns, record->cpu);
  }
  return who;
}

TEST(Merger, OrdersByTimeThenSource) {
  Merger merger;
  merger.add(chunk({{2, {10, 20, 20, 30}}, {1, {5, 20, 40}}, {3, {20}}}));
  merger.end();
  EXPECT_EQ(drain(merger),
            (Who{{5, 1}, {10, 2}, {20, 1}, {20, 2}, {20, 2}, {20, 3}, {30, 2}, {40, 1}}));
  EXPECT_EQ(merger.late(), 0U);
}

TEST(Merger, HoldsBackWhatIsNotOlderThanTheWatermark) {
  Merger merger;
  merger.add(chunk({{1, {10, 20, 30}}}));
  merger.promise(20);
  EXPECT_EQ(drain(merger), (Who{{10, 1}}));
  // Exactly the watermark's time, of a smaller source: goes before what was held back.
  merger.add(chunk({{0, {20, 25}}}));
  merger.promise(26);
  EXPECT_EQ(drain(merger), (Who{{20, 0}, {20, 1}, {25, 0}}));
  merger.end();
  EXPECT_EQ(drain(merger), (Who{{30, 1}}));
  EXPECT_EQ(merger.late(), 0U);
  EXPECT_EQ(merger.held_bytes(), 0U);
}

TEST(Merger, KeepsASourcesOwnOrderWhenItsTimeStepsBack) {
  Merger merger;
  merger.add(chunk({{1, {10, 50, 45, 60}}, {2, {46, 49, 55}}}));
  merger.end();
  EXPECT_EQ(drain(merger), (Who{{10, 1}, {46, 2}, {49, 2}, {50, 1}, {45, 1}, {55, 2}, {60, 1}}));
}

TEST(Merger, KeepsASourcesOrderOverChunks) {
  Merger merger;
  merger.add(chunk({{1, {50}}, {2, {10}}}));
  merger.add(chunk({{1, {45, 60}}, {2, {47, 70}}}));
  merger.end();
  EXPECT_EQ(drain(merger), (Who{{10, 2}, {47, 2}, {50, 1}, {45, 1}, {60, 1}, {70, 2}}));
}

TEST(Merger, CountsWhatIsOlderThanAWatermark) {
  Merger merger;
  merger.add(chunk({{1, {100}}}));
  merger.promise(90);
  merger.add(chunk({{2, {80, 89, 90}}}));
  merger.promise(50);  // takes nothing back
  merger.end();
  EXPECT_EQ(drain(merger), (Who{{80, 2}, {89, 2}, {90, 2}, {100, 1}}));
  EXPECT_EQ(merger.late(), 2U);
}

TEST(Merger, AccountsOfExitedThreadsAreNotLate) {
  Merger merger;
  merger.add(chunk({{1, {100}}}));
  merger.promise(90);
  auto accounts = chunk({{2, {80, 89}}});
  for (const schedscope_rec* record : accounts->sections[0].order) {
    const_cast<schedscope_rec*>(record)->kind = SCHEDSCOPE_REC_ACCOUNT;
  }
  merger.add(std::move(accounts));
  merger.end();
  EXPECT_EQ(drain(merger), (Who{{80, 2}, {89, 2}, {100, 1}}));
  EXPECT_EQ(merger.late(), 0U);
}

TEST(Merger, SaysWhenItCouldNotWait) {
  Merger merger;
  merger.add(chunk({{1, {100, 200}}}));
  EXPECT_TRUE(merger.next().empty());
  EXPECT_EQ(merger.next_uncertain().front()->time_ns, 100U);
  merger.add(chunk({{2, {99, 150}}}));
  merger.end();
  EXPECT_EQ(drain(merger), (Who{{99, 2}, {150, 2}, {200, 1}}));
  EXPECT_EQ(merger.late(), 1U);
}

TEST(Merger, UsesTheMemoryOfReadChunksAgain) {
  Merger merger;
  auto first = chunk({{1, {1}}});
  const auto* address = first.get();
  merger.add(std::move(first));
  EXPECT_GT(merger.held_bytes(), 0U);
  merger.end();
  EXPECT_EQ(drain(merger).size(), 1U);
  EXPECT_EQ(merger.held_bytes(), 0U);
  EXPECT_EQ(merger.spare().get(), address);
}

TEST(Merger, AgreesWithASort) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Merger merger;
    Who expected;
    std::vector<std::pair<std::uint64_t, Times>> sections;
    for (std::uint64_t source = 0; source < 5; ++source) {
      Times times(random() % 6);
      for (auto& time : times) time = random() % 8;
      std::ranges::sort(times);
      for (const auto time : times) expected.emplace_back(time, source);
      sections.emplace_back(source, times);
    }
    std::ranges::sort(expected);
    merger.add(chunk(sections));
    merger.end();
    ASSERT_EQ(drain(merger), expected);
  }
}

}  // namespace
}  // namespace schedscope::capture
