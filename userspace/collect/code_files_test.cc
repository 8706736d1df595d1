// SPDX-License-Identifier: GPL-2.0-only
#include "collect/code_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "capture/test_files.h"

namespace schedscope::collect {
namespace {

class CodeFilesTest : public ::testing::Test {
 protected:
  void SetUp() override { build("one"); }

  [[nodiscard]] std::filesystem::path program() const { return dir / "program"; }
  // In place, as some linkers do: the inode stays.
  void build(const char* text) const { std::ofstream(program(), std::ios::trunc) << text; }
  [[nodiscard]] CodeMap map() const {
    struct stat status{};
    ::stat(program().c_str(), &status);
    return {.begin = 0x1000, .end = 0x2000, .device = 1, .inode = status.st_ino, .path = program()};
  }
  static std::uint32_t self() { return static_cast<std::uint32_t>(::getpid()); }

  capture::test::Directory dir;
};

TEST_F(CodeFilesTest, OneFileIsOne) {
  CodeFiles files;
  const auto first = files.find(self(), map());
  EXPECT_FALSE(files.is_read(first));
  files.read_symbols(~0ULL);
  EXPECT_TRUE(files.is_read(first));
  EXPECT_EQ(files.find(self(), map()), first);
  EXPECT_EQ(files.path(first), program());
  EXPECT_FALSE(files.without_room());
}

TEST_F(CodeFilesTest, FileThatIsBuiltAnewIsAnotherOne) {
  CodeFiles files;
  const auto before = map();
  const auto first = files.find(self(), before);
  build("two, which is longer");
  ASSERT_EQ(map().inode, before.inode);
  const auto second = files.find(self(), map());
  EXPECT_NE(second, first);
  EXPECT_EQ(files.find(self(), map()), second);
}

TEST_F(CodeFilesTest, WhatCannotBeOpenedIsNoVersionThatIsKnown) {
  CodeFiles files;
  const CodeMap there = map();
  const auto opened = files.find(self(), there);
  std::filesystem::remove(program());
  const auto gone = files.find(self(), there);
  EXPECT_NE(gone, opened);
  EXPECT_TRUE(files.is_read(gone));  // there is nothing to wait for
  EXPECT_EQ(files.path(gone), program());
  EXPECT_EQ(files.find(self(), there), gone);
}

TEST_F(CodeFilesTest, BeyondTheRoomAllAreOne) {
  CodeFiles files({.files = 1});
  const auto first = files.find(self(), map());
  build("two, which is longer");
  EXPECT_EQ(files.find(self(), map()), CodeFiles::others);
  EXPECT_EQ(files.path(CodeFiles::others), "[others]");
  EXPECT_TRUE(files.is_read(CodeFiles::others));
  EXPECT_TRUE(files.without_room());
  EXPECT_EQ(files.path(first), program());
}

TEST_F(CodeFilesTest, SymbolsTakeNoMoreMemoryThanTheirRoom) {
  std::filesystem::copy_file("/proc/self/exe", program(),
                             std::filesystem::copy_options::overwrite_existing);
  for (const std::size_t room : {1, 0}) {
    CodeFiles files({.symbol_bytes = room});
    const auto program = files.find(self(), map());
    files.read_symbols(~0ULL);
    EXPECT_EQ(files.elf(program).symbols() == 0, room == 0);
    EXPECT_EQ(files.without_room(), room == 0);
  }
}

}  // namespace
}  // namespace schedscope::collect
