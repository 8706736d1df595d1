// SPDX-License-Identifier: GPL-2.0-only
#include "collect/process_maps.h"

#include <gtest/gtest.h>

namespace schedscope::collect {
namespace {

TEST(ProcessMaps, CodeAlone) {
  const auto maps = parse_code_maps(
      "7ffc0000-7ffc2000 r-xp 00000000 00:00 0                          [vdso]\n"
      "00400000-00401000 r--p 00000000 fe:01 99                         /bin/a b\n"
      "00401000-00405000 r-xp 00001000 fe:01 99                         /bin/a b\n"
      "00500000-00501000 rwxp 00000000 00:00 0 \n"
      "00600000-00601000 r-xs 0000f000 08:10 18446744073709551615       /x (deleted)\n");
  ASSERT_EQ(maps.size(), 4U);
  EXPECT_EQ(maps[0].begin, 0x401000U);
  EXPECT_EQ(maps[0].end, 0x405000U);
  EXPECT_EQ(maps[0].offset, 0x1000U);
  EXPECT_EQ(maps[0].device, 0xfe00000001U);
  EXPECT_EQ(maps[0].inode, 99U);
  EXPECT_EQ(maps[0].path, "/bin/a b");
  EXPECT_TRUE(maps[0].is_file());
  EXPECT_EQ(maps[1].path, "");
  EXPECT_FALSE(maps[1].is_file());
  EXPECT_EQ(maps[2].path, "/x (deleted)");
  EXPECT_EQ(maps[3].path, "[vdso]");
  EXPECT_EQ(find_map(maps, 0x404fff), &maps[0]);
  EXPECT_EQ(find_map(maps, 0x405000), nullptr);
  EXPECT_EQ(find_map(maps, 0), nullptr);
}

TEST(ProcessMaps, LinesThatAreNone) {
  for (const char* text :
       {"", "\n\n", "x", "1-2", "1-2 r-xp", "1-2 r-xp 0 00:", "2-1 r-xp 0 0:0 0 x",
        "1-2 r-xp zz 0:0 0 x", "ffffffffffffffffff-1 r-xp 0 0:0 0"}) {
    EXPECT_TRUE(parse_code_maps(text).empty()) << text;
  }
}

}  // namespace
}  // namespace schedscope::collect
