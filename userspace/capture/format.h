// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include <zlib.h>

// The bytes of a capture file; Documentation/capture-format.rst says the same in words.
namespace schedscope::capture {

static_assert(std::endian::native == std::endian::little, "the file is little-endian, as memory");

// Not text, and damaged by every transfer that takes it for text.
inline constexpr std::array<std::uint8_t, 8> file_magic = {0x89, 'S', 'C',  'H',
                                                           'E',  'D', '\n', 0x1a};
// Raised when a reader of an older version must not go on; a new type of chunk, a new
// kind of record or a new field alone does not.
inline constexpr std::uint32_t format_version = 1;

inline constexpr std::uint32_t chunk_magic = 0x4b4e4843;  // "CHNK"

enum class ChunkType : std::uint16_t {
  schema = 1,   // JSON: what the records look like; the first chunk
  machine = 2,  // JSON: struct Machine
  records = 3,  // columns of each source
  end = 4,      // empty; last_ns is when recording ended
};

// What a reader takes from a file, at most, whatever the file says.
namespace limit {
inline constexpr std::uint32_t payload_bytes = 64U << 20;  // of a chunk, stored or unpacked
inline constexpr std::uint32_t text_bytes = 1U << 20;      // of a schema or a machine, unpacked
inline constexpr std::uint32_t chunk_records = 1U << 20;
inline constexpr std::size_t chunk_sections = 1U << 16;
inline constexpr std::size_t chunk_decoded_bytes = 64U << 20;
inline constexpr std::size_t column_numbers = 8U << 20;
inline constexpr std::size_t sources = 1U << 20;
// Decoded records that wait for a watermark; beyond it the oldest go on without.
inline constexpr std::size_t held_bytes = 256U << 20;
}  // namespace limit

struct FileHeader {
  std::array<std::uint8_t, 8> magic;
  std::uint32_t format;
  std::uint32_t schema;    // SCHEDSCOPE_SCHEMA_VERSION
  std::uint32_t reserved;  // 0
  std::uint32_t crc;       // of the bytes before it
};
static_assert(sizeof(FileHeader) == 24);

struct ChunkHeader {
  std::uint32_t magic;
  std::uint16_t type;
  std::uint16_t reserved;      // 0
  std::uint32_t sequence;      // 0, 1, 2, … in the file
  std::uint32_t stored_bytes;  // of the payload behind this header, one zstd frame, or nothing
  std::uint32_t raw_bytes;     // of the payload, unpacked
  std::uint32_t records;
  std::uint64_t first_ns;  // smallest and largest time of its records
  std::uint64_t last_ns;
  std::uint64_t watermark_ns;  // no later chunk holds a record older than this
  std::uint32_t payload_crc;   // of the stored payload
  std::uint32_t crc;           // of the bytes before it

  [[nodiscard]] bool is(ChunkType of) const { return type == static_cast<std::uint16_t>(of); }
};
static_assert(sizeof(ChunkHeader) == 56);

// The CRC-32 of zlib, gzip and PNG.
[[nodiscard]] inline std::uint32_t checksum(std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

template <typename Header>
[[nodiscard]] std::uint32_t header_checksum(const Header& header) {
  return checksum(std::as_bytes(std::span(&header, 1)).first(offsetof(Header, crc)));
}

// A chunk header as it stands in a file; nothing when it is none.
[[nodiscard]] inline std::optional<ChunkHeader> parse_chunk_header(
    std::span<const std::byte, sizeof(ChunkHeader)> bytes) {
  ChunkHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.magic != chunk_magic || header.crc != header_checksum(header)) return std::nullopt;
  return header;
}

}  // namespace schedscope::capture
