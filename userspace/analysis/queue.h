// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "schema/record.h"
#include "timeline/types.h"

namespace schedscope::analysis {

// In which CPU's queue one thread is: where it was last, until it is moved.
class Queue {
 public:
  void move(std::uint64_t t, std::uint32_t cpu) {
    if (now_.cpu == cpu || cpu >= SCHEDSCOPE_CPU_NONE) return;
    if (now_.cpu != SCHEDSCOPE_CPU_NONE) before_.push_back(now_);
    if (before_.size() == most_moves) before_.erase(before_.begin());
    now_ = {.at_ns = t, .cpu = static_cast<std::uint16_t>(cpu)};
  }

  // part(cpu, begin_ns, end_ns) for each queue of a wait, in order; SCHEDSCOPE_CPU_NONE is one that
  // is not known.
  template <typename Part>
  void split(const timeline::Span& wait, const Part& part) const {
    // Most stay where they are.
    if (now_.cpu != SCHEDSCOPE_CPU_NONE && now_.at_ns <= wait.begin_ns) {
      part(now_.cpu, wait.begin_ns, wait.end_ns);
      return;
    }
    std::uint64_t begin = wait.begin_ns;
    // When moves have been forgotten, where it was before the first is not known.
    std::uint16_t cpu = before_.size() + 1 < most_moves ? wait.cpu : SCHEDSCOPE_CPU_NONE;
    const auto pass = [&](const Move& move) {
      if (move.at_ns >= wait.end_ns || move.cpu == SCHEDSCOPE_CPU_NONE) return;
      if (move.at_ns > begin) {
        part(cpu, begin, move.at_ns);
        begin = move.at_ns;
      }
      cpu = move.cpu;
    };
    for (const Move& move : before_) pass(move);
    pass(now_);
    part(cpu, begin, wait.end_ns);
  }

 private:
  static constexpr std::size_t most_moves = 16;

  struct Move {
    std::uint64_t at_ns = 0;
    std::uint16_t cpu = SCHEDSCOPE_CPU_NONE;  // none: there was no move so far
  };
  Move now_;
  std::vector<Move> before_;  // the last ones
};

}  // namespace schedscope::analysis
