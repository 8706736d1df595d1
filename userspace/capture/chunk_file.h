// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "capture/compress.h"
#include "capture/format.h"

namespace schedscope::capture {

// A capture as a row of chunks: finds them, reads them, checks their checksums.
class ChunkFile {
 public:
  // Refuses what does not begin like a capture. Errors: Exit::input.
  [[nodiscard]] static Result<ChunkFile> open(const std::filesystem::path& path);

  // The header of the chunk at the current place; nothing at the end of the file. The error
  // says what is damaged.
  [[nodiscard]] std::expected<std::optional<ChunkHeader>, std::string> header();

  // The unpacked payload of the chunk at the current place, checked, then steps to the next
  // chunk. Valid until the next call.
  [[nodiscard]] std::expected<std::span<const std::byte>, std::string> payload(
      const ChunkHeader& header);

  // Steps over it without reading.
  void skip(const ChunkHeader& header);

  struct Place {
    std::uint64_t offset = 0;
    std::uint32_t sequence = 0;
  };
  [[nodiscard]] Place place() const { return place_; }
  void go_to(Place place) { place_ = place; }

  [[nodiscard]] const FileHeader& file_header() const { return file_header_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  ChunkFile(Fd fd, std::uint64_t bytes) : fd_(std::move(fd)), bytes_(bytes) {}
  [[nodiscard]] bool read_at(std::uint64_t offset, std::span<std::byte> to) const;
  [[nodiscard]] std::string damaged(std::string_view how) const;

  Fd fd_;
  std::uint64_t bytes_ = 0;
  FileHeader file_header_{};
  Place place_{.offset = sizeof(FileHeader), .sequence = 0};
  std::vector<std::byte> stored_;
  Decompressor decompressor_;
};

}  // namespace schedscope::capture
