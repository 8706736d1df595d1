// SPDX-License-Identifier: GPL-2.0-only
#include "analysis/peers.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace schedscope::analysis {

std::uint64_t& Peers::count(timeline::ThreadIndex peer) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].peer != peer) continue;
    ++entries_[i].count;
    // Moves towards the front, so that the frequent ones are found at once.
    if (i != 0) std::swap(entries_[i], entries_[i - 1]);
    return entries_[i == 0 ? 0 : i - 1].ns;
  }
  if (entries_.size() == most) {
    const auto least =
        std::min_element(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
          return std::pair(a.ns, a.count) < std::pair(b.ns, b.count);
        });
    others_.count += least->count;
    others_.ns += least->ns;
    entries_.erase(least);
  }
  entries_.push_back({.peer = peer, .count = 1});
  return entries_.back().ns;
}

std::vector<Peer> Peers::list(std::span<const timeline::Thread> threads, By order) const {
  std::vector<Peer> peers;
  const auto add = [&](const Entry& entry) {
    Peer peer{.count = entry.count, .ns = entry.ns};
    if (entry.peer < threads.size()) {
      peer.thread = entry.peer;
      peer.tid = threads[entry.peer].tid;
      peer.comm = threads[entry.peer].comm;
    } else {
      peer.comm = entry.peer == timer    ? "(timer)"
                  : entry.peer == others ? "(others)"
                                         : "(interrupt)";
    }
    peers.push_back(std::move(peer));
  };
  for (const Entry& entry : entries_) add(entry);
  std::sort(peers.begin(), peers.end(), [&](const Peer& a, const Peer& b) {
    if (order == By::time)
      return std::tie(a.ns, a.count, b.thread) > std::tie(b.ns, b.count, a.thread);
    return std::tie(a.count, a.ns, b.thread) > std::tie(b.count, b.ns, a.thread);
  });
  if (others_.count != 0) add(others_);
  return peers;
}

}  // namespace schedscope::analysis
