// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "capture/format.h"
#include "capture/machine.h"
#include "schema/record.h"

namespace schedscope::capture {

// Chunks of one type.
struct ChunkCount {
  std::uint64_t chunks = 0, records = 0;
  std::uint64_t stored_bytes = 0;  // in the file, with their headers
  std::uint64_t raw_bytes = 0;     // their payloads, unpacked

  void add(const ChunkHeader& header) {
    ++chunks;
    records += header.records;
    stored_bytes += sizeof(header) + header.stored_bytes;
    raw_bytes += header.raw_bytes;
  }
};

// Between two times, CLOCK_MONOTONIC; 0 stands for the capture's own start or end.
struct Stretch {
  std::uint64_t from_ns = 0;
  std::uint64_t to_ns = 0;
  [[nodiscard]] bool whole() const { return from_ns == 0 && to_ns == 0; }
};

// Reads a capture in time order, in memory that does not grow with the file. Every byte is
// hostile: a damaged chunk ends the capture there, with `complete()` false and a reason.
class Reader {
 public:
  // Errors: Exit::input (not a capture, a newer schema, unreadable).
  // Of a stretch only the chunks that its records are in are read, those of the time just before
  // it, and the first and the last ones of the file, which say who is who. In the place of what
  // is left out comes a schedscope_lost of cause lost_skipped.
  [[nodiscard]] static Result<Reader> open(const std::filesystem::path& path, Stretch stretch = {});
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;
  ~Reader();

  // The next record in time order, over all sources; valid until the next call. Nothing at
  // the end. Ties are in source order, and a source's own order is always kept.
  [[nodiscard]] std::optional<RecordView> next() {
    if (at_ == end_ && !refill()) return std::nullopt;
    return RecordView(*at_++);
  }

  // Of the file's last machine chunk: what finish() wrote, else what create() wrote.
  [[nodiscard]] const Machine& machine() const;

  // Whole after next() returned nothing:
  [[nodiscard]] bool complete() const;              // finish() was reached, nothing read is damaged
  [[nodiscard]] const std::string& damage() const;  // a sentence, empty when complete
  [[nodiscard]] std::uint64_t end_ns() const;  // of recording; the last record's time when cut off
  [[nodiscard]] std::uint64_t late_records()
      const;  // older than a watermark: order not certain there
  [[nodiscard]] std::uint64_t unknown_records() const;  // of kinds newer than this program
  // By ChunkType, or what a newer writer has: the whole ones, but for the schema.
  [[nodiscard]] const std::map<std::uint16_t, ChunkCount>& chunks() const;
  [[nodiscard]] std::uint64_t file_bytes() const;

 private:
  struct State;
  explicit Reader(std::unique_ptr<State> state);
  [[nodiscard]] bool refill();

  std::unique_ptr<State> state_;
  const schedscope_rec* const* at_ = nullptr;  // what comes next, and is certain
  const schedscope_rec* const* end_ = nullptr;
};

}  // namespace schedscope::capture
