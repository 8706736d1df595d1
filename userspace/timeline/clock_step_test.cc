// SPDX-License-Identifier: GPL-2.0-only
//
// clock_step.h, which the probes of both witnesses use.
#include "clock_step.h"

#include <cstdint>
#include <initializer_list>

#include <gtest/gtest.h>

namespace {

TEST(ClockStep, SaysWhatItWasTold) {
  for (const std::int64_t us : {4, 5, 900, 16'383}) {
    EXPECT_EQ(clock_step_ns(clock_step_of(us * 1000)), us * 1000);
    EXPECT_EQ(clock_step_ns(clock_step_of(-us * 1000 - 999)), -us * 1000);
  }
  for (const std::int64_t ms : {17, 172, 16'382}) {
    EXPECT_EQ(clock_step_ns(clock_step_of(ms * 1'000'000 + 999'999)), ms * 1'000'000);
    EXPECT_EQ(clock_step_ns(clock_step_of(-ms * 1'000'000)), -ms * 1'000'000);
  }
  for (const std::int64_t much : {16'383'000'000L, 86'400'000'000'000L}) {
    EXPECT_EQ(clock_step_of(much), SCHEDSCOPE_CLOCK_STEP_MOST);
    EXPECT_EQ(clock_step_of(-much), -SCHEDSCOPE_CLOCK_STEP_MOST);
  }
}

TEST(ClockStep, WhatARecordDoesNotSayStaysForALaterOne) {
  __s64 apart = 0;
  EXPECT_EQ(clock_step_take(&apart, 1'000'000, 400'000, 400'000), 0);  // the first
  EXPECT_EQ(apart, 600'000);
  std::uint64_t now = 1'000'000;
  std::int64_t told = 0;
  for (int i = 1; i <= 100; ++i) {
    now += 50'000;
    // The scheduler's clock loses 1,700 ns each time.
    const std::uint64_t charged = now - 600'000 - i * 1'700;
    told += clock_step_ns(clock_step_take(&apart, now, charged, charged));
    EXPECT_LT(i * 1'700 - told, SCHEDSCOPE_CLOCK_STEP_LEAST_NS);
    EXPECT_GE(i * 1'700 - told, 0);
  }
  EXPECT_EQ(apart, 600'000 + told);
}

TEST(ClockStep, TheIdleTaskIsChargedNothing) {
  __s64 apart = 0;
  EXPECT_EQ(clock_step_take(&apart, 1'000'000, 0, 400'000), 0);
  EXPECT_EQ(clock_step_take(&apart, 2'000'000, 1'350'000, 0), 50);
  EXPECT_EQ(clock_step_take(&apart, 9'000'000, 0, 8'000'000), 0);  // whatever came meanwhile
  EXPECT_EQ(apart, 1'000'000);
}

// The one that leaves was charged 20 us less than until the switch; the next one not more for it.
TEST(ClockStep, OneIsChargedUntilBeforeTheOtherIs) {
  __s64 apart = 600'000;
  EXPECT_EQ(clock_step_take(&apart, 1'000'000, 380'000, 400'000), 20);
  EXPECT_EQ(apart, 600'000);
  EXPECT_EQ(clock_step_take(&apart, 2'000'000, 1'400'000, 1'400'000), 0);
}

}  // namespace
