// SPDX-License-Identifier: GPL-2.0-only
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "capture/decode.h"
#include "capture/encode.h"
#include "capture/format.h"

// Decodes any bytes as the payload of a chunk of records, without the frame that a checksum
// guards. What decodes is sound, and means the same after it was encoded and decoded again.
namespace {

using namespace schedscope;
using namespace schedscope::capture;

std::vector<std::string> records_of(const DecodedChunk& chunk) {
  std::vector<std::string> records;
  for (std::size_t i = 0; i < chunk.used; ++i) {
    for (const schedscope_rec* record : chunk.sections[i].order) {
      const std::size_t whole = record_bytes(record->kind);
      if (whole == 0 || record->size != whole) std::abort();
      records.emplace_back(reinterpret_cast<const char*>(record), whole);
    }
  }
  return records;
}

std::vector<SourceRecords> sources_of(const DecodedChunk& chunk) {
  std::vector<SourceRecords> sources;
  for (std::size_t i = 0; i < chunk.used; ++i) {
    const DecodedSection& section = chunk.sections[i];
    if (!section.order.empty()) sources.push_back({section.source, section.order});
  }
  return sources;
}

}  // namespace

// {records u16, payload}
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static ChunkDecoder decoder(own_layout());
  static ChunkEncoder encoder;
  // One chunk's memory serves the next, as a reader has it.
  static DecodedChunk first, second;
  std::uint16_t records = 0;
  if (size < sizeof(records)) return 0;
  std::memcpy(&records, data, sizeof(records));
  const auto payload = std::as_bytes(std::span(data, size).subspan(sizeof(records)));
  if (const auto decoded = decoder.decode(payload, records, first); !decoded) {
    if (decoded.error().empty()) std::abort();
    return 0;
  }
  const auto before = records_of(first);
  const auto again = encoder.encode(sources_of(first), 0);
  if (!decoder.decode(again, static_cast<std::uint32_t>(before.size()), second)) std::abort();
  if (records_of(second) != before) std::abort();
  return 0;
}
