// SPDX-License-Identifier: GPL-2.0-only
#include "collect/kernel_symbols.h"

#include <gtest/gtest.h>

namespace schedscope::collect {
namespace {

std::string name_at(const KernelSymbols& symbols, std::uint64_t address) {
  const auto found = symbols.find(address);
  if (!found) return "none";
  std::string text(found->name);
  if (!found->module.empty()) text += "@" + std::string(found->module);
  return text + "+" + std::to_string(found->offset);
}

TEST(KernelSymbols, ByTheFunctionBelow) {
  const KernelSymbols symbols(
      "ffffffff81000000 T _stext\n"
      "ffffffff81000000 T startup_64\n"
      "ffffffff81000100 t do_nanosleep\n"
      "ffffffff81000180 d some_data\n"
      "ffffffff81000200 W weak\n"
      "ffffffffc0000010 t read\t[ext4]\n"
      "ffffffffc0000020 t write\t[ext4]\n"
      "ffffffffc0100000 t other\t[xfs]");
  EXPECT_EQ(name_at(symbols, 0xffffffff81000010), "_stext+16");
  EXPECT_EQ(name_at(symbols, 0xffffffff810001ff), "do_nanosleep+255");
  EXPECT_EQ(name_at(symbols, 0xffffffffc0000011), "read@ext4+1");
  EXPECT_EQ(name_at(symbols, 0xffffffffc0000030), "write@ext4+16");
  EXPECT_EQ(name_at(symbols, 0xffffffff80ffffff), "none");
}

// What came after the table was read is not taken for the last function before it.
TEST(KernelSymbols, TheLastFunctionOfAModuleEndsWithItsPage) {
  const KernelSymbols symbols(
      "ffffffffc0000010 t read\t[ext4]\n"
      "ffffffffc0100000 t other\t[xfs]\n");
  EXPECT_EQ(name_at(symbols, 0xffffffffc0000fff), "read@ext4+4079");
  EXPECT_EQ(name_at(symbols, 0xffffffffc0001000), "none");
  EXPECT_EQ(name_at(symbols, 0xffffffffc0101000), "none");
}

TEST(KernelSymbols, HiddenAddressesAreNone) {
  EXPECT_TRUE(KernelSymbols("0000000000000000 T _stext\n0000000000000000 T x\n").empty());
  EXPECT_TRUE(KernelSymbols("").empty());
  EXPECT_TRUE(KernelSymbols("x\nffffffff81000000\nffffffff81000000 T\n").empty());
}

}  // namespace
}  // namespace schedscope::collect
