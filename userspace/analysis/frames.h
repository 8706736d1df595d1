// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "analysis/report.h"
#include "schema/record.h"

namespace schedscope::analysis {

// The stacks that a capture tells of, out of their frames' records. Each different frame is kept
// once; what makes no sense, and what goes beyond any recorder's bounds, is left out.
class Frames {
 public:
  void add(const schedscope_frame& record);
  // Only stacks of which all frames were told.
  void finish(StackReport& report);

 private:
  using Key =
      std::tuple<std::string, std::string, std::string, std::uint64_t, std::uint64_t, bool, bool>;
  void take(const schedscope_frame& record);
  [[nodiscard]] std::uint32_t index_of(Frame frame);

  // The frame whose parts come now.
  std::uint32_t stack_ = 0, index_ = 0, next_part_ = 0;
  Frame frame_;
  std::vector<Frame> frames_;
  std::map<Key, std::uint32_t> by_key_;
  std::uint64_t text_bytes_ = 0;
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> stacks_;  // frames + 1; 0: not told
};

}  // namespace schedscope::analysis
