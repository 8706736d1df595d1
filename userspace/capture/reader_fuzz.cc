// SPDX-License-Identifier: GPL-2.0-only
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "capture/compress.h"
#include "capture/format.h"
#include "capture/layout.h"
#include "capture/reader.h"

// Reads any bytes as a capture. The first byte says how far they get: as a file, they seldom
// pass the checksums; as a row of payloads, each is given the frame that lets it pass.
namespace {

using namespace schedscope;
using namespace schedscope::capture;

template <typename T>
T take(std::string_view& bytes) {
  T value{};
  const std::size_t size = std::min(sizeof(T), bytes.size());
  std::memcpy(&value, bytes.data(), size);
  bytes.remove_prefix(size);
  return value;
}

void append_chunk(std::string& file, std::uint32_t sequence, ChunkHeader header,
                  std::string_view payload) {
  static Compressor compressor;
  const auto stored = *compressor.compress(std::as_bytes(std::span(payload)));
  header.magic = chunk_magic;
  header.sequence = sequence;
  header.stored_bytes = static_cast<std::uint32_t>(stored.size());
  header.raw_bytes = static_cast<std::uint32_t>(payload.size());
  header.payload_crc = checksum(stored);
  header.crc = header_checksum(header);
  file.append(reinterpret_cast<const char*>(&header), sizeof(header));
  file.append(reinterpret_cast<const char*>(stored.data()), stored.size());
}

// {type u8, records u16, watermark u32, bytes u16, payload}…
std::string framed(std::string_view bytes, bool own_schema) {
  FileHeader header{
      .magic = file_magic, .format = format_version, .schema = 1, .reserved = 0, .crc = 0};
  header.crc = header_checksum(header);
  std::string file(reinterpret_cast<const char*>(&header), sizeof(header));
  std::uint32_t sequence = 0;
  if (own_schema) {
    static const std::string schema = layout_to_json(own_layout());
    ChunkHeader chunk{};
    chunk.type = static_cast<std::uint16_t>(ChunkType::schema);
    append_chunk(file, sequence++, chunk, schema);
    chunk.type = static_cast<std::uint16_t>(ChunkType::machine);
    append_chunk(file, sequence++, chunk, "{}");
  }
  while (!bytes.empty()) {
    ChunkHeader chunk{};
    chunk.type = take<std::uint8_t>(bytes);
    chunk.records = take<std::uint16_t>(bytes);
    chunk.watermark_ns = take<std::uint32_t>(bytes);
    const auto payload = bytes.substr(0, take<std::uint16_t>(bytes));
    bytes.remove_prefix(std::min(payload.size(), bytes.size()));
    append_chunk(file, sequence++, chunk, payload);
  }
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto how = take<std::uint8_t>(bytes);
  const std::string file = how % 3 == 0 ? std::string(bytes) : framed(bytes, how % 3 == 1);

  static const Fd memory(::memfd_create("capture", MFD_CLOEXEC));
  static const std::string path = "/proc/self/fd/" + std::to_string(memory.get());
  if (::ftruncate(memory.get(), 0) != 0) std::abort();
  if (::pwrite(memory.get(), file.data(), file.size(), 0) != std::ssize(file)) std::abort();

  auto reader = Reader::open(path);
  if (!reader) {
    // A refusal always says why and what to do.
    if (reader.error().wrong.empty() || reader.error().cure.empty()) std::abort();
    return 0;
  }
  while (const auto record = reader->next()) {
    const std::size_t whole = record_bytes(record->kind());
    if (whole == 0 || record->header().size != whole) std::abort();
    // Under a sanitizer, every byte of it must be readable.
    const std::string copy(reinterpret_cast<const char*>(record->bytes().data()), whole);
    if (copy.size() != whole) std::abort();
  }
  if (reader->complete() != reader->damage().empty()) std::abort();
  return 0;
}
