// SPDX-License-Identifier: GPL-2.0-only
#include "report/pictures.h"

#include <algorithm>
#include <utility>

namespace schedscope::report {
namespace {

Mix shares_of(const Lane& lane, const Cell& cell) {
  if (cell.mix != Cell::no_mix) return lane.mixes[cell.mix];
  Mix mix;
  mix.add(cell.value, cell.end_ns - cell.begin_ns);
  return mix;
}

// Appends to a lane, or merges with its last cell. True when a cell was added.
bool append(Lane& lane, const Lane& from, const Cell& cell, std::uint64_t resolution_ns) {
  if (!lane.cells.empty() && resolution_ns != 0 &&
      cell.end_ns - lane.cells.back().begin_ns <= resolution_ns) {
    Cell& last = lane.cells.back();
    if (last.mix == Cell::no_mix) {
      lane.mixes.push_back(shares_of(lane, last));
      last.mix = static_cast<std::uint32_t>(lane.mixes.size() - 1);
    }
    const Mix more = shares_of(from, cell);
    for (std::size_t i = 0; i < more.used; ++i) lane.mixes[last.mix].add(more.key[i], more.ns[i]);
    last.end_ns = cell.end_ns;
    last.count += cell.count;
    return false;
  }
  Cell copy = cell;
  if (cell.mix != Cell::no_mix) {
    lane.mixes.push_back(from.mixes[cell.mix]);
    copy.mix = static_cast<std::uint32_t>(lane.mixes.size() - 1);
  }
  lane.cells.push_back(copy);
  return true;
}

}  // namespace

void Mix::add(std::uint32_t what, std::uint64_t time) {
  for (std::size_t i = 0; i < used; ++i) {
    if (key[i] == what) {
      ns[i] += time;
      return;
    }
  }
  const auto is_special = [](std::uint32_t known) { return known >= mix_off; };
  if (!is_special(what)) {
    const auto special = std::count_if(key, key + used, is_special);
    if (used - special >= static_cast<std::ptrdiff_t>(named)) return add(mix_others, time);
  }
  key[used] = what;
  ns[used++] = time;
}

Pictures::Pictures(std::size_t max_cells, analysis::Window window)
    : max_cells_(std::max<std::size_t>(max_cells, 16)), limit_(max_cells_), window_(window) {}

void Pictures::slice(const timeline::Slice& slice) {
  Cell cell{.begin_ns = slice.begin_ns,
            .end_ns = slice.end_ns,
            .value = static_cast<std::uint32_t>(timeline::State::run),
            .other = slice.next,
            .by = slice.by,
            .nominal_ns = slice.nominal_ns,
            .cpu = slice.cpu,
            .reason = slice.end};
  cell.flags = static_cast<std::uint8_t>((slice.begin_cut ? Cell::begin_cut : 0) |
                                         (slice.end_cut ? Cell::end_cut : 0));
  add(LaneKind::thread, slice.thread, cell);
  cell.value = slice.thread;
  add(LaneKind::cpu, slice.cpu, cell);
}

void Pictures::span(const timeline::Span& span) {
  Cell cell{.begin_ns = span.begin_ns,
            .end_ns = span.end_ns,
            .value = static_cast<std::uint32_t>(span.state),
            .other = span.waker,
            .by = span.futex != nullptr ? span.futex->owner : timeline::no_index,
            .cpu = span.cpu,
            .why = why(span)};
  cell.flags = static_cast<std::uint8_t>((span.begin_cut ? Cell::begin_cut : 0) |
                                         (span.end_cut ? Cell::end_cut : 0) |
                                         (span.waker_timer ? Cell::by_timer : 0));
  add(LaneKind::thread, span.thread, cell);
}

std::uint32_t Pictures::why(const timeline::Span& span) {
  const Why why{.syscall = span.syscall,
                .futex = span.futex != nullptr,
                .word = span.futex != nullptr ? span.futex->word : 0};
  if (const auto known = why_index_.find(why); known != why_index_.end()) return known->second;
  // Words are many, calls are few: where there is no room for a word there may be for its call.
  if (whys_.size() >= most_whys) {
    const auto call = why_index_.find(Why{.syscall = span.syscall});
    return call != why_index_.end() ? call->second : 0;
  }
  whys_.push_back(why);
  const auto index = static_cast<std::uint32_t>(whys_.size() - 1);
  why_index_.emplace(why, index);
  return index;
}

void Pictures::user_span(const timeline::UserSpan& span) {
  add(LaneKind::user, span.user,
      Cell{.begin_ns = span.begin_ns,
           .end_ns = span.end_ns,
           .value = static_cast<std::uint32_t>(span.state),
           .other = span.carrier});
}

void Pictures::cpu_span(const timeline::CpuSpan& span) {
  if (span.state == timeline::CpuState::idle) return;
  add(LaneKind::cpu, span.cpu,
      Cell{.begin_ns = span.begin_ns,
           .end_ns = span.end_ns,
           .value = span.state == timeline::CpuState::off ? mix_off : mix_unknown,
           .cpu = span.cpu});
}

const std::vector<Lane>& Pictures::lanes(LaneKind kind) const {
  return lanes_[static_cast<std::size_t>(kind)];
}

void Pictures::add(LaneKind kind, std::uint32_t index, const Cell& cell) {
  // no_index and a damaged CPU number would both ask for a table of that size.
  constexpr std::uint32_t most_lanes = 1U << 24;
  if (cell.end_ns <= cell.begin_ns || index >= most_lanes) return;
  if (cell.end_ns <= window_.from_ns) return;
  if (window_.to_ns != 0 && cell.begin_ns >= window_.to_ns) return;
  auto& lanes = lanes_[static_cast<std::size_t>(kind)];
  if (index >= lanes.size()) lanes.resize(index + 1);
  ++stretches_;
  if (append(lanes[index], lanes[index], cell, resolution_ns_)) ++cells_;
  if (cells_ > limit_) coarsen();
}

void Pictures::coarsen() {
  constexpr std::uint64_t first_resolution = 1024;
  constexpr std::uint64_t last_resolution = 1ULL << 62;
  // Down to three quarters: further would be coarser than need be, less would come back too often.
  while (cells_ > max_cells_ / 4 * 3 && resolution_ns_ < last_resolution) {
    resolution_ns_ = resolution_ns_ == 0 ? first_resolution : resolution_ns_ * 2;
    cells_ = 0;
    for (auto& kind : lanes_) {
      for (auto& lane : kind) {
        Lane merged;
        for (const Cell& cell : lane.cells) append(merged, lane, cell, resolution_ns_);
        cells_ += merged.cells.size();
        lane = std::move(merged);
      }
    }
    // One cell a lane is the least there is: more threads than that need more room.
    std::size_t used_lanes = 0;
    for (const auto& kind : lanes_) {
      used_lanes += static_cast<std::size_t>(std::count_if(
          kind.begin(), kind.end(), [](const Lane& lane) { return !lane.cells.empty(); }));
    }
    if (cells_ <= used_lanes) break;
  }
  limit_ = cells_ <= max_cells_ / 4 * 3 ? max_cells_ : 2 * cells_;
}

}  // namespace schedscope::report
