// SPDX-License-Identifier: GPL-2.0-only
#include "capture/merge.h"

#include <algorithm>
#include <utility>

namespace schedscope::capture {
namespace {

// Enough for the chunks between two watermarks; more would only be kept for nothing.
constexpr std::size_t most_spares = 3;

constexpr std::uint64_t never = ~0ULL;

std::size_t memory_of(const DecodedChunk& chunk) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < chunk.used; ++i) {
    const DecodedSection& section = chunk.sections[i];
    bytes += (section.memory.capacity() + section.order.capacity()) * sizeof(std::uint64_t);
  }
  return bytes;
}

}  // namespace

void Merger::add(std::unique_ptr<DecodedChunk> decoded) {
  if (current_ != nullptr) push(std::exchange(current_, nullptr));
  auto chunk = std::make_shared<Chunk>();
  chunk->late_before = std::max(promised_, uncertain_);
  chunk->decoded = std::move(decoded);
  for (std::size_t i = 0; i < chunk->decoded->used; ++i) {
    const DecodedSection& section = chunk->decoded->sections[i];
    if (section.order.empty()) continue;
    ++chunk->unread;
    Lane& lane = lanes_[section.source];
    lane.source = section.source;
    lane.pieces.push_back({.chunk = chunk, .order = &section.order});
    if (lane.pieces.size() == 1 && begin_piece(lane)) push(&lane);
  }
  if (chunk->unread == 0) {
    spares_.push_back(std::move(chunk->decoded));
    return;
  }
  chunk->bytes = memory_of(*chunk->decoded);
  held_bytes_ += chunk->bytes;
}

void Merger::promise(std::uint64_t watermark_ns) {
  promised_ = std::max(promised_, watermark_ns);
}

void Merger::end() {
  ended_ = true;
}

Merger::Run Merger::next() {
  if (current_ == nullptr) current_ = pop();
  if (current_ == nullptr) return {};
  if (ended_) return take(never);
  // Another record of exactly the watermark's time may come, and be of a smaller source.
  if (current_->key >= promised_) return {};
  return take(promised_ - 1);
}

Merger::Run Merger::next_uncertain() {
  if (current_ == nullptr) current_ = pop();
  if (current_ == nullptr) return {};
  const Run run = take(0);  // no more than must be
  uncertain_ = latest_ns_;
  return run;
}

// The next record, and those behind it in its lane, up to the end of its section at most, whose
// keys are not larger than `last_key` and that come before all of the other lanes.
Merger::Run Merger::take(std::uint64_t last_key) {
  Lane& lane = *current_;
  if (!heap_.empty()) {
    const Lane& other = *heap_.front();
    last_key = std::min(last_key, lane.source < other.source ? other.key : other.key - 1);
  }
  const schedscope_rec* const* const first = lane.at;
  std::uint64_t given = 0;
  std::uint64_t key = lane.key;
  do {
    given = key;
    const schedscope_rec& record = **lane.at++;
    // The account of an exited thread bears the time of its end, before the recording's begin
    // maybe: it stands for no moment of the stream, so it cannot come too late for it.
    late_ += record.time_ns < lane.late_before && record.kind != SCHEDSCOPE_REC_ACCOUNT;
    if (lane.at == lane.end) break;
    key = std::max(key, std::uint64_t{(*lane.at)->time_ns});
  } while (key <= last_key);
  lane.key = key;
  latest_ns_ = std::max(latest_ns_, given);
  const Run run(first, lane.at);
  settle(lane);
  return run;
}

// After a run: whose record is next.
void Merger::settle(Lane& lane) {
  if (lane.at == lane.end) {
    finish_piece(lane);
    if (!begin_piece(lane)) {
      current_ = nullptr;
      return;
    }
  }
  if (!heap_.empty() && before(*heap_.front(), lane)) {
    current_ = std::exchange(heap_.front(), &lane);
    sink();
  }
}

bool Merger::begin_piece(Lane& lane) {
  if (lane.pieces.empty()) return false;
  const Piece& piece = lane.pieces.front();
  lane.at = piece.order->data();
  lane.end = lane.at + piece.order->size();
  lane.key = std::max(lane.key, std::uint64_t{(*lane.at)->time_ns});
  lane.late_before = piece.chunk->late_before;
  return true;
}

void Merger::finish_piece(Lane& lane) {
  Chunk& chunk = *lane.pieces.front().chunk;
  if (--chunk.unread == 0) {
    held_bytes_ -= chunk.bytes;
    spares_.push_back(std::move(chunk.decoded));
  }
  lane.pieces.pop_front();
}

std::unique_ptr<DecodedChunk> Merger::spare() {
  if (spares_.empty()) return std::make_unique<DecodedChunk>();
  auto chunk = std::move(spares_.back());
  spares_.pop_back();
  if (spares_.size() > most_spares) spares_.resize(most_spares);
  return chunk;
}

// ---- a heap of lanes, the one with the oldest record in front ----

void Merger::push(Lane* lane) {
  heap_.push_back(lane);
  std::push_heap(heap_.begin(), heap_.end(),
                 [](const Lane* a, const Lane* b) { return before(*b, *a); });
}

Merger::Lane* Merger::pop() {
  if (heap_.empty()) return nullptr;
  std::pop_heap(heap_.begin(), heap_.end(),
                [](const Lane* a, const Lane* b) { return before(*b, *a); });
  Lane* lane = heap_.back();
  heap_.pop_back();
  return lane;
}

// Puts the front where it belongs: what pop and push do together, in half the steps.
void Merger::sink() {
  Lane* lane = heap_.front();
  std::size_t at = 0;
  for (std::size_t child = 0; (child = 2 * at + 1) < heap_.size(); at = child) {
    if (child + 1 < heap_.size() && before(*heap_[child + 1], *heap_[child])) ++child;
    if (!before(*heap_[child], *lane)) break;
    heap_[at] = heap_[child];
  }
  heap_[at] = lane;
}

}  // namespace schedscope::capture
