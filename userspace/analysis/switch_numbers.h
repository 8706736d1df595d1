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
    if (empty_) {
      empty_ = false;
      now_ = {number, number};
      return;
    }
    // The nearest number with these low bits.
    const auto step = static_cast<std::int32_t>(number - static_cast<std::uint32_t>(now_.last));
    if (step == 1) {
      ++now_.last;
    } else if (step > 1 && before_.size() < most_runs) {
      before_.push_back(now_);
      now_.first = now_.last = now_.last + step;
    } else {
      broken_ = true;  // backwards, or too many holes to remember
    }
  }

  // How many numbers n with begin < n <= end were recorded; nothing when that is not known.
  [[nodiscard]] std::optional<std::uint64_t> count(std::uint64_t begin, std::uint64_t end) const {
    if (broken_ || end < begin || end - begin > 0x7fffffff) return std::nullopt;
    if (empty_) return 0;
    const std::int64_t after = place(begin);
    const std::int64_t to = after + static_cast<std::int64_t>(end - begin);
    std::uint64_t sum = 0;
    const auto add_part = [&](const Run& run) {
      const std::int64_t first = std::max(run.first, after + 1);
      const std::int64_t last = std::min(run.last, to);
      if (first <= last) sum += static_cast<std::uint64_t>(last - first + 1);
    };
    for (const Run& run : before_) add_part(run);
    add_part(now_);
    return sum;
  }

 private:
  static constexpr std::size_t most_runs = 16;
  struct Run {
    std::int64_t first = 0, last = 0;
  };

  // A 64-bit count in the numbering of the runs: near the first of them.
  [[nodiscard]] std::int64_t place(std::uint64_t count) const {
    const std::int64_t first = before_.empty() ? now_.first : before_.front().first;
    return first + static_cast<std::int32_t>(static_cast<std::uint32_t>(count) -
                                             static_cast<std::uint32_t>(first));
  }

  Run now_;
  std::vector<Run> before_;
  bool empty_ = true;
  bool broken_ = false;
};

}  // namespace schedscope::analysis
