// SPDX-License-Identifier: GPL-2.0-only
#include "collect/clocks.h"

#include <gtest/gtest.h>
#include <time.h>

#include <vector>

namespace schedscope::collect {
namespace {

void sleep_ms(long ms) {
  const timespec time{.tv_sec = 0, .tv_nsec = ms * 1'000'000};
  ::nanosleep(&time, nullptr);
}

TEST(clocks, stamps_become_monotonic_time) {
  Clocks clocks;
  struct Seen {
    std::uint64_t before, stamp, after;
  };
  std::vector<Seen> seen;
  for (int i = 0; i < 20; i++) {
    const std::uint64_t before = Clocks::now_ns();
    const std::uint64_t stamp = Clocks::stamp();
    seen.push_back({before, stamp, Clocks::now_ns()});
    if (i % 5 == 4) clocks.mark();
    sleep_ms(1);
  }
  clocks.mark();
  std::uint64_t last = 0;
  for (const Seen& one : seen) {
    const std::uint64_t ns = clocks.to_ns(one.stamp);
    EXPECT_GE(ns + 1000 + clocks.error_ns(), one.before);
    EXPECT_LE(ns, one.after + 1000 + clocks.error_ns());
    EXPECT_GE(ns, last);
    last = ns;
  }
}

TEST(clocks, any_stamp_has_a_time) {
  Clocks clocks;
  sleep_ms(1);
  clocks.mark();
  EXPECT_EQ(clocks.to_ns(clocks.marked_stamp()), clocks.marked_ns());
  EXPECT_LT(clocks.to_ns(0), clocks.marked_ns());
  EXPECT_GT(clocks.to_ns(UINT64_MAX), clocks.marked_ns());
  EXPECT_LT(clocks.error_ns(), 1'000'000U);
}

TEST(clocks, a_sample_holds_them_all) {
  Clocks clocks;
  const std::uint64_t before = Clocks::now_ns();
  const schedscope_clock sample = clocks.sample();
  EXPECT_GE(sample.rec.time_ns, before);
  EXPECT_LE(sample.rec.time_ns, Clocks::now_ns());
  EXPECT_EQ(sample.rec.kind, SCHEDSCOPE_REC_CLOCK);
  EXPECT_GE(sample.boot_ns + sample.error_ns, sample.rec.time_ns);
  EXPECT_GT(sample.real_ns, sample.boot_ns);
  EXPECT_LT(sample.error_ns, 10'000'000U);
}

}  // namespace
}  // namespace schedscope::collect
