// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>

#include "base/error.h"
#include "base/fd.h"
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
  // Creates `path` (mode 0600, replaces a regular file and nothing else). Errors: Exit::machine.
  [[nodiscard]] static Result<Writer> create(const std::filesystem::path& path,
                                             const Machine& machine);
  // In two steps: until it appears it has another name, and what was there stays there; one that
  // never does leaves nothing. Who holds the old file open does not read the new one.
  [[nodiscard]] static Result<Writer> prepare(const std::filesystem::path& path,
                                              const Machine& machine);
  [[nodiscard]] Result<void> appear();
  // Into a file that is there, and empty; `name` is for errors.
  [[nodiscard]] static Result<Writer> to_file(Fd file, std::string name, const Machine& machine);
  // One without a file: hands out its chunks, whole ones, as flush() makes them. They are for
  // append(); it has nothing to finish().
  using TakeChunks = std::function<void(std::span<const std::byte> chunks)>;
  [[nodiscard]] static Writer to_memory(TakeChunks take);
  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;
  ~Writer();  // without finish() the file stays readable, and is read as incomplete

  // `source` is the CPU number, or carrier_source + tid, or agent_source, or, for what the second
  // witness recorded, second_source + CPU number or + SCHEDSCOPE_CPU_NONE. A record that is not
  // of this schema is dropped, with cause SCHEDSCOPE_LOST_INVALID.
  static constexpr std::uint64_t agent_source = 1ULL << 40;
  static constexpr std::uint64_t carrier_source = 1ULL << 32;
  static constexpr std::uint64_t second_source = 1ULL << 41;
  void add(std::uint64_t source, RecordView record);

  // Writes what was added, as one chunk unless it is a lot. `watermark_ns`: no later chunk
  // holds a record older than this. On an error (full disk) the file is cut back to its last
  // whole chunk, the records that were not written are counted in dropped(), and the caller
  // may try again later. The next chunk that can be written begins each source that lost
  // records with a schedscope_lost of cause SCHEDSCOPE_LOST_WRITE. A limit on the file's size
  // (RLIMIT_FSIZE) is an error like others only while the process ignores SIGXFSZ.
  [[nodiscard]] Result<void> flush(std::uint64_t watermark_ns);

  // Puts chunks that a writer without a file made behind what is written, numbered anew. Errors:
  // a full disk, as for flush(), and none of them is in the file.
  [[nodiscard]] Result<void> append(std::span<const std::byte> chunks);

  // Writes what is pending, replaces the machine description (what is only known at the end)
  // and closes the file as complete; end_ns is when recording ended. An error may still leave
  // a complete file, when records did not fit but the rest did: it then tells its loss.
  [[nodiscard]] Result<void> finish(const Machine& machine, std::uint64_t end_ns);

  [[nodiscard]] std::uint64_t pending_records() const;
  [[nodiscard]] std::uint64_t pending_bytes() const;  // uncompressed, for the caller's fill mark
  [[nodiscard]] std::uint64_t file_bytes() const;
  [[nodiscard]] std::uint64_t dropped() const;  // records that could not be written
  [[nodiscard]] std::uint64_t dropped(std::uint64_t source) const;  // of those, of one source

 private:
  struct State;
  explicit Writer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace schedscope::capture
