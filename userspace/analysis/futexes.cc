// SPDX-License-Identifier: GPL-2.0-only
//
// The futexes that threads slept for longest, who had them, and what those did meanwhile.
//
// A sleep is certain only at the sleeper's next switch away, and so is what its owner did. So the
// owner's times are asked for when the sleep begins and when it ends, and counted when both the
// sleep and the two readings have come.
#include <algorithm>
#include <unordered_map>

#include "analysis/passes.h"
#include "analysis/state_clock.h"

namespace schedscope::analysis {
namespace {

constexpr std::size_t most_futexes = 1 << 16;
constexpr std::size_t most_owners = 64;
constexpr std::size_t most_reported = 100;

class Futexes final : public Pass {
 public:
  using Pass::Pass;

  void futex_wait(timeline::ThreadIndex thread, const timeline::Futex& futex,
                  std::uint64_t at_ns) override;
  void futex_woken(timeline::ThreadIndex thread, std::uint64_t at_ns) override;

  void slice(const timeline::Slice& slice) override {
    advance(slice.thread, timeline::State::run, slice.begin_ns, slice.end_ns);
  }
  void span(const timeline::Span& span) override {
    advance(span.thread, span.state, span.begin_ns, span.end_ns);
    if (span.futex != nullptr) count(span);
  }
  void finish(Report& report) override;

 private:
  // A sleep whose owner is known.
  struct Watch {
    timeline::ThreadIndex owner;
    std::optional<StateClock::Reading> begin{}, end{};
    std::uint64_t end_ns = 0;  // 0: not yet
    std::uint64_t slept_ns = 0;
    std::size_t futex = none;  // none: not yet certain
  };
  static constexpr std::size_t none = ~std::size_t{0};

  struct Key {
    std::uint32_t pid;
    std::uint64_t word;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const {
      return std::hash<std::uint64_t>{}(key.word ^ (std::uint64_t{key.pid} << 40));
    }
  };

  void advance(timeline::ThreadIndex thread, timeline::State state, std::uint64_t begin_ns,
               std::uint64_t end_ns) {
    if (!clock_.asked(thread)) return;
    clock_.advance(thread, state, begin_ns, end_ns,
                   [this](std::uint64_t id, const StateClock::Reading& reading) {
                     const auto found = watches_.find(id / 2);
                     if (found == watches_.end()) return;
                     (id % 2 == 0 ? found->second.begin : found->second.end) = reading;
                     settle(id / 2);
                   });
  }
  void ask_end(std::uint64_t id, Watch& watch, std::uint64_t at_ns) {
    watch.end_ns = setup().clip(at_ns);
    watch.end = clock_.ask(watch.owner, watch.end_ns, 2 * id + 1);
  }
  void count(const timeline::Span& span);
  std::size_t find(const Key& key);
  void settle(std::uint64_t id);
  void credit(const Watch& watch);

  StateClock clock_;
  std::uint64_t next_id_ = 0;
  std::unordered_map<std::uint64_t, Watch> watches_;
  std::unordered_map<timeline::ThreadIndex, std::uint64_t> sleeping_;  // its watch
  std::vector<FutexReport> futexes_;
  std::unordered_map<Key, std::size_t, Hash> by_key_;
  std::uint64_t all_ns_ = 0;
};

void Futexes::futex_wait(timeline::ThreadIndex thread, const timeline::Futex& futex,
                         std::uint64_t at_ns) {
  // What was not counted by now was no sleep for certain.
  if (const auto old = sleeping_.find(thread); old != sleeping_.end()) {
    watches_.erase(old->second);
    sleeping_.erase(old);
  }
  if (futex.owner == timeline::no_index) return;
  const std::uint64_t id = next_id_++;
  Watch& watch = watches_[id] = {.owner = futex.owner};
  watch.begin = clock_.ask(futex.owner, setup().clip(at_ns), 2 * id);
  sleeping_[thread] = id;
}

void Futexes::futex_woken(timeline::ThreadIndex thread, std::uint64_t at_ns) {
  const auto found = sleeping_.find(thread);
  if (found != sleeping_.end()) ask_end(found->second, watches_.at(found->second), at_ns);
}

std::size_t Futexes::find(const Key& key) {
  const auto [entry, is_new] = by_key_.try_emplace(key, futexes_.size());
  if (is_new) futexes_.push_back({.pid = key.pid, .word = key.word});
  return entry->second;
}

void Futexes::count(const timeline::Span& span) {
  const std::uint64_t ns = span.end_ns - span.begin_ns;
  all_ns_ += ns;
  const Key key{setup().timeline->threads()[span.thread].pid, span.futex->word};
  const auto sleeping = sleeping_.find(span.thread);
  if (by_key_.size() >= most_futexes && !by_key_.contains(key)) {
    if (sleeping != sleeping_.end()) watches_.erase(sleeping->second);
    return;
  }
  const std::size_t index = find(key);
  FutexReport& futex = futexes_[index];
  ++futex.waits;
  futex.ns += ns;
  futex.max_ns = std::max(futex.max_ns, ns);
  if (sleeping == sleeping_.end()) return;
  const std::uint64_t id = sleeping->second;
  sleeping_.erase(sleeping);
  Watch& watch = watches_.at(id);
  watch.futex = index;
  watch.slept_ns = ns;
  if (watch.end_ns == 0) ask_end(id, watch, span.end_ns);
  settle(id);
}

// Counts a sleep when all of it is known.
void Futexes::settle(std::uint64_t id) {
  const auto found = watches_.find(id);
  const Watch& watch = found->second;
  if (watch.futex == none || !watch.begin || !watch.end) return;
  credit(watch);
  watches_.erase(found);
}

void Futexes::credit(const Watch& watch) {
  FutexReport& futex = futexes_[watch.futex];
  futex.owned_ns += watch.slept_ns;
  auto owner = std::find_if(futex.owners.begin(), futex.owners.end(),
                            [&](const FutexOwner& o) { return o.thread == watch.owner; });
  if (owner == futex.owners.end()) {
    if (futex.owners.size() >= most_owners) return;
    owner = futex.owners.insert(owner, FutexOwner{.thread = watch.owner});
  }
  ++owner->waits;
  owner->ns += watch.slept_ns;
  std::uint64_t known = 0;
  for (std::size_t i = 0; watch.begin && watch.end && i < timeline::state_count; ++i) {
    const std::uint64_t ns = (*watch.end)[i] - (*watch.begin)[i];
    owner->state_ns[i] += ns;
    known += ns;
  }
  owner->state_ns[static_cast<std::size_t>(timeline::State::unknown)] += watch.slept_ns - known;
}

void Futexes::finish(Report& report) {
  for (auto& [id, watch] : watches_) {
    if (watch.futex == none) continue;
    if (!watch.end) watch.end = clock_.last_before(watch.owner, watch.end_ns);
    credit(watch);
  }
  std::sort(futexes_.begin(), futexes_.end(), [](const FutexReport& a, const FutexReport& b) {
    return a.ns != b.ns ? a.ns > b.ns : a.word < b.word;
  });
  futexes_.resize(std::min(futexes_.size(), most_reported));
  for (FutexReport& futex : futexes_) {
    std::sort(futex.owners.begin(), futex.owners.end(),
              [](const FutexOwner& a, const FutexOwner& b) {
                return a.ns != b.ns ? a.ns > b.ns : a.thread < b.thread;
              });
  }
  report.futexes = std::move(futexes_);
  report.futex_ns = all_ns_;
}

}  // namespace

std::unique_ptr<Pass> make_futexes(const Setup& setup) {
  return Pass::make<Futexes>(setup);
}

}  // namespace schedscope::analysis
