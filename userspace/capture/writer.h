// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "capture/machine.h"
#include "schema/record.h"

namespace schedscope::capture {

// Writes a capture: append-only chunks, each columnar, compressed and check-summed.
//
// Records of one source (a CPU's ring, a carrier's ring, the agent itself) are added in
// the source's own order; sources need not be merged. flush() closes a chunk and says up
// to which time all sources are complete: the reader merges by it.
class Writer {
 public:
  // Creates `path` (mode 0600, replaces a regular file). Errors: Exit::machine.
  [[nodiscard]] static Result<Writer> create(const std::filesystem::path& path,
                                             const Machine& machine);
  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;
  ~Writer();  // without finish() the file stays readable, and is read as incomplete

  // `source` is the CPU number, or carrier_source + tid, or agent_source.
  static constexpr std::uint64_t agent_source = 1ULL << 40;
  static constexpr std::uint64_t carrier_source = 1ULL << 32;
  void add(std::uint64_t source, RecordView record);

  // Writes what was added as one chunk. `watermark_ns`: no later chunk holds a record
  // older than this. On an error (full disk) the file is cut back to its last whole chunk,
  // the records of this chunk are counted in dropped(), and the caller may try again later.
  [[nodiscard]] Result<void> flush(std::uint64_t watermark_ns);

  // Replaces the machine description (what is only known at the end) and closes the file
  // as complete; end_ns is when recording ended.
  [[nodiscard]] Result<void> finish(const Machine& machine, std::uint64_t end_ns);

  [[nodiscard]] std::uint64_t pending_records() const;
  [[nodiscard]] std::uint64_t pending_bytes() const;  // uncompressed, for the caller's fill mark
  [[nodiscard]] std::uint64_t file_bytes() const;
  [[nodiscard]] std::uint64_t dropped() const;  // records that could not be written

 private:
  struct State;
  explicit Writer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace schedscope::capture
