// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "timeline/types.h"

namespace schedscope::analysis {

// Why those slices of a thread ended that lie between two readings of its counters: after the
// switch `begin`, up to the switch `end`, by the kernel's number of them. A reading's record comes
// among the slices that ended at about the same time, so the last few are remembered.
class EndsBetween {
 public:
  using Counts = std::array<std::uint64_t, timeline::slice_end_count>;

  void add(std::uint32_t number, timeline::SliceEnd end) {
    recent_[added_++ % recent_.size()] = {number, end};
    if (begin_ && !is_after(number, *begin_)) return;
    if (end_ && is_after(number, *end_)) return;
    ++counts_[static_cast<std::size_t>(end)];
  }

  // The first reading: what ended before it does not count.
  void begin_at(std::uint32_t number) {
    begin_ = number;
    Counts counts{};
    const bool known = visit_after(
        number, [&](timeline::SliceEnd end) { ++counts[static_cast<std::size_t>(end)]; });
    counts_ = counts;
    certain_ = certain_ && known;
  }

  // The second: nor does what ended after it.
  void end_at(std::uint32_t number) {
    end_ = number;
    const bool known = visit_after(
        number, [&](timeline::SliceEnd end) { --counts_[static_cast<std::size_t>(end)]; });
    certain_ = certain_ && known;
  }

  [[nodiscard]] bool has_begin() const { return begin_.has_value(); }
  [[nodiscard]] bool has_end() const { return end_.has_value(); }
  // False when a reading's record came later than is remembered.
  [[nodiscard]] bool certain() const { return certain_; }
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  struct Recent {
    std::uint32_t number = 0;
    timeline::SliceEnd end = timeline::SliceEnd::unknown;
  };

  static bool is_after(std::uint32_t number, std::uint32_t other) {
    return static_cast<std::int32_t>(number - other) > 0;
  }

  // Of the slices so far those after the switch `number`; false when some may be forgotten.
  template <typename Visit>
  bool visit_after(std::uint32_t number, Visit visit) const {
    const std::size_t kept = std::min<std::size_t>(added_, recent_.size());
    bool reaches = added_ <= recent_.size();
    for (std::size_t i = 0; i < kept; ++i) {
      if (is_after(recent_[i].number, number)) {
        visit(recent_[i].end);
      } else {
        reaches = true;
      }
    }
    return reaches;
  }

  Counts counts_{};
  std::array<Recent, 8> recent_{};
  std::size_t added_ = 0;
  std::optional<std::uint32_t> begin_, end_;
  bool certain_ = true;
};

}  // namespace schedscope::analysis
