// SPDX-License-Identifier: GPL-2.0-only
#include "schema/syscalls.h"

#include <sys/syscall.h>

#include <gtest/gtest.h>

namespace schedscope {
namespace {

TEST(Syscalls, BothTables) {
  EXPECT_EQ(syscall_name(SYS_futex, false), "futex");
  EXPECT_EQ(syscall_name(SYS_read, false), "read");
  EXPECT_EQ(syscall_name(240, true), "futex");
  EXPECT_EQ(syscall_name(162, true), "nanosleep");
  EXPECT_EQ(syscall_name(0xffffffff, false), "");
  EXPECT_EQ(syscall_name(222, true), "");  // a hole in the table
}

}  // namespace
}  // namespace schedscope
