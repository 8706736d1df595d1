// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "timeline/types.h"

namespace schedscope::analysis {

// Somebody's uninterrupted time on a CPU; it ends where the next one begins.
struct Stay {
  std::uint64_t begin_ns;
  std::uint32_t tid;             // 0: idle
  timeline::ThreadIndex thread;  // known when it leaves
  bool known;                    // not in a gap
};

// What a block of stays comes to: who had much of it, everybody else together, and the time of
// which it is not known who had it.
struct StaysSum {
  static constexpr std::size_t most = 16;
  static constexpr std::uint64_t least_part = 32;  // of the block's time
  struct Entry {
    timeline::ThreadIndex who = timeline::no_index;
    std::uint64_t count = 0, ns = 0;
  };

  std::array<Entry, most> first{};  // without a count: there are no more
  Entry others;
  std::uint64_t unknown_ns = 0;
  std::size_t block = ~std::size_t{0};  // of which this is
};

// The latest stays of one CPU, the oldest first; what came before them is forgotten.
class Stays {
 public:
  static constexpr std::size_t block = 64;

  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] Stay& back() { return ring_[(end_ - 1) & mask_]; }
  [[nodiscard]] const Stay& operator[](std::size_t i) const { return ring_[(begin_ + i) & mask_]; }

  void push(const Stay& stay) {
    if (size() > mask_) make_room();
    ++end_;
    back() = stay;
  }
  void pop() {
    --end_;
    if (sums_.empty()) return;
    sum_of(end_) = {};
    if (end_ != 0) sum_of(end_ - 1) = {};  // its last stay ends where another one will begin
  }

  // The last one that began no later, else the first; a wait is told of soon after it, so from the
  // end, in ever longer steps.
  [[nodiscard]] std::size_t find(std::uint64_t at_ns) const {
    std::size_t low = size(), high = size();
    for (std::size_t step = 1; low != 0; step *= 2) {
      low = low > step ? low - step : 0;
      if ((*this)[low].begin_ns <= at_ns) break;
      high = low;
    }
    // What lies behind `low` and before `high` is not known yet.
    while (high - low > 1) {
      const std::size_t middle = low + (high - low) / 2;
      ((*this)[middle].begin_ns <= at_ns ? low : high) = middle;
    }
    return low;
  }

  // Whether a whole block begins at `i`, with all of its stays over.
  [[nodiscard]] bool is_block(std::size_t i) const {
    return (begin_ + i) % block == 0 && i + block < size();
  }
  // The sum of that block, made when it is asked for first. who(stay): the thread or what stands
  // for none, nothing when it is not known.
  template <typename Who>
  [[nodiscard]] const StaysSum& sum(std::size_t i, const Who& who) {
    if (sums_.empty()) sums_.resize(ring_.size() / block);
    StaysSum& sum = sum_of(begin_ + i);
    if (sum.block != (begin_ + i) / block) make_sum(sum, i, who);
    return sum;
  }

 private:
  static constexpr std::size_t most = 1 << 16;

  void make_room() {
    if (size() == most) {
      ++begin_;
      return;
    }
    std::vector<Stay> larger(2 * ring_.size());
    for (std::size_t i = begin_; i < end_; ++i) larger[i & (larger.size() - 1)] = ring_[i & mask_];
    ring_ = std::move(larger);
    mask_ = ring_.size() - 1;
    sums_.clear();
  }

  [[nodiscard]] StaysSum& sum_of(std::size_t stay) {
    return sums_[stay / block & (sums_.size() - 1)];
  }

  template <typename Who>
  void make_sum(StaysSum& sum, std::size_t i, const Who& who) {
    std::array<StaysSum::Entry, block> entries;
    std::size_t size = 0;
    sum = {};
    sum.block = (begin_ + i) / block;
    for (std::size_t at = i; at < i + block; ++at) {
      const std::uint64_t ns = (*this)[at + 1].begin_ns - (*this)[at].begin_ns;
      if (ns == 0) continue;
      const std::optional<timeline::ThreadIndex> whose = who((*this)[at]);
      if (!whose) {
        sum.unknown_ns += ns;
        continue;
      }
      std::size_t entry = 0;
      while (entry < size && entries[entry].who != *whose) ++entry;
      if (entry == size) entries[size++] = {.who = *whose};
      ++entries[entry].count;
      entries[entry].ns += ns;
    }
    const std::uint64_t all_ns = (*this)[i + block].begin_ns - (*this)[i].begin_ns;
    const auto end = entries.begin() + size;
    auto kept = std::partition(entries.begin(), end, [&](const auto& entry) {
      return entry.ns * StaysSum::least_part >= all_ns;
    });
    if (kept - entries.begin() > static_cast<std::ptrdiff_t>(StaysSum::most)) {
      const auto large = kept;
      kept = entries.begin() + StaysSum::most;
      std::nth_element(entries.begin(), kept, large,
                       [](const auto& a, const auto& b) { return a.ns > b.ns; });
    }
    std::copy(entries.begin(), kept, sum.first.begin());
    for (auto entry = kept; entry != end; ++entry) {
      sum.others.count += entry->count;
      sum.others.ns += entry->ns;
    }
  }

  std::vector<Stay> ring_ = std::vector<Stay>(block);  // a power of two of them
  std::size_t mask_ = block - 1;
  std::size_t begin_ = 0, end_ = 0;  // counted since the first
  std::vector<StaysSum> sums_;       // of a CPU behind whose stays somebody waited for a block
};

}  // namespace schedscope::analysis
