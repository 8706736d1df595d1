// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "capture/decode.h"
#include "schema/record.h"

namespace schedscope::capture {

// Brings the records of all sources into time order; equal times in the order of the source
// numbers. A source's own order is kept whatever its times are: where they step back, a
// record counts as old as the newest before it. Pure.
class Merger {
 public:
  // Takes the sections of the next chunk. Its records are late where they are older than
  // what earlier chunks promised.
  void add(std::unique_ptr<DecodedChunk> chunk);

  // From now on no chunk brings a record older than this.
  void promise(std::uint64_t watermark_ns);
  // No chunk comes at all.
  void end();

  // The next records: of one source, up to where another one's come. Empty when more chunks are
  // needed for their place to be certain. Valid until the next call of any function.
  using Run = std::span<const schedscope_rec* const>;
  [[nodiscard]] Run next();
  // One, without waiting for certainty; what comes later and is older counts as late.
  [[nodiscard]] Run next_uncertain();

  // A chunk that is used up, for its memory; may be a new one.
  [[nodiscard]] std::unique_ptr<DecodedChunk> spare();

  [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }
  [[nodiscard]] std::size_t sources() const { return lanes_.size(); }
  [[nodiscard]] std::uint64_t late() const { return late_; }
  // The largest time that was given out.
  [[nodiscard]] std::uint64_t latest_ns() const { return latest_ns_; }

 private:
  struct Chunk {
    std::unique_ptr<DecodedChunk> decoded;
    std::size_t bytes = 0;
    std::size_t unread = 0;  // sections
    std::uint64_t late_before = 0;
  };
  struct Piece {
    std::shared_ptr<Chunk> chunk;
    const std::vector<const schedscope_rec*>* order = nullptr;
  };
  // One source: what of it was not read yet.
  struct Lane {
    std::uint64_t source = 0;
    std::uint64_t key = 0;  // of its next record: the largest time so far
    std::uint64_t late_before = 0;
    const schedscope_rec* const* at = nullptr;
    const schedscope_rec* const* end = nullptr;
    std::deque<Piece> pieces;  // the first is the one being read
  };
  static bool before(const Lane& a, const Lane& b) {
    return a.key != b.key ? a.key < b.key : a.source < b.source;
  }

  [[nodiscard]] Run take(std::uint64_t last_key);
  void settle(Lane& lane);
  bool begin_piece(Lane& lane);
  void finish_piece(Lane& lane);
  void push(Lane* lane);
  Lane* pop();
  void sink();

  std::map<std::uint64_t, Lane> lanes_;
  std::vector<Lane*> heap_;  // lanes that have records, but for
  Lane* current_ = nullptr;  // the one whose record is next
  std::uint64_t promised_ = 0;
  std::uint64_t uncertain_ = 0;  // largest key that went out without being certain
  std::uint64_t latest_ns_ = 0;
  bool ended_ = false;
  std::uint64_t late_ = 0;
  std::size_t held_bytes_ = 0;
  std::vector<std::unique_ptr<DecodedChunk>> spares_;
};

}  // namespace schedscope::capture
