// SPDX-License-Identifier: GPL-2.0-only
#include "analysis/histogram.h"

#include <algorithm>

namespace schedscope::analysis {

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

}  // namespace schedscope::analysis
