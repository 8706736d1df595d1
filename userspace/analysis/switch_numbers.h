// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace schedscope::analysis {

// Which of a thread's switches, by the kernel's own number of them, were recorded: as runs of
// consecutive numbers, so that any two of the kernel's readings can be held against them
// afterwards. The numbers are the low 32 bits of a count.
class SwitchNumbers {
 public:
  void add(std::uint32_t number) {
    if (runs_.empty()) {
      runs_.push_back({number, number});
      return;
    }
    // The nearest number with these low bits.
    const auto step =
        static_cast<std::int32_t>(number - static_cast<std::uint32_t>(runs_.back().last));
    if (step == 1) {
      ++runs_.back().last;
    } else if (step > 1 && runs_.size() < most_runs) {
      const std::int64_t at = runs_.back().last + step;
      runs_.push_back({at, at});
    } else {
      broken_ = true;  // backwards, or too many holes to remember
    }
  }

  [[nodiscard]] bool empty() const { return runs_.empty(); }

  // How many numbers n with begin < n <= end were recorded; nothing when that is not known.
  [[nodiscard]] std::optional<std::uint64_t> count(std::uint64_t begin, std::uint64_t end) const {
    if (broken_ || end < begin || end - begin > 0x7fffffff) return std::nullopt;
    if (runs_.empty()) return 0;
    const std::int64_t after = place(begin);
    const std::int64_t to = after + static_cast<std::int64_t>(end - begin);
    std::uint64_t sum = 0;
    for (const Run& run : runs_) {
      const std::int64_t first = std::max(run.first, after + 1);
      const std::int64_t last = std::min(run.last, to);
      if (first <= last) sum += static_cast<std::uint64_t>(last - first + 1);
    }
    return sum;
  }

 private:
  static constexpr std::size_t most_runs = 16;
  struct Run {
    std::int64_t first, last;
  };

  // A 64-bit count in the numbering of the runs: near the first of them.
  [[nodiscard]] std::int64_t place(std::uint64_t count) const {
    const std::int64_t first = runs_.front().first;
    return first + static_cast<std::int32_t>(static_cast<std::uint32_t>(count) -
                                             static_cast<std::uint32_t>(first));
  }

  std::vector<Run> runs_;
  bool broken_ = false;
};

}  // namespace schedscope::analysis
