// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <zstd.h>

namespace schedscope::capture {

// One zstd frame a payload. Both keep their memory from one payload to the next.
class Compressor {
 public:
  // A block of the frame ends at each of `cuts` (ascending offsets into `raw`), so that what
  // follows gets entropy tables of its own. Valid until the next call; nothing when memory
  // is short.
  [[nodiscard]] std::optional<std::span<const std::byte>> compress(
      std::span<const std::byte> raw, std::span<const std::size_t> cuts = {});

 private:
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  std::unique_ptr<ZSTD_CCtx, Free> context_;
  std::vector<std::byte> out_;
};

class Decompressor {
 public:
  // Nothing unless `stored` is one frame of exactly `raw_bytes`, which the caller has
  // bounded. Valid until the next call.
  [[nodiscard]] std::optional<std::span<const std::byte>> decompress(
      std::span<const std::byte> stored, std::size_t raw_bytes);

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_;
  std::vector<std::byte> out_;
};

}  // namespace schedscope::capture
