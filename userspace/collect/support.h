// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>
#include <vector>

namespace schedscope::collect {

// One thing that this machine can do, or can't, and why.
struct Check {
  std::string name;  // a word or two
  bool works = false;
  bool needed = false;     // without it nothing can be recorded
  std::string found = {};  // what was seen
  std::string cure = {};   // what to do when it doesn't work, "" when nothing helps
};

// Tries each thing for real; leaves nothing behind.
[[nodiscard]] std::vector<Check> check_machine();

}  // namespace schedscope::collect
