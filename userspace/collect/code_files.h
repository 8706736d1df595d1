// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/fd.h"
#include "collect/elf_symbols.h"
#include "collect/process_maps.h"

namespace schedscope::collect {

// The files whose code processes execute, each once: by device, inode and path.
class CodeFiles {
 public:
  // That of a map of a thread that is there; opened now, as it may be gone soon. Stacks that were
  // told while it could not be opened have no names.
  [[nodiscard]] std::uint32_t find(std::uint32_t tid, const CodeMap& map);

  // Reads the symbols of files that have none yet, until it has taken so long. A file with hundreds
  // of thousands of them takes 0.1 s, and the rings fill meanwhile.
  void read_symbols(std::uint64_t budget_ns);
  [[nodiscard]] bool is_read(std::uint32_t file) const { return file < read_; }

  [[nodiscard]] const std::string& path(std::uint32_t file) const { return files_[file].path; }
  [[nodiscard]] const ElfFile& elf(std::uint32_t file) const { return files_[file].elf; }

 private:
  struct File {
    std::string path;
    Fd fd;  // until its symbols are read
    ElfFile elf;
    std::uint32_t tries_left = 0;  // to open it
  };
  void try_again(std::uint32_t index, std::uint32_t tid, const CodeMap& map);
  using Key = std::tuple<std::uint64_t, std::uint64_t, std::string>;

  std::vector<File> files_;
  std::size_t read_ = 0;  // of how many the symbols are
  std::map<Key, std::uint32_t> by_key_;
};

}  // namespace schedscope::collect
