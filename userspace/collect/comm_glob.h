// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace schedscope::collect {

// A glob (of fnmatch(3), without flags) as an automaton that a BPF program can run over a thread's
// name in a bounded number of steps: one for each character. Its bits are positions in the glob,
// stars left out: bit i means that what stands before position i is matched.
//
// Layout shared with bpf/rules.bpf.h, which no C++ compiler can include.
struct CommGlob {
  std::uint32_t stars = 0;                   // positions that any character leaves as they are
  std::uint32_t matched = 0;                 // the position behind the last one
  std::array<std::uint32_t, 256> accepts{};  // by byte: the positions that it leads on from

  // Errors: Exit::usage, for one that no name can match since it takes more than 15 characters.
  [[nodiscard]] static Result<CommGlob> compile(std::string_view glob);
  // As the BPF program does.
  [[nodiscard]] bool matches(std::string_view comm) const;
};

}  // namespace schedscope::collect
