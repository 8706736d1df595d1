// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <bit>
#include <cstdint>
#include <random>
#include <vector>

namespace schedscope::capture {

// Gives each distinct number the next of 0, 1, 2, … in the order of first appearance.
class Dense {
 public:
  Dense() { reset(); }

  void reset() {
    values_.clear();
    slots_.assign(64, 0);
  }

  [[nodiscard]] std::uint32_t id(std::uint64_t value) {
    std::size_t at = slot(value);
    for (; slots_[at] != 0; at = (at + 1) & (slots_.size() - 1)) {
      if (values_[slots_[at] - 1] == value) return slots_[at] - 1;
    }
    values_.push_back(value);
    slots_[at] = static_cast<std::uint32_t>(values_.size());
    if (values_.size() * 2 > slots_.size()) grow();
    return static_cast<std::uint32_t>(values_.size() - 1);
  }

  // By id.
  [[nodiscard]] const std::vector<std::uint64_t>& values() const { return values_; }

 private:
  // Multiplied by a number that no file can know, or a file could choose values that collide.
  [[nodiscard]] std::size_t slot(std::uint64_t value) const {
    return static_cast<std::size_t>((value * secret() + (value >> 32)) >>
                                    (64 - std::countr_zero(slots_.size())));
  }

  [[nodiscard]] static std::uint64_t secret() {
    static const std::uint64_t number = std::random_device{}() * 0x9e3779b97f4a7c15ULL | 1;
    return number;
  }

  void grow() {
    slots_.assign(slots_.size() * 4, 0);
    for (std::size_t i = 0; i < values_.size(); ++i) {
      std::size_t at = slot(values_[i]);
      while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = static_cast<std::uint32_t>(i + 1);
    }
  }

  std::vector<std::uint64_t> values_;
  std::vector<std::uint32_t> slots_;  // id + 1, 0 when free; a power of two of them
};

}  // namespace schedscope::capture
