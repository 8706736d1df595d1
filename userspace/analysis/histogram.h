// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "uapi/schedscope.h"

namespace schedscope::analysis {

// Counts times in buckets whose width is 1/16 of their octave, so that a percentile is at most
// 1/16 above the true value. Only octaves that occur take memory, 64 bytes each: the times of
// one thread span few.
class LogLinear {
 public:
  void add(std::uint64_t value) {
    const unsigned octave = octave_of(value);
    if (octave != octave_) go_to(octave);
    std::uint32_t& cell = rows_[row_][sub_of(value, octave)];
    if (cell != ~0U) ++cell;
    ++count_;
    if (value > max_) max_ = value;
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }

  // The smallest bucket end that at least `permille` of 1000 values do not exceed; 0 of none.
  [[nodiscard]] std::uint64_t percentile(unsigned permille) const;

  // The same counts by powers of two, as Log2 gives them.
  [[nodiscard]] std::vector<std::uint64_t> by_powers_of_two() const;

 private:
  using Row = std::array<std::uint32_t, 16>;

  // Values below 16 have a bucket each, in octave 0.
  static unsigned octave_of(std::uint64_t value) {
    return value < 16 ? 0 : static_cast<unsigned>(std::bit_width(value)) - 4;
  }
  static std::size_t sub_of(std::uint64_t value, unsigned octave) {
    return octave == 0 ? value : (value >> (octave - 1)) & 15;
  }

  // Most values lie near the one before.
  void go_to(unsigned octave) {
    const std::uint64_t bit = 1ULL << octave;
    octave_ = static_cast<std::uint8_t>(octave);
    row_ = static_cast<std::uint8_t>(std::popcount(octaves_ & (bit - 1)));
    if ((octaves_ & bit) != 0) return;
    rows_.insert(rows_.begin() + row_, Row{});
    octaves_ |= bit;
  }

  std::uint64_t octaves_ = 0;  // which have a row
  std::uint8_t octave_ = 64;   // of the last value; 64: there is none
  std::uint8_t row_ = 0;       // its row
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
  std::vector<Row> rows_;
};

// Counts by powers of two, as the module's ledger does; the last bucket holds all longer ones.
class Log2 {
 public:
  static constexpr std::size_t buckets = SCHEDSCOPE_HIST_BUCKETS;

  void add(std::uint64_t value) {
    const auto bucket = value == 0 ? 0U : static_cast<unsigned>(std::bit_width(value)) - 1;
    std::uint32_t& cell = counts_[bucket < buckets ? bucket : buckets - 1];
    if (cell != ~0U) ++cell;
  }
  // Without the empty ones at the end.
  [[nodiscard]] std::vector<std::uint64_t> counts() const;

 private:
  std::array<std::uint32_t, buckets> counts_{};
};

}  // namespace schedscope::analysis
