// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace schedscope::collect {

// The functions of an ELF file and its build-id. Any file, of any user, may be given here: what is
// wrong in it leaves symbols out, and nothing else.
class ElfFile {
 public:
  struct Symbol {
    std::string_view name;  // bytes, not trusted; valid as long as the file
    std::uint64_t offset;   // behind its begin
  };

  // Reads its segments and its build-id; what is no ELF file has none. `fd` stays the caller's.
  explicit ElfFile(int fd);

  // NT_GNU_BUILD_ID, bytes; "" when it has none.
  [[nodiscard]] const std::string& build_id() const { return build_id_; }
  // Reads its functions: from .symtab, from that of a file of debug information with its build-id
  // below `debug_directory`, or else from .dynsym, which has those that others may call, alone.
  void read_symbols(int fd, const std::string& debug_directory = "/usr/lib/debug/.build-id");
  // Of the function that has this place in the file.
  [[nodiscard]] std::optional<Symbol> find(std::uint64_t file_offset) const;
  [[nodiscard]] std::size_t symbols() const { return functions_.size(); }
  // The memory that they take.
  [[nodiscard]] std::size_t symbol_bytes() const {
    return functions_.capacity() * sizeof(Function) + names_.capacity();
  }

 private:
  struct Segment {
    std::uint64_t offset, bytes, address;
  };
  struct Function {
    std::uint64_t address, bytes;  // 0 bytes: up to the next one
    std::size_t name;              // in names_
  };
  [[nodiscard]] bool take_table(int fd, std::uint32_t section_type);
  [[nodiscard]] std::string debug_path(const std::string& debug_directory) const;

  std::vector<Segment> segments_;
  std::string build_id_;
  std::vector<Function> functions_;  // by address
  std::string names_;                // each ends with a NUL
};

}  // namespace schedscope::collect
