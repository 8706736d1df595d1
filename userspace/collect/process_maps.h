// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace schedscope::collect {

// A part of a process's memory that it may execute: a line of /proc/PID/maps.
struct CodeMap {
  std::uint64_t begin = 0, end = 0;
  std::uint64_t offset = 0;  // in the file
  std::uint64_t device = 0, inode = 0;
  std::string path;  // bytes, with what the kernel escapes of them; "[vdso]"; "" for none

  [[nodiscard]] bool is_file() const { return inode != 0; }
  // Places in it are the same in all processes: "[anon:…]" is but a name.
  [[nodiscard]] bool is_shared() const { return is_file() || path == "[vdso]"; }
};

// By address; lines that are none are left out.
[[nodiscard]] std::vector<CodeMap> parse_code_maps(std::string_view text);

// nullptr: it is in none.
[[nodiscard]] const CodeMap* find_map(const std::vector<CodeMap>& maps, std::uint64_t address);

}  // namespace schedscope::collect
