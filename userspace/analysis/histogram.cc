// SPDX-License-Identifier: GPL-2.0-only
#include "analysis/histogram.h"

#include <algorithm>
#include <utility>

namespace schedscope::analysis {
namespace {

std::vector<std::uint64_t> without_empty_end(std::vector<std::uint64_t> counts) {
  while (!counts.empty() && counts.back() == 0) counts.pop_back();
  return counts;
}

}  // namespace

std::uint64_t LogLinear::percentile(unsigned permille) const {
  if (count_ == 0) return 0;
  // Rounded up: the value below which at least that share lies.
  const std::uint64_t wanted = std::max<std::uint64_t>(1, (count_ * permille + 999) / 1000);
  std::uint64_t seen = 0;
  std::size_t row = 0;
  for (unsigned octave = 0; octave < 64; ++octave) {
    if ((octaves_ >> octave & 1) == 0) continue;
    for (std::uint64_t sub = 0; sub < 16; ++sub) {
      seen += rows_[row][sub];
      if (seen < wanted) continue;
      const std::uint64_t top = octave == 0 ? sub : ((16 + sub + 1) << (octave - 1)) - 1;
      return std::min(top, max_);
    }
    ++row;
  }
  return max_;
}

std::vector<std::uint64_t> LogLinear::by_powers_of_two() const {
  std::vector<std::uint64_t> counts(Log2::buckets);
  std::size_t row = 0;
  for (unsigned octave = 0; octave < 64; ++octave) {
    if ((octaves_ >> octave & 1) == 0) continue;
    for (unsigned sub = 0; sub < 16; ++sub) {
      const std::size_t bucket =
          octave != 0 ? octave + 3U : static_cast<std::size_t>(std::bit_width(sub | 1U)) - 1;
      counts[std::min(bucket, Log2::buckets - 1)] += rows_[row][sub];
    }
    ++row;
  }
  return without_empty_end(std::move(counts));
}

std::vector<std::uint64_t> Log2::counts() const {
  return without_empty_end({counts_.begin(), counts_.end()});
}

}  // namespace schedscope::analysis
