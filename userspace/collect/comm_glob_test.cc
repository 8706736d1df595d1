// SPDX-License-Identifier: GPL-2.0-only
#include "collect/comm_glob.h"

#include <fnmatch.h>

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace schedscope::collect {
namespace {

bool matches(std::string_view glob, std::string_view comm) {
  const auto compiled = CommGlob::compile(glob);
  EXPECT_TRUE(compiled) << glob;
  return compiled && compiled->matches(comm);
}

TEST(CommGlob, WholeNamesAndParts) {
  EXPECT_TRUE(matches("nginx", "nginx"));
  EXPECT_FALSE(matches("nginx", "nginx2"));
  EXPECT_FALSE(matches("nginx", "ngin"));
  EXPECT_TRUE(matches("worker*", "worker"));
  EXPECT_TRUE(matches("*-7", "worker-7"));
  EXPECT_TRUE(matches("*ork*", "worker-7"));
  EXPECT_FALSE(matches("*ork", "worker-7"));
  EXPECT_TRUE(matches("w*r-?", "worker-7"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches("", "x"));
  EXPECT_FALSE(matches("?", ""));
  EXPECT_TRUE(matches("fifteen-letters", "fifteen-letters"));
  EXPECT_TRUE(matches("f*i*f*t*e*e*n*-*l*e*t*t*e*r*s", "fifteen-letters"));
}

TEST(CommGlob, BracketsAndEscapes) {
  EXPECT_TRUE(matches("w[0-9]", "w5"));
  EXPECT_FALSE(matches("w[!0-9]", "w5"));
  EXPECT_TRUE(matches("[]x]", "]"));
  EXPECT_TRUE(matches("[[:digit:]]*", "7up"));
  EXPECT_TRUE(matches("a\\*", "a*"));
  EXPECT_FALSE(matches("a\\*", "ab"));
  EXPECT_TRUE(matches("[x", "[x"));  // nothing closes it
}

TEST(CommGlob, MoreThanANameHoldsIsRefused) {
  const auto compiled = CommGlob::compile("sixteen-letters!");
  ASSERT_FALSE(compiled);
  EXPECT_EQ(compiled.error().exit, Exit::usage);
}

// The same as fnmatch, for what a shell user may type and for what he would not.
TEST(CommGlob, SaysWhatFnmatchSays) {
  std::mt19937 random(7);
  const std::string glob_bytes = "ab*?[]!^-\\:\xe4";
  const std::string comm_bytes = "ab*[]-!\xe4";
  const auto draw = [&](const std::string& bytes, unsigned most) {
    std::string text(random() % (most + 1), '\0');
    for (char& byte : text) byte = bytes[random() % bytes.size()];
    return text;
  };
  unsigned matched = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::string glob = draw(glob_bytes, 8);
    const std::string comm = draw(comm_bytes, 6);
    const bool wanted = ::fnmatch(glob.c_str(), comm.c_str(), 0) == 0;
    const auto compiled = CommGlob::compile(glob);
    ASSERT_TRUE(compiled) << glob;
    ASSERT_EQ(compiled->matches(comm), wanted) << glob << " against " << comm;
    matched += wanted;
  }
  EXPECT_GT(matched, 1000U);
}

}  // namespace
}  // namespace schedscope::collect
