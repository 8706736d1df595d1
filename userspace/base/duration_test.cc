// SPDX-License-Identifier: GPL-2.0-only
#include "base/duration.h"

#include <gtest/gtest.h>

namespace schedscope {
namespace {

TEST(ParseDuration, NumbersAndUnits) {
  EXPECT_EQ(parse_duration("10")->count(), 10'000'000'000);
  EXPECT_EQ(parse_duration("1.5")->count(), 1'500'000'000);
  EXPECT_EQ(parse_duration("250ms")->count(), 250'000'000);
  EXPECT_EQ(parse_duration("2m")->count(), 120'000'000'000);
  EXPECT_EQ(parse_duration("0")->count(), 0);
}

TEST(ParseDuration, RefusesTheRest) {
  for (const char* text : {"", "s", "-1", "1x", "1 s", "nan", "inf", "1e300", "5msx"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().exit, Exit::usage);
  }
}

}  // namespace
}  // namespace schedscope
