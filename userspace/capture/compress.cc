// SPDX-License-Identifier: GPL-2.0-only
#include "capture/compress.h"

namespace schedscope::capture {
namespace {

// Higher levels gain a few percent at several times the cost, which the traced machine pays.
constexpr int level = 3;

}  // namespace

std::optional<std::span<const std::byte>> Compressor::compress(std::span<const std::byte> raw,
                                                               std::span<const std::size_t> cuts) {
  if (!context_) {
    context_.reset(ZSTD_createCCtx());
    if (!context_) return std::nullopt;
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level);
  }
  ZSTD_CCtx_reset(context_.get(), ZSTD_reset_session_only);
  ZSTD_CCtx_setPledgedSrcSize(context_.get(), raw.size());
  // Each block that is ended early has at most a header of its own.
  out_.resize(ZSTD_compressBound(raw.size()) + 16 * (cuts.size() + 1));
  ZSTD_outBuffer out{.dst = out_.data(), .size = out_.size(), .pos = 0};
  ZSTD_inBuffer in{.src = raw.data(), .size = 0, .pos = 0};
  for (const std::size_t cut : cuts) {
    in.size = cut;
    if (ZSTD_compressStream2(context_.get(), &out, &in, ZSTD_e_flush) != 0) return std::nullopt;
  }
  in.size = raw.size();
  if (ZSTD_compressStream2(context_.get(), &out, &in, ZSTD_e_end) != 0) return std::nullopt;
  return std::span(out_).first(out.pos);
}

std::optional<std::span<const std::byte>> Decompressor::decompress(
    std::span<const std::byte> stored, std::size_t raw_bytes) {
  if (!context_) context_.reset(ZSTD_createDCtx());
  if (!context_) return std::nullopt;
  out_.resize(raw_bytes);
  const std::size_t bytes =
      ZSTD_decompressDCtx(context_.get(), out_.data(), out_.size(), stored.data(), stored.size());
  if (ZSTD_isError(bytes) != 0 || bytes != raw_bytes) return std::nullopt;
  return std::span(out_).first(bytes);
}

}  // namespace schedscope::capture
