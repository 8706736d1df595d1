// SPDX-License-Identifier: GPL-2.0-only
#include "base/demangle.h"

#include <gtest/gtest.h>

namespace schedscope {
namespace {

TEST(Demangle, NamesOfCpp) {
  EXPECT_EQ(demangled("_ZN5boost6fibers9scheduler8awakenedEPNS0_7contextE"),
            "boost::fibers::scheduler::awakened");
  EXPECT_EQ(demangled("_ZNK12_GLOBAL__N_14Work3runEi"), "(anonymous namespace)::Work::run");
  EXPECT_EQ(demangled("_Z1fPFvvE"), "f");
}

TEST(Demangle, OtherNamesStayAsTheyAre) {
  EXPECT_EQ(demangled("main"), "main");
  EXPECT_EQ(demangled("_ZN5boost6fibersE9"), "_ZN5boost6fibersE9");
  EXPECT_EQ(demangled(""), "");
  EXPECT_EQ(demangled("_Z"), "_Z");
  EXPECT_EQ(demangled("runtime.(*m).park"), "runtime.(*m).park");
}

// Each reference doubles the name: 2^60 bytes were it followed.
TEST(Demangle, NameThatWouldGrowWithoutBound) {
  std::string name = "_Z1fP1aS_";
  for (int i = 0; i < 60; ++i) name += "PFS_S_E";
  EXPECT_EQ(demangled(name), name);
}

}  // namespace
}  // namespace schedscope
