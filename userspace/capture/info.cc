// SPDX-License-Identifier: GPL-2.0-only
#include "capture/info.h"

#include <algorithm>

#include "capture/chunk_file.h"
#include "capture/layout.h"
#include "capture/reader.h"
#include "schema/record.h"

namespace schedscope::capture {
namespace {

// What the file says of itself before its first record. It was opened as a capture already.
Result<void> read_head(const std::filesystem::path& path, Info& info) {
  auto file = ChunkFile::open(path);
  if (!file) return std::unexpected(file.error());
  info.format = file->file_header().format;
  info.schema = file->file_header().schema;
  const auto header = file->header();
  if (!header || !*header) return {};
  const auto payload = file->payload(**header);
  if (!payload) return {};
  info.chunks[(*header)->type].add(**header);
  const auto layout =
      layout_from_json({reinterpret_cast<const char*>(payload->data()), payload->size()});
  if (!layout) return {};
  for (const Kind& kind : layout->kinds) {
    info.kinds.push_back({.kind = kind.kind,
                          .name = kind.name,
                          .bytes = kind.bytes,
                          .known = record_bytes(kind.kind) != 0});
  }
  return {};
}

void count(Info& info, RecordView record) {
  ++info.records;
  info.second_records += record.second();
  const auto kind = std::ranges::find(info.kinds, record.kind(), &Info::Kind::kind);
  if (kind != info.kinds.end()) ++kind->records;
  // The account of an exited thread bears the time of its end, maybe before the recording.
  if (record.kind() != SCHEDSCOPE_REC_ACCOUNT) {
    if (info.first_ns == 0) info.first_ns = record.time_ns();
    info.first_ns = std::min(info.first_ns, record.time_ns());
    info.last_ns = std::max(info.last_ns, record.time_ns());
  }
  switch (record.kind()) {
    case SCHEDSCOPE_REC_SWITCH:
      info.second_switches += record.second();
      break;
    case SCHEDSCOPE_REC_LOST: {
      const auto& lost = record.as<schedscope_lost>();
      Info::Lost& cause = info.lost[std::min<std::uint32_t>(lost.cause, SCHEDSCOPE_LOST_CAUSES)];
      cause.records += lost.count;
      ++cause.gaps;
      break;
    }
    case SCHEDSCOPE_REC_CLOCK: {
      const auto& clock = record.as<schedscope_clock>();
      ++info.clock_pairs;
      info.clock_error_ns = std::max<std::uint64_t>(info.clock_error_ns, clock.error_ns);
      if (!info.clock_first) info.clock_first = clock;
      info.clock_last = clock;
      break;
    }
    default:
      break;
  }
}

}  // namespace

std::uint64_t Info::switches() const {
  const auto found = std::ranges::find(kinds, SCHEDSCOPE_REC_SWITCH, &Kind::kind);
  return found == kinds.end() ? 0 : found->records - second_switches;
}

Result<Info> read_info(const std::filesystem::path& path) {
  auto reader = Reader::open(path);
  if (!reader) return std::unexpected(reader.error());
  Info info;
  if (auto head = read_head(path, info); !head) return std::unexpected(head.error());
  while (const auto record = reader->next()) count(info, *record);
  info.chunks.insert(reader->chunks().begin(), reader->chunks().end());
  info.file = path.string();
  info.bytes = reader->file_bytes();
  info.machine = reader->machine();
  info.complete = reader->complete();
  info.damage = reader->damage();
  info.end_ns = reader->end_ns();
  info.unknown_records = reader->unknown_records();
  info.late_records = reader->late_records();
  return info;
}

}  // namespace schedscope::capture
