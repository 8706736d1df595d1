// SPDX-License-Identifier: GPL-2.0-only
#include "base/text.h"

#include <gtest/gtest.h>

namespace schedscope {
namespace {

using namespace std::string_view_literals;

TEST(Printable, KeepsTextAndEscapesTheRest) {
  EXPECT_EQ(printable("worker/3"sv), "worker/3");
  EXPECT_EQ(printable("käse"sv), "käse");
  EXPECT_EQ(printable("a\x1b[31m"sv), "a\\x1b[31m");
  EXPECT_EQ(printable("a\\x1b"sv), "a\\\\x1b");
  EXPECT_EQ(printable("cut\0off"sv), "cut");
}

TEST(Printable, RefusesMalformedUtf8) {
  EXPECT_EQ(printable("\xc3"sv), "\\xc3");                    // cut off
  EXPECT_EQ(printable("\xc0\xaf"sv), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"sv), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(printable("\xe2\x80\xae"sv), "\\xe2\\x80\\xae");  // right-to-left override
  EXPECT_EQ(printable("\xf5\x80\x80\x80"sv), "\\xf5\\x80\\x80\\x80");
}

TEST(HumanNs, FourDigitsAndAUnit) {
  EXPECT_EQ(human_ns(0), "0 ns");
  EXPECT_EQ(human_ns(999), "999 ns");
  EXPECT_EQ(human_ns(1234), "1.234 us");
  EXPECT_EQ(human_ns(12'345'678), "12.35 ms");
  EXPECT_EQ(human_ns(999'999), "1.000 ms");
  EXPECT_EQ(human_ns(61'000'000'000), "61.00 s");
}

TEST(HumanBytes, BinaryUnits) {
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
}

}  // namespace
}  // namespace schedscope
