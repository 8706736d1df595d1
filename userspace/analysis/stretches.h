// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "analysis/report.h"
#include "timeline/types.h"

namespace schedscope::analysis {

// A stretch of a thread's time; it ends where the thread's next one begins.
struct Stretch {
  std::uint64_t begin_ns = 0;
  timeline::ThreadIndex waker = timeline::no_index;  // sleep, block
  std::uint16_t cpu = SCHEDSCOPE_CPU_NONE;           // run: on it, wait: in its queue
  timeline::State state = timeline::State::unknown;
  WakerKind cause = WakerKind::unknown;  // sleep, block: what ended it
};
static_assert(sizeof(Stretch) == 16);

// All stretches of all threads, and the idle ones of CPUs. A vector that grows may take twice its
// size, so at most 0.5 GiB.
class Stretches {
 public:
  static constexpr std::size_t most = 1 << 24;

  struct Found {
    Stretch stretch;
    std::uint64_t end_ns;
  };

  // False when there is no room for it, nor for any other.
  bool add(timeline::ThreadIndex thread, const Stretch& stretch, std::uint64_t end_ns) {
    if (stretch.begin_ns == end_ns) return true;
    if (++count_ > most) return false;
    if (thread >= rows_.size()) rows_.resize(thread + 1U);
    rows_[thread].stretches.push_back(stretch);
    rows_[thread].end_ns = end_ns;
    return true;
  }
  bool add_idle(const timeline::CpuSpan& span) {
    if (++count_ > most) return false;
    idle_.push_back(span);
    return true;
  }

  [[nodiscard]] bool has(timeline::ThreadIndex thread) const {
    return thread < rows_.size() && !rows_[thread].stretches.empty();
  }
  // Of one that it has.
  [[nodiscard]] std::uint64_t begin_of(timeline::ThreadIndex thread) const {
    return rows_[thread].stretches.front().begin_ns;
  }
  [[nodiscard]] std::uint64_t end_of(timeline::ThreadIndex thread) const {
    return rows_[thread].end_ns;
  }

  // Where the thread was just before `t`; nothing when that was before its first stretch or after
  // its last one.
  [[nodiscard]] std::optional<Found> before(timeline::ThreadIndex thread, std::uint64_t t) const {
    if (!has(thread) || t > end_of(thread)) return std::nullopt;
    const auto& all = rows_[thread].stretches;
    const auto next = std::partition_point(all.begin(), all.end(),
                                           [&](const Stretch& s) { return s.begin_ns < t; });
    if (next == all.begin()) return std::nullopt;
    return Found{*(next - 1), next == all.end() ? end_of(thread) : next->begin_ns};
  }

  // visit(cpu, thread, begin_ns, end_ns) for each stay on a CPU; no_index: idle.
  template <typename Visit>
  void each_on_cpu(const Visit& visit) const {
    for (std::size_t thread = 0; thread < rows_.size(); ++thread) {
      const auto& all = rows_[thread].stretches;
      for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i].state != timeline::State::run) continue;
        visit(all[i].cpu, static_cast<timeline::ThreadIndex>(thread), all[i].begin_ns,
              i + 1 == all.size() ? rows_[thread].end_ns : all[i + 1].begin_ns);
      }
    }
    for (const auto& span : idle_) visit(span.cpu, timeline::no_index, span.begin_ns, span.end_ns);
  }

 private:
  struct Row {
    std::vector<Stretch> stretches;
    std::uint64_t end_ns = 0;
  };
  std::vector<Row> rows_;
  std::vector<timeline::CpuSpan> idle_;
  std::size_t count_ = 0;
};

}  // namespace schedscope::analysis
