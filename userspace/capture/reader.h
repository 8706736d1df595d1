// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "capture/machine.h"
#include "schema/record.h"

namespace schedscope::capture {

// Reads a capture in time order, in memory that does not grow with the file. Every byte is
// hostile: a damaged chunk ends the capture there, with `complete()` false and a reason.
class Reader {
 public:
  // Errors: Exit::input (not a capture, a newer schema, unreadable).
  [[nodiscard]] static Result<Reader> open(const std::filesystem::path& path);
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;
  ~Reader();

  // The next record in time order, over all sources; valid until the next call. Nothing at
  // the end. Ties are in source order, and a source's own order is always kept.
  [[nodiscard]] std::optional<RecordView> next();

  // Of the file's last machine chunk: what finish() wrote, else what create() wrote.
  [[nodiscard]] const Machine& machine() const;

  // Whole after next() returned nothing:
  [[nodiscard]] bool complete() const;              // finish() was reached, nothing damaged
  [[nodiscard]] const std::string& damage() const;  // a sentence, empty when complete
  [[nodiscard]] std::uint64_t end_ns() const;  // of recording; the last record's time when cut off
  [[nodiscard]] std::uint64_t late_records()
      const;  // older than a watermark: order not certain there
  [[nodiscard]] std::uint64_t unknown_records() const;  // of kinds newer than this program
  [[nodiscard]] std::uint64_t file_bytes() const;

 private:
  struct State;
  explicit Reader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace schedscope::capture
