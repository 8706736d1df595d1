// SPDX-License-Identifier: GPL-2.0-only
#include "capture/varint.h"

#include <random>

#include <gtest/gtest.h>

#include "capture/dense.h"

namespace schedscope::capture {
namespace {

std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

TEST(Varint, RoundTripsEveryLength) {
  for (unsigned bit = 0; bit < 64; ++bit) {
    for (const std::uint64_t value : {1ULL << bit, (1ULL << bit) - 1, ~0ULL >> bit}) {
      std::vector<std::byte> out;
      put_varint(out, value);
      ByteReader in(out);
      std::uint64_t back = 0;
      ASSERT_TRUE(in.varint(back));
      EXPECT_EQ(back, value);
      EXPECT_EQ(in.left(), 0U);
    }
  }
}

TEST(Varint, IsLeb128) {
  std::vector<std::byte> out;
  put_varint(out, 624485);
  EXPECT_EQ(out, bytes({0xe5, 0x8e, 0x26}));
}

TEST(Varint, RefusesWhatEndsEarlyOrIsTooLong) {
  std::uint64_t value = 0;
  EXPECT_FALSE(ByteReader({}).varint(value));
  const auto open = bytes({0x80});
  EXPECT_FALSE(ByteReader(open).varint(value));
  const auto eleven = bytes({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01});
  EXPECT_FALSE(ByteReader(eleven).varint(value));
  const auto bit_65 = bytes({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02});
  EXPECT_FALSE(ByteReader(bit_65).varint(value));
}

TEST(Varint, ManyAreReadAsOneByOne) {
  std::mt19937_64 rng(1);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::byte> out;
    std::vector<std::uint64_t> values(rng() % 60);
    const auto rarely = 1 + rng() % 40;
    for (auto& value : values) {
      value = rng() % rarely == 0 ? rng() >> rng() % 64 : rng() % 128;
      put_varint(out, value);
    }
    std::vector<std::uint64_t> read(values.size());
    ByteReader in(out);
    ASSERT_TRUE(in.varints(read));
    EXPECT_EQ(read, values);
    EXPECT_EQ(in.left(), 0U);
    if (values.empty()) continue;
    out.pop_back();
    EXPECT_FALSE(ByteReader(out).varints(read));
  }
}

TEST(Zigzag, KeepsSmallDifferencesSmall) {
  EXPECT_EQ(zigzag(0), 0U);
  EXPECT_EQ(zigzag(~0ULL), 1U);
  EXPECT_EQ(zigzag(1), 2U);
  for (const std::uint64_t value : {0ULL, 1ULL, ~0ULL, 1ULL << 63, (1ULL << 63) - 1}) {
    EXPECT_EQ(unzigzag(zigzag(value)), value);
  }
}

TEST(ByteReader, TakesNoMoreThanThereIs) {
  const auto three = bytes({1, 2, 3});
  ByteReader in(three);
  EXPECT_FALSE(in.take(4).has_value());
  EXPECT_FALSE(in.take(~0ULL).has_value());
  EXPECT_EQ(in.take(2)->size(), 2U);
  EXPECT_EQ(in.left(), 1U);
}

TEST(Dense, NumbersInOrderOfAppearance) {
  Dense dense;
  for (std::uint64_t i = 0; i < 10'000; ++i) ASSERT_EQ(dense.id(i << 32), i);
  for (std::uint64_t i = 0; i < 10'000; ++i) ASSERT_EQ(dense.id(i << 32), i);
  EXPECT_EQ(dense.values().size(), 10'000U);
}

}  // namespace
}  // namespace schedscope::capture
