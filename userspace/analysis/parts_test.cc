// SPDX-License-Identifier: GPL-2.0-only
#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "analysis/histogram.h"
#include "analysis/peers.h"
#include "analysis/switch_numbers.h"
#include "timeline/flat_map.h"

namespace schedscope {
namespace {

TEST(LogLinear, PercentileIsAtMostASixteenthTooHigh) {
  std::mt19937_64 rng(1);
  for (int round = 0; round < 200; ++round) {
    analysis::LogLinear histogram;
    std::vector<std::uint64_t> values;
    const std::uint64_t spread = 1ULL << (rng() % 50);
    for (int i = 0; i < 500; ++i) values.push_back(rng() % spread);
    for (const std::uint64_t v : values) histogram.add(v);
    std::sort(values.begin(), values.end());
    for (const unsigned permille : {500U, 990U, 1000U}) {
      const std::uint64_t exact = values[(values.size() * permille + 999) / 1000 - 1];
      const std::uint64_t found = histogram.percentile(permille);
      EXPECT_GE(found, exact);
      EXPECT_LE(found, exact + exact / 16);
    }
  }
}

TEST(LogLinear, PowersOfTwoAreThoseOfTheLedger) {
  analysis::LogLinear fine;
  analysis::Log2 coarse;
  std::mt19937_64 rng(1);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = rng() >> (rng() % 64);
    fine.add(value);
    coarse.add(value);
  }
  EXPECT_EQ(fine.by_powers_of_two(), coarse.counts());
}

TEST(LogLinear, OfNothingIsNothing) {
  EXPECT_EQ(analysis::LogLinear().percentile(500), 0U);
  EXPECT_TRUE(analysis::LogLinear().by_powers_of_two().empty());
}

TEST(SwitchNumbers, CountsWhatWasRecordedBetweenTwoReadings) {
  analysis::SwitchNumbers numbers;
  EXPECT_EQ(numbers.count(0, 5), 0U);
  for (const std::uint32_t n : {5U, 6U, 7U, 10U, 11U}) numbers.add(n);
  EXPECT_EQ(numbers.count(4, 11), 5U);
  EXPECT_EQ(numbers.count(5, 10), 3U);
  EXPECT_EQ(numbers.count(11, 20), 0U);
  EXPECT_EQ(numbers.count(0, 4), 0U);
}

TEST(SwitchNumbers, WrapAsTheRecordsDo) {
  analysis::SwitchNumbers numbers;
  for (const std::uint32_t n : {0xfffffffeU, 0xffffffffU, 0U, 1U}) numbers.add(n);
  EXPECT_EQ(numbers.count(0x2ffffffffULL - 1, 0x300000001ULL), 3U);
}

TEST(SwitchNumbers, TooManyHolesAreNotComparable) {
  analysis::SwitchNumbers numbers;
  for (std::uint32_t n = 0; n < 100; n += 2) numbers.add(n);
  EXPECT_FALSE(numbers.count(0, 100).has_value());
}

TEST(Peers, SumStaysExactWhenThereAreTooMany) {
  analysis::Peers peers;
  std::uint64_t ns = 0;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    peers.count(i % 200) += i;
    ns += i;
  }
  std::uint64_t count = 0, sum = 0;
  const auto list = peers.list({}, analysis::Peers::By::time);
  EXPECT_EQ(list.size(), analysis::Peers::most + 1);
  for (const auto& peer : list) {
    count += peer.count;
    sum += peer.ns;
  }
  EXPECT_EQ(count, 1000U);
  EXPECT_EQ(sum, ns);
}

TEST(Peers, ExactUpToTheirMost) {
  std::mt19937 rng(2);
  for (std::uint32_t most = 1; most <= analysis::Peers::most; ++most) {
    analysis::Peers peers;
    std::map<std::uint32_t, std::pair<std::uint64_t, std::uint64_t>> truth;
    for (int i = 0; i < 2000; ++i) {
      const auto peer = static_cast<std::uint32_t>(rng() % most * (most % 2 == 0 ? 1 : 256));
      peers.count(peer) += peer;
      ++truth[peer].first;
      truth[peer].second += peer;
    }
    const auto threads = std::vector<timeline::Thread>(256 * analysis::Peers::most);
    const auto list = peers.list(threads, analysis::Peers::By::count);
    EXPECT_EQ(list.size(), truth.size());
    for (const auto& peer : list) {
      EXPECT_EQ(peer.count, truth[peer.thread].first);
      EXPECT_EQ(peer.ns, truth[peer.thread].second);
    }
  }
}

TEST(Peers, TheLargestStay) {
  analysis::Peers peers;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    peers.count(i % 10) += 1000;
    peers.count(100 + i) += 1;
  }
  const auto threads = std::vector<timeline::Thread>(20'000);
  const auto list = peers.list(threads, analysis::Peers::By::time);
  ASSERT_EQ(list.size(), analysis::Peers::most + 1);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_LT(list[i].thread, 10U);
    EXPECT_EQ(list[i].count, 1000U);
    EXPECT_EQ(list[i].ns, 1'000'000U);
  }
}

TEST(FlatMap, DoesAsAMapDoes) {
  std::mt19937 rng(1);
  timeline::TidMap map;
  std::vector<std::uint32_t> truth(500, timeline::TidMap::none);
  for (int i = 0; i < 100'000; ++i) {
    const auto key = static_cast<std::uint32_t>(rng() % truth.size());
    if (rng() % 3 == 0) {
      map.erase(key);
      truth[key] = timeline::TidMap::none;
    } else {
      truth[key] = static_cast<std::uint32_t>(i);
      map.set(key, truth[key]);
    }
    const auto other = static_cast<std::uint32_t>(rng() % truth.size());
    ASSERT_EQ(map.find(other), truth[other]);
  }
}

}  // namespace
}  // namespace schedscope
