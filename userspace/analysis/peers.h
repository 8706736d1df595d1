// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "analysis/report.h"
#include "timeline/types.h"

namespace schedscope::analysis {

// Who did something to one thread, how often and what it cost. Holds a bounded number of peers:
// when there are more, the smallest are folded into `others`, so that the sum stays exact and
// a listed peer's figures are what was counted since it was taken up last.
class Peers {
 public:
  // Stand for what is no thread.
  static constexpr timeline::ThreadIndex idle = 0xffffffff;
  static constexpr timeline::ThreadIndex timer = 0xfffffffe;
  static constexpr timeline::ThreadIndex others = 0xfffffffd;
  static constexpr std::size_t most = 64;

  // Counts one more, or so many; returns where their time is to be added, valid until the next
  // call.
  std::uint64_t& count(timeline::ThreadIndex peer, std::uint64_t times = 1) {
    // Most often it is the one that it was before.
    if (places_.empty() && !entries_.empty() && entries_.front().peer == peer) {
      entries_.front().count += times;
      return entries_.front().ns;
    }
    return count_other(peer, times);
  }
  void count_others(std::uint64_t times, std::uint64_t ns) {
    others_.count += times;
    others_.ns += ns;
  }

  // The `top` first ones by time or by count, and "others" where some were folded.
  enum class By : std::uint8_t { time, count };
  [[nodiscard]] std::vector<Peer> list(std::span<const timeline::Thread> threads, By order) const;

 private:
  struct Entry {
    timeline::ThreadIndex peer = idle;
    std::uint64_t count = 0;
    std::uint64_t ns = 0;
  };
  // Up to here a search is as quick as an index.
  static constexpr std::size_t few = 8;
  // Folding them in dozens costs little each; one at a time, each newcomer would search them all.
  static constexpr std::size_t room = most + most / 2;

  static std::uint8_t home(timeline::ThreadIndex peer) {
    return static_cast<std::uint8_t>((peer * 0x9e3779b1U) >> 24);
  }
  // What tells most others apart without a look at their entries, which lie far away.
  static constexpr unsigned tag_bits = 0xff00;
  static unsigned tag(timeline::ThreadIndex peer) { return (peer * 0x9e3779b1U >> 8) & tag_bits; }
  std::uint64_t& count_other(timeline::ThreadIndex peer, std::uint64_t times);
  [[nodiscard]] Entry* find(timeline::ThreadIndex peer);
  void place(std::size_t entry);
  static void fold(std::vector<Entry>& entries, Entry& others);

  std::vector<Entry> entries_;
  Entry others_{.peer = others};
  // When they are not few: 256 places for an entry's tag and number + 1, from its home on; 0 is
  // free.
  std::vector<std::uint16_t> places_;
};

}  // namespace schedscope::analysis
