// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/fd.h"
#include "collect/elf_symbols.h"
#include "collect/process_maps.h"

namespace schedscope::collect {

// The files whose code processes execute, each once. One that was written anew is another one,
// though it has the path and often the inode of the one before.
class CodeFiles {
 public:
  // What is kept in memory. Further files are one, `others`, and functions have no names.
  struct Room {
    std::size_t files = 1 << 13;
    std::size_t symbol_bytes = 512U << 20;  // of all files
  };
  static constexpr std::uint32_t others = 0xfffffffd;  // its path is "[others]"

  CodeFiles() = default;
  explicit CodeFiles(Room room) : room_(room) {}

  // That of a map of a thread that is there; opened now, as it may be gone soon. Which version it
  // was that could not be opened nobody knows: it has no names.
  [[nodiscard]] std::uint32_t find(std::uint32_t tid, const CodeMap& map);

  // Reads the symbols of files that have none yet, until it has taken so long. A file with hundreds
  // of thousands of them takes 0.1 s, and the rings fill meanwhile.
  void read_symbols(std::uint64_t budget_ns);
  [[nodiscard]] bool is_read(std::uint32_t file) const { return at(file).read; }
  // Whether there was no room for one.
  [[nodiscard]] bool without_room() const { return without_room_; }

  [[nodiscard]] const std::string& path(std::uint32_t file) const { return at(file).path; }
  [[nodiscard]] const ElfFile& elf(std::uint32_t file) const { return at(file).elf; }

 private:
  using Name = std::tuple<std::uint64_t, std::uint64_t, std::string>;  // device, inode, path
  struct Version {
    std::int64_t bytes, modified_s, modified_ns;
    bool operator==(const Version&) const = default;
  };
  struct File {
    std::string path;
    std::optional<Version> version;  // none: it could not be opened
    Fd fd;                           // until its symbols are read
    ElfFile elf;
    bool read = false;
  };
  [[nodiscard]] const File& at(std::uint32_t file) const {
    return file == others ? others_ : files_[file];
  }
  void open(File& file, std::uint32_t index, Fd fd);
  void read_symbols(File& file);

  Room room_;
  std::vector<File> files_;
  std::vector<std::uint32_t> unread_;
  std::size_t symbol_bytes_ = 0;
  bool without_room_ = false;
  std::map<Name, std::vector<std::uint32_t>> by_name_;
  const File others_{.path = "[others]", .version = {}, .fd = {}, .elf = ElfFile(-1), .read = true};
};

}  // namespace schedscope::collect
