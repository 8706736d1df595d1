// SPDX-License-Identifier: GPL-2.0-only
#include "capture/flight.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "capture/format.h"

namespace schedscope::capture {
namespace {

// An opening takes a walk over all threads; what is kept is up to a piece longer than asked for.
constexpr std::uint64_t pieces_per_span = 4;
constexpr std::uint64_t least_piece_ns = 1'000'000'000;
// … and is shorter only where memory is short.
constexpr std::uint64_t most_walks_every_ns = 100'000'000;

// The sources of user threads count as one; the agent's own are in no one's totals.
std::uint64_t counted_as(std::uint64_t source) {
  const bool told = source >= Writer::carrier_source && source < Writer::agent_source;
  return told ? Writer::carrier_source : source;
}

// Each on its own, so that all that fit on a disk are there.
Result<void> append_each(Writer& file, std::span<const std::byte> chunks, std::uint64_t& records) {
  while (chunks.size() >= sizeof(ChunkHeader)) {
    const auto header = parse_chunk_header(chunks.first<sizeof(ChunkHeader)>());
    if (!header) break;
    const std::size_t bytes = sizeof(*header) + header->stored_bytes;
    if (auto appended = file.append(chunks.first(bytes)); !appended) return appended;
    records += header->records;
    chunks = chunks.subspan(bytes);
  }
  return {};
}

}  // namespace

std::uint64_t Flight::Gone::produced() const {
  std::uint64_t all = records;
  for (const std::uint64_t n : lost) all += n;
  return all;
}

Flight::Flight(Settings settings)
    : settings_(settings),
      piece_ns_(std::max(settings.span_ns / pieces_per_span, least_piece_ns)),
      writer_(std::make_unique<Writer>(
          Writer::to_memory([this](std::span<const std::byte> chunks) { take(chunks); }))) {}

void Flight::take(std::span<const std::byte> chunks) {
  Piece& piece = pieces_.back();
  auto& to = opening_ ? piece.opening : piece.chunks;
  to.insert(to.end(), chunks.begin(), chunks.end());
  bytes_ += chunks.size();
  while (bytes_ > settings_.most_bytes && pieces_.size() > 1 && !held_) {
    drop_oldest();
    cut_short_ = true;
  }
}

void Flight::drop_oldest() {
  const Piece& oldest = pieces_.front();
  bytes_ -= oldest.bytes();
  for (const auto& [source, counts] : oldest.counts) {
    Gone& gone = gone_[source];
    gone.records += counts.records;
    gone.switches += counts.switches;
    for (std::size_t i = 0; i < gone.lost.size(); ++i) gone.lost[i] += counts.lost[i];
  }
  pieces_.pop_front();
}

void Flight::begin_piece(std::uint64_t now_ns, std::uint64_t cpu_ns) {
  Piece& piece = pieces_.emplace_back();
  piece.start_ns = now_ns;
  piece.cpu_ns = cpu_ns;
  opening_ = true;
  while (pieces_.size() > 1 && pieces_[1].start_ns + settings_.span_ns <= now_ns) {
    drop_oldest();
    cut_short_ = false;
  }
}

void Flight::opened() {
  opening_ = false;
}

void Flight::count(std::uint64_t source, RecordView record) {
  Piece& piece = pieces_.back();
  source = counted_as(source);
  if (opening_) {
    piece.opening_told += source == Writer::carrier_source ? 1 : 0;
    return;
  }
  if (record.kind() == SCHEDSCOPE_REC_STACK) {
    piece.stacks.insert(record.as<schedscope_stack>().kernel);
    piece.stacks.insert(record.as<schedscope_stack>().user);
  }
  if (source == Writer::agent_source) return;
  Gone& counts = piece.counts[source];
  if (record.kind() == SCHEDSCOPE_REC_LOST) {
    const auto& lost = record.as<schedscope_lost>();
    if (lost.cause < counts.lost.size()) counts.lost[lost.cause] += lost.count;
    return;
  }
  ++counts.records;
  counts.switches += record.kind() == SCHEDSCOPE_REC_SWITCH ? 1 : 0;
}

bool Flight::is_piece_full(std::uint64_t now_ns) const {
  const Piece& piece = pieces_.back();
  if (now_ns < piece.start_ns + most_walks_every_ns) return false;
  return now_ns >= piece.start_ns + piece_ns_ ||
         piece.chunks.size() >= settings_.most_bytes / pieces_per_span;
}

Flight::Gone Flight::gone(std::uint64_t source) const {
  const auto found = gone_.find(source);
  return found == gone_.end() ? Gone{} : found->second;
}

std::unordered_set<std::uint32_t> Flight::stacks() const {
  std::unordered_set<std::uint32_t> all;
  for (const Piece& piece : pieces_) all.insert(piece.stacks.begin(), piece.stacks.end());
  return all;
}

std::uint64_t Flight::told() const {
  std::uint64_t told = pieces_.front().opening_told;
  for (const Piece& piece : pieces_) {
    const auto found = piece.counts.find(Writer::carrier_source);
    if (found != piece.counts.end()) told += found->second.records;
  }
  return told;
}

Result<Flight::Saved> Flight::save(const std::filesystem::path& path, const Machine& machine,
                                   std::uint64_t end_ns) const {
  auto file = Writer::create(path, machine);
  if (!file) return std::unexpected(file.error());
  Saved saved;
  const auto result = write(*file, 0, machine, end_ns, saved.records);
  if (!result) saved.fault = result.error();
  saved.file_bytes = file->file_bytes();
  return saved;
}

Result<void> Flight::write(Writer& file, std::size_t first, const Machine& machine,
                           std::uint64_t end_ns, std::uint64_t& records) const {
  auto result = append_each(file, pieces_[first].opening, records);
  for (std::size_t i = first; result && i < pieces_.size(); ++i) {
    result = append_each(file, pieces_[i].chunks, records);
  }
  return result ? file.finish(machine, end_ns) : result;
}

Result<Fd> Flight::recent(Machine machine, std::uint64_t end_ns) const {
  constexpr const char* name = "what a flight recorder keeps";
  Fd memory(::memfd_create("schedscope-flight", MFD_CLOEXEC));
  Fd to(memory.valid() ? ::fcntl(memory.get(), F_DUPFD_CLOEXEC, 0) : -1);
  if (!to.valid()) return fail_errno("make a file in memory");
  const std::size_t first = pieces_.size() - std::min<std::size_t>(pieces_.size(), 2);
  machine.start_ns = pieces_[first].start_ns;
  auto file = Writer::to_file(std::move(to), name, machine);
  if (!file) return std::unexpected(file.error());
  std::uint64_t records = 0;
  if (auto written = write(*file, first, machine, end_ns, records); !written) {
    return std::unexpected(written.error());
  }
  return memory;
}

}  // namespace schedscope::capture
