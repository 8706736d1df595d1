// SPDX-License-Identifier: GPL-2.0-only
#include "analysis/peers.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace schedscope::analysis {

Peers::Entry* Peers::find(timeline::ThreadIndex peer) {
  if (places_.empty()) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].peer != peer) continue;
      // Moves towards the front, so that the frequent ones are found at once.
      if (i != 0) std::swap(entries_[i], entries_[i - 1]);
      return &entries_[i == 0 ? 0 : i - 1];
    }
    return nullptr;
  }
  for (std::uint8_t at = home(peer); places_[at] != 0; ++at) {
    if ((places_[at] & tag_bits) != tag(peer)) continue;
    Entry& entry = entries_[(places_[at] & ~tag_bits) - 1U];
    if (entry.peer == peer) return &entry;
  }
  return nullptr;
}

void Peers::place(std::size_t entry) {
  const timeline::ThreadIndex peer = entries_[entry].peer;
  std::uint8_t at = home(peer);
  while (places_[at] != 0) ++at;
  places_[at] = static_cast<std::uint16_t>(tag(peer) | (entry + 1));
}

// Leaves the `most` largest.
void Peers::fold(std::vector<Entry>& entries, Entry& others) {
  if (entries.size() <= most) return;
  const auto kept = entries.begin() + most;
  std::nth_element(entries.begin(), kept, entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.ns, a.count, b.peer) > std::tie(b.ns, b.count, a.peer);
  });
  for (auto entry = kept; entry != entries.end(); ++entry) {
    others.count += entry->count;
    others.ns += entry->ns;
  }
  entries.erase(kept, entries.end());
}

std::uint64_t& Peers::count_other(timeline::ThreadIndex peer, std::uint64_t times) {
  if (Entry* entry = find(peer); entry != nullptr) {
    entry->count += times;
    return entry->ns;
  }
  if (entries_.size() == room) {
    fold(entries_, others_);
    places_.clear();
  }
  entries_.push_back({.peer = peer, .count = times});
  if (!places_.empty()) {
    place(entries_.size() - 1);
  } else if (entries_.size() > few) {
    places_.assign(256, 0);
    for (std::size_t i = 0; i < entries_.size(); ++i) place(i);
  }
  return entries_.back().ns;
}

std::vector<Peer> Peers::list(std::span<const timeline::Thread> threads, By order) const {
  std::vector<Entry> kept = entries_;
  Entry rest = others_;
  fold(kept, rest);
  std::vector<Peer> peers;
  peers.reserve(kept.size() + 1);
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
  for (const Entry& entry : kept) add(entry);
  std::sort(peers.begin(), peers.end(), [&](const Peer& a, const Peer& b) {
    if (order == By::time)
      return std::tie(a.ns, a.count, b.thread) > std::tie(b.ns, b.count, a.thread);
    return std::tie(a.count, a.ns, b.thread) > std::tie(b.count, b.ns, a.thread);
  });
  if (rest.count != 0) add(rest);
  return peers;
}

}  // namespace schedscope::analysis
