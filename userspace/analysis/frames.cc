// SPDX-License-Identifier: GPL-2.0-only
#include "analysis/frames.h"

#include <algorithm>
#include <string_view>

namespace schedscope::analysis {
namespace {

// Twice what a recorder keeps.
constexpr std::size_t most_stacks = 1 << 18;
constexpr std::uint64_t most_text_bytes = 256U << 20;
constexpr std::uint32_t most_parts = 128;

template <std::size_t n>
std::string_view text_of(const __u8 (&bytes)[n]) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), n);
  return text.substr(0, text.find('\0'));
}

}  // namespace

void Frames::add(const schedscope_frame& record) {
  const bool sound = record.stack != SCHEDSCOPE_STACK_NONE &&
                     record.stack <= SCHEDSCOPE_STACK_LAST && record.index < record.frames &&
                     record.frames <= SCHEDSCOPE_STACK_FRAMES_MAX && record.part < record.parts &&
                     record.parts <= most_parts;
  if (!sound || text_bytes_ > most_text_bytes) return;
  if (record.part == 0) {
    stack_ = record.stack;
    index_ = record.index;
    next_part_ = 0;
    frame_ = Frame{.where = record.where,
                   .symbol_offset = record.symbol_offset,
                   .kernel = (record.rec.flags & SCHEDSCOPE_FRAME_KERNEL) != 0,
                   .in_file = (record.rec.flags & SCHEDSCOPE_FRAME_IN_FILE) != 0};
    frame_.build_id.assign(reinterpret_cast<const char*>(record.build_id),
                           std::min<std::size_t>(record.build_id_bytes, SCHEDSCOPE_BUILD_ID_LEN));
  }
  if (record.stack != stack_ || record.index != index_ || record.part != next_part_) return;
  ++next_part_;
  frame_.symbol += text_of(record.symbol);
  frame_.file += text_of(record.file);
  if (next_part_ == record.parts) take(record);
}

void Frames::take(const schedscope_frame& record) {
  next_part_ = most_parts;  // no more of it
  const auto known = stacks_.find(record.stack);
  if (known == stacks_.end() && stacks_.size() >= most_stacks) return;
  auto& stack = known != stacks_.end() ? known->second : stacks_[record.stack];
  if (stack.empty()) stack.resize(record.frames);
  if (record.index < stack.size()) stack[record.index] = index_of(std::move(frame_)) + 1;
}

std::uint32_t Frames::index_of(Frame frame) {
  const auto [entry, is_new] =
      by_key_.try_emplace(Key(frame.symbol, frame.file, frame.build_id, frame.where,
                              frame.symbol_offset, frame.kernel, frame.in_file),
                          static_cast<std::uint32_t>(frames_.size()));
  if (!is_new) return entry->second;
  text_bytes_ += sizeof(Frame) + 2 * (frame.symbol.size() + frame.file.size());
  frames_.push_back(std::move(frame));
  return entry->second;
}

void Frames::finish(StackReport& report) {
  for (auto& [number, frames] : stacks_) {
    if (std::ranges::find(frames, 0U) != frames.end()) continue;
    for (std::uint32_t& frame : frames) --frame;
    report.stacks.emplace(number, std::move(frames));
  }
  report.frames = std::move(frames_);
}

}  // namespace schedscope::analysis
