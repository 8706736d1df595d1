// SPDX-License-Identifier: GPL-2.0-only
#include "collect/switchbench.h"

#include <gtest/gtest.h>

#include <span>

namespace schedscope::collect {
namespace {

TEST(switchbench, median_is_the_middle_of_its_bucket) {
  schedscope_switchbench bench{};
  EXPECT_EQ(median_of(bench), 0);
  const std::span hist(bench.hist);
  bench.switches = 3;
  hist[7] = 2;
  hist[80] = 1;
  EXPECT_EQ(median_of(bench), 7);
  // (8 + 3) << 8 to (8 + 4) << 8, less one.
  bench.switches = 101;
  hist[7] = 50;
  hist[80] = 0;
  hist[9 * 8 + 3] = 51;
  EXPECT_EQ(median_of(bench), (2816 + 3071) / 2.0);
}

TEST(switchbench, without_the_module_it_says_so) {
  const auto cost = measure_switch(0, SwitchSpace::other);
  if (cost) GTEST_SKIP() << "the module is loaded";
  EXPECT_NE(cost.error().message().find("/dev/schedscope"), std::string::npos);
}

}  // namespace
}  // namespace schedscope::collect
