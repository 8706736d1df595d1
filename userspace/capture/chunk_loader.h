// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "capture/chunk_file.h"
#include "capture/decode.h"
#include "capture/layout.h"

namespace schedscope::capture {

// What stands at one place of a file.
struct LoadedChunk {
  enum class What : std::uint8_t {
    whole,    // its payload was read and is sound
    skipped,  // nobody needs it: only its header was read
    damaged,  // `damage` says how; nothing comes behind it
    none,     // the file is over
  };
  What what = What::none;
  ChunkHeader header{};
  std::unique_ptr<DecodedChunk> records;  // of a whole chunk of records
  std::string damage;
  std::uint64_t bytes_behind = 0;  // of the file, behind it
  std::exception_ptr thrown;       // in place of all that: loading it threw so
};

// Reads a file's chunks one after another, and unpacks and decodes those of records.
class ChunkLoader {
 public:
  // `unneeded`: by sequence, those to skip.
  ChunkLoader(ChunkFile file, Layout layout, std::vector<bool> unneeded)
      : file_(std::move(file)), decoder_(std::move(layout)), unneeded_(std::move(unneeded)) {}

  // `room`: memory of an earlier chunk, to be used again; may be a new one.
  [[nodiscard]] LoadedChunk next(std::unique_ptr<DecodedChunk> room);

 private:
  ChunkFile file_;
  ChunkDecoder decoder_;
  std::vector<bool> unneeded_;
};

// Has a thread load the next chunks while the last ones are looked at: loading is a third of what
// a report takes. Where there is one CPU only, or no thread to be had, they are loaded when they
// are asked for.
class LoadAhead {
 public:
  explicit LoadAhead(ChunkLoader loader) : loader_(std::move(loader)) {}
  LoadAhead(const LoadAhead&) = delete;
  LoadAhead& operator=(const LoadAhead&) = delete;

  // `room`: as of ChunkLoader::next().
  [[nodiscard]] LoadedChunk take(std::unique_ptr<DecodedChunk> room);

 private:
  // Each holds memory; one more than that hides what little their times differ.
  static constexpr std::size_t most_ready = 2;

  void start();
  void load(const std::stop_token& stop);

  ChunkLoader loader_;
  bool started_ = false;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<LoadedChunk> ready_;
  std::vector<std::unique_ptr<DecodedChunk>> rooms_;
  std::jthread thread_;  // the last: it uses all of them
};

}  // namespace schedscope::capture
