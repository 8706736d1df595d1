// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace schedscope::timeline {

// A hash table from Key to a 32-bit index: open addressing, one array, no allocation per entry.
// The lookup of a tid stands in the path of every record. Value 0xffffffff is "not there".
template <typename Key, typename Hash>
class FlatMap {
 public:
  static constexpr std::uint32_t none = 0xffffffff;

  [[nodiscard]] std::uint32_t find(const Key& key) const {
    if (slots_.empty()) return none;
    for (std::size_t i = home(key);; i = next(i)) {
      if (slots_[i].value == none || slots_[i].key == key) return slots_[i].value;
    }
  }

  void set(const Key& key, std::uint32_t value) {
    if ((size_ + 1) * 2 > slots_.size()) grow();
    std::size_t i = home(key);
    while (slots_[i].value != none && !(slots_[i].key == key)) i = next(i);
    if (slots_[i].value == none) ++size_;
    slots_[i] = {key, value};
  }

  void erase(const Key& key) {
    if (slots_.empty()) return;
    std::size_t hole = home(key);
    while (!(slots_[hole].key == key)) {
      if (slots_[hole].value == none) return;
      hole = next(hole);
    }
    if (slots_[hole].value == none) return;
    --size_;
    // Moves later entries of the chain back, so that no tombstones slow down later lookups.
    for (std::size_t i = next(hole); slots_[i].value != none; i = next(i)) {
      const std::size_t wanted = home(slots_[i].key);
      if (((i - wanted) & mask()) >= ((i - hole) & mask())) {
        slots_[hole] = slots_[i];
        hole = i;
      }
    }
    slots_[hole].value = none;
  }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Slot {
    Key key{};
    std::uint32_t value = none;
  };

  [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }
  [[nodiscard]] std::size_t home(const Key& key) const { return Hash{}(key)&mask(); }
  [[nodiscard]] std::size_t next(std::size_t i) const { return (i + 1) & mask(); }

  void grow() {
    std::vector<Slot> old = std::exchange(slots_, {});
    slots_.resize(old.empty() ? 64 : old.size() * 2);
    size_ = 0;
    for (const Slot& slot : old) {
      if (slot.value != none) set(slot.key, slot.value);
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

// Spreads all bits of a number over all others; a tid alone would fill the table in runs.
[[nodiscard]] inline std::size_t mix(std::uint64_t x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93ULL;
  x ^= x >> 32;
  return x;
}

struct TidHash {
  std::size_t operator()(std::uint32_t tid) const { return mix(tid); }
};
using TidMap = FlatMap<std::uint32_t, TidHash>;

// A number that is unique within a process: a user thread, a run queue, a carrier.
struct ProcessKey {
  std::uint32_t pid = 0;
  std::uint64_t id = 0;
  bool operator==(const ProcessKey&) const = default;
};
struct ProcessKeyHash {
  std::size_t operator()(const ProcessKey& key) const { return mix(mix(key.id) + key.pid); }
};
using ProcessKeyMap = FlatMap<ProcessKey, ProcessKeyHash>;

}  // namespace schedscope::timeline
