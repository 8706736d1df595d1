// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "capture/machine.h"
#include "capture/reader.h"
#include "uapi/schedscope.h"

namespace schedscope::capture {

// What is inside a capture, as far as it can be read.
struct Info {
  std::string file;
  std::uint64_t bytes = 0;
  std::uint32_t format = 0;
  std::uint32_t schema = 0;  // SCHEDSCOPE_SCHEMA_VERSION of the writer
  Machine machine;
  bool complete = false;
  std::string damage;  // a sentence, empty when complete

  std::map<std::uint16_t, ChunkCount> chunks;  // by ChunkType, or what a newer writer has

  // A kind of record that the file's schema has.
  struct Kind {
    std::uint16_t kind = 0;
    std::string name;           // as the file calls it: bytes from outside
    std::uint32_t bytes = 0;    // of its struct, as the writer had it
    std::uint64_t records = 0;  // 0 when this program does not know it: see unknown_records
    bool known = false;         // to this program
  };
  std::vector<Kind> kinds;
  std::uint64_t records = 0, unknown_records = 0, late_records = 0;
  std::uint64_t second_records = 0;  // of `records`, the second witness's

  std::uint64_t first_ns = 0, last_ns = 0;  // times of records, but accounts; 0 when there is none
  std::uint64_t end_ns = 0;                 // of recording; the last record's time when cut off

  struct Lost {
    std::uint64_t records = 0, gaps = 0;
  };
  std::array<Lost, SCHEDSCOPE_LOST_CAUSES + 1> lost{};  // by cause, the last: of unknown cause

  std::uint64_t clock_pairs = 0;
  std::uint64_t clock_error_ns = 0;  // the largest
  std::optional<schedscope_clock> clock_first, clock_last;

  [[nodiscard]] std::uint64_t switches() const;  // the first witness's
  std::uint64_t second_switches = 0;
};

// Reads the whole file once. Errors: as Reader::open; damage behind its beginning is none.
[[nodiscard]] Result<Info> read_info(const std::filesystem::path& path);

}  // namespace schedscope::capture
