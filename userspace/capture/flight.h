// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "capture/machine.h"
#include "capture/writer.h"
#include "schema/record.h"

namespace schedscope::capture {

// The last part of a recording, in memory, as the chunks of a capture: in pieces, of which the
// oldest go when those after it are enough. Each piece has an opening, which tells what a capture
// that begins with it must know (who is there, and how it is with them); it is written only then.
class Flight {
 public:
  struct Settings {
    std::uint64_t span_ns = 0;     // what is kept, at least: up to a piece more
    std::uint64_t most_bytes = 0;  // of chunks; what is kept is shorter rather than more
  };
  // Of the records of one source that are gone, as the sources count theirs.
  struct Gone {
    std::uint64_t records = 0, switches = 0;
    std::array<std::uint64_t, SCHEDSCOPE_LOST_CAUSES> lost{};

    [[nodiscard]] std::uint64_t produced() const;
  };

  explicit Flight(Settings settings);
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;

  // Where records are added to and flush() makes chunks of them.
  [[nodiscard]] Writer& writer() { return *writer_; }

  // Ends the piece before. All that was added must be flushed, here and before opened().
  // `cpu_ns`: what the recorder has used by now.
  void begin_piece(std::uint64_t now_ns, std::uint64_t cpu_ns);
  // What was flushed since then is the piece's opening.
  void opened();
  // Nothing goes any more, whatever is flushed: what is gone is known for good.
  void hold() { held_ = true; }
  // Counts a record that was added.
  void count(std::uint64_t source, RecordView record);
  // A piece is long or large enough.
  [[nodiscard]] bool is_piece_full(std::uint64_t now_ns) const;

  // Of what is kept: where it begins, and what the recorder had used by then.
  [[nodiscard]] std::uint64_t start_ns() const { return pieces_.front().start_ns; }
  [[nodiscard]] std::uint64_t cpu_ns() const { return pieces_.front().cpu_ns; }
  // There was no room for the whole span.
  [[nodiscard]] bool cut_short() const { return cut_short_; }
  // What the pieces that are gone had of a source. Those of user threads count as one,
  // Writer::carrier_source.
  [[nodiscard]] Gone gone(std::uint64_t source) const;
  // The numbers of stacks that what is kept has.
  [[nodiscard]] std::unordered_set<std::uint32_t> stacks() const;
  // Records of user threads that are kept, the opening's included.
  [[nodiscard]] std::uint64_t told() const;

  struct Saved {
    std::uint64_t records = 0, file_bytes = 0;
    std::optional<Error> fault;  // full disk: the file ends before what did not fit
  };
  // Writes what is kept, as a capture that is complete. All that was added must be flushed.
  // Errors: as Writer::create(); there is no file then.
  [[nodiscard]] Result<Saved> save(const std::filesystem::path& path, const Machine& machine,
                                   std::uint64_t end_ns) const;
  // The last two pieces alone, likewise, in a file in memory.
  [[nodiscard]] Result<Fd> recent(Machine machine, std::uint64_t end_ns) const;

 private:
  using Counts = std::map<std::uint64_t, Gone>;
  struct Piece {
    std::uint64_t start_ns = 0, cpu_ns = 0;
    std::vector<std::byte> opening, chunks;
    std::uint64_t opening_told = 0;
    Counts counts;  // but for the opening's
    std::unordered_set<std::uint32_t> stacks;

    [[nodiscard]] std::uint64_t bytes() const { return opening.size() + chunks.size(); }
  };

  void take(std::span<const std::byte> chunks);
  void drop_oldest();
  // From one of the pieces on.
  Result<void> write(Writer& file, std::size_t first, const Machine& machine, std::uint64_t end_ns,
                     std::uint64_t& records) const;

  Settings settings_;
  std::uint64_t piece_ns_;
  std::deque<Piece> pieces_;
  bool opening_ = false, held_ = false;
  bool cut_short_ = false;
  std::uint64_t bytes_ = 0;
  Counts gone_;
  std::unique_ptr<Writer> writer_;
};

}  // namespace schedscope::capture
