// SPDX-License-Identifier: GPL-2.0-only
#include "capture/chunk_loader.h"

#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "capture/format.h"

namespace schedscope::capture {
namespace {

using What = LoadedChunk::What;

// What makes whoever takes it stop.
bool is_last(const LoadedChunk& chunk) {
  return chunk.what == What::none || chunk.what == What::damaged || chunk.header.is(ChunkType::end);
}

}  // namespace

LoadedChunk ChunkLoader::next(std::unique_ptr<DecodedChunk> room) {
  LoadedChunk chunk;
  const auto damaged = [&](std::string how) {
    chunk.what = What::damaged;
    chunk.damage = std::move(how);
    return std::move(chunk);
  };
  const ChunkFile::Place place = file_.place();
  const auto header = file_.header();
  if (!header) return damaged(header.error());
  if (!*header) return chunk;
  chunk.header = **header;
  if (place.sequence < unneeded_.size() && unneeded_[place.sequence]) {
    file_.skip(chunk.header);
    chunk.what = What::skipped;
    return chunk;
  }
  // Even of what no reader knows: damage ends the capture there.
  const auto payload = file_.payload(chunk.header);
  if (!payload) return damaged(payload.error());
  chunk.what = What::whole;
  chunk.bytes_behind = file_.bytes() - file_.place().offset;
  if (!chunk.header.is(ChunkType::records)) return chunk;
  if (auto decoded = decoder_.decode(*payload, chunk.header.records, *room); !decoded) {
    return damaged(
        fmt::format("chunk {} at byte {} is damaged: {}; it and what follows was not read",
                    place.sequence, place.offset, decoded.error()));
  }
  chunk.records = std::move(room);
  return chunk;
}

// Not before the first is asked for: some want no more of a capture than its description.
void LoadAhead::start() {
  started_ = true;
  if (std::thread::hardware_concurrency() < 2) return;
  try {
    thread_ = std::jthread([this](const std::stop_token& stop) { load(stop); });
  } catch (const std::system_error&) {
    // take() does without.
  }
}

LoadedChunk LoadAhead::take(std::unique_ptr<DecodedChunk> room) {
  if (!started_) start();
  if (!thread_.joinable()) return loader_.next(std::move(room));
  std::unique_lock lock(mutex_);
  rooms_.push_back(std::move(room));
  changed_.notify_all();
  changed_.wait(lock, [this] { return !ready_.empty(); });
  LoadedChunk chunk = std::move(ready_.front());
  ready_.pop_front();
  changed_.notify_all();
  if (chunk.thrown) std::rethrow_exception(chunk.thrown);
  return chunk;
}

void LoadAhead::load(const std::stop_token& stop) {
  for (bool last = false; !last;) {
    std::unique_ptr<DecodedChunk> room;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [this] { return ready_.size() < most_ready; });
      if (stop.stop_requested()) return;
      if (!rooms_.empty()) {
        room = std::move(rooms_.back());
        rooms_.pop_back();
      }
    }
    LoadedChunk chunk;
    try {
      chunk = loader_.next(room ? std::move(room) : std::make_unique<DecodedChunk>());
    } catch (...) {
      chunk.thrown = std::current_exception();  // out of memory: whoever takes it may go on without
    }
    last = is_last(chunk);
    const std::lock_guard lock(mutex_);
    ready_.push_back(std::move(chunk));
    changed_.notify_all();
  }
}

}  // namespace schedscope::capture
