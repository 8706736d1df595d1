// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace schedscope::timeline {

// The gaps of the kernel's stream, for threads that look at them only when something happens to
// them: a gap then costs O(log gaps) for each thread touched later, not O(threads) at once.
class Gaps {
 public:
  // One more gap, that began at `begin_ns`.
  void add(std::uint64_t begin_ns) {
    ++count_;
    // Only the earliest begin among the gaps after a given one matters, so an older gap that
    // began no earlier than this one is never asked for again.
    while (!begins_.empty() && begins_.back().begin_ns >= begin_ns) begins_.pop_back();
    begins_.push_back({count_, begin_ns});
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }

  // When the earliest of the gaps after the first `seen` began; there is at least one.
  [[nodiscard]] std::uint64_t earliest_after(std::uint64_t seen) const {
    const auto it = std::upper_bound(
        begins_.begin(), begins_.end(), seen,
        [](std::uint64_t number, const Entry& entry) { return number < entry.number; });
    return it->begin_ns;
  }

  // How many gaps are held; after all threads have seen all gaps they can be forgotten.
  [[nodiscard]] std::size_t held() const { return begins_.size(); }
  void forget() { begins_.clear(); }

 private:
  struct Entry {
    std::uint64_t number;
    std::uint64_t begin_ns;
  };
  std::uint64_t count_ = 0;
  std::vector<Entry> begins_;  // both fields increasing
};

}  // namespace schedscope::timeline
