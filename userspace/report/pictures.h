// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include "analysis/analysis.h"
#include "timeline/sink.h"
#include "timeline/types.h"

namespace schedscope::report {

// Shares of time inside a merged cell. Keys are states, or threads on a CPU's lane; what did
// not fit is under `mix_others`, so that every time shown is exact or said to be a rest.
inline constexpr std::uint32_t mix_unknown = 0xfffffffe;  // on a CPU's lane: nothing is known
inline constexpr std::uint32_t mix_others = 0xfffffffd;
inline constexpr std::uint32_t mix_off = 0xfffffffc;  // on a CPU's lane: it was taken down

struct Mix {
  static constexpr std::size_t named = timeline::user_state_count;
  static constexpr std::size_t room = named + 3;  // and always one for unknown, off and the rest
  std::uint8_t used = 0;
  std::uint32_t key[room] = {};
  std::uint64_t ns[room] = {};

  void add(std::uint32_t what, std::uint64_t time);
};

// What is drawn as one box: one stretch, or several short neighbours.
struct Cell {
  static constexpr std::uint8_t begin_cut = 1, end_cut = 2, by_timer = 4;
  static constexpr std::uint32_t no_mix = 0xffffffff;

  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = 0;
  std::uint32_t value = 0;  // a state; on a CPU's lane a thread, mix_unknown or mix_off
  std::uint32_t other =
      timeline::no_index;  // slice: who came next; sleep, block: who woke; user: carrier
  std::uint32_t by = timeline::no_index;  // slice: who caused its end; sleep: who had the futex
  std::uint32_t nominal_ns = 0;
  std::uint32_t count = 1;     // stretches in it
  std::uint32_t mix = no_mix;  // index of its shares in Lane::mixes, when count > 1
  std::uint16_t cpu = SCHEDSCOPE_CPU_NONE;
  timeline::SliceEnd reason = timeline::SliceEnd::unknown;
  std::uint8_t flags = 0;
  std::uint32_t why = 0;  // sleep, block: index into Pictures::whys()
};

// What threads slept in, and for which futex.
struct Why {
  timeline::Syscall syscall{};
  bool futex = false;
  std::uint64_t word = 0;  // its address; 0: several

  friend bool operator==(const Why&, const Why&) = default;
};

enum class LaneKind : std::uint8_t { cpu, thread, user };

struct Lane {
  std::vector<Cell> cells;  // in time order; on a CPU's lane what is missing is idle
  std::vector<Mix> mixes;
};

// Collects what the page draws, in bounded memory: beyond `max_cells`, neighbours on a lane that
// together last no longer than resolution_ns() become one cell that knows the share of each.
// Longer stretches stay exact, at any resolution.
class Pictures final : public timeline::Sink {
 public:
  static constexpr std::size_t default_cells = 400'000;
  static constexpr std::size_t most_whys = 1 << 16;

  explicit Pictures(std::size_t max_cells = default_cells, analysis::Window window = {});

  void slice(const timeline::Slice& slice) override;
  void span(const timeline::Span& span) override;
  void user_span(const timeline::UserSpan& span) override;
  void cpu_span(const timeline::CpuSpan& span) override;
  [[nodiscard]] bool wants_user_spans() const override { return true; }

  // 0: every stretch is drawn as it was.
  [[nodiscard]] std::uint64_t resolution_ns() const { return resolution_ns_; }
  [[nodiscard]] std::uint64_t stretches() const { return stretches_; }
  [[nodiscard]] std::size_t cells() const { return cells_; }
  // By CPU, ThreadIndex, UserIndex.
  [[nodiscard]] const std::vector<Lane>& lanes(LaneKind kind) const;
  // The first is that nothing is known, or that there was no room for more of them.
  [[nodiscard]] const std::vector<Why>& whys() const { return whys_; }

 private:
  struct Hash {
    std::size_t operator()(const Why& why) const {
      return std::hash<std::uint64_t>{}(why.word ^ (std::uint64_t{why.syscall.number} << 48));
    }
  };

  std::uint32_t why(const timeline::Span& span);
  void add(LaneKind kind, std::uint32_t index, const Cell& cell);
  void coarsen();

  std::size_t max_cells_;
  std::size_t limit_;
  analysis::Window window_;
  std::uint64_t resolution_ns_ = 0;
  std::uint64_t stretches_ = 0;
  std::size_t cells_ = 0;
  std::vector<Lane> lanes_[3];
  std::vector<Why> whys_{Why{}};
  std::unordered_map<Why, std::uint32_t, Hash> why_index_{{Why{}, 0}};
};

}  // namespace schedscope::report
