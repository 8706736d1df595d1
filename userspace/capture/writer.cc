// SPDX-License-Identifier: GPL-2.0-only
#include "capture/writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <compare>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/fd.h"
#include "capture/compress.h"
#include "capture/encode.h"
#include "capture/format.h"
#include "capture/machine_json.h"

namespace schedscope::capture {
namespace {

// Far below what a reader takes, so that it needs little memory.
constexpr std::size_t chunk_records = 256U << 10;
constexpr std::size_t chunk_bytes = 16U << 20;
// A command line can have megabytes, and a machine chunk may not.
constexpr std::size_t longest_text = 64U << 10;

constexpr std::size_t chunk_sections = limit::chunk_sections / 2;

// What one source lost for one cause since its last chunk that was written.
struct Gap {
  std::uint64_t count = 0;
  std::uint64_t begin_ns = ~0ULL;
  std::uint64_t end_ns = 0;

  void add(std::uint64_t records, std::uint64_t begin, std::uint64_t end) {
    count += records;
    begin_ns = std::min(begin_ns, begin);
    end_ns = std::max(end_ns, end);
  }
};

struct GapKey {
  std::uint32_t cause = 0;
  std::uint32_t tid = 0;
  std::uint16_t cpu = SCHEDSCOPE_CPU_NONE;
  auto operator<=>(const GapKey&) const = default;
};

struct Source {
  std::vector<std::uint64_t> words;  // records, one behind the other
  std::map<GapKey, Gap> gaps;        // to be told before the next records
  std::uint64_t dropped = 0;
};

using Chunk = std::vector<SourceRecords>;

// The file of a path that is free or a regular file. Nothing else is ever opened for
// writing: that may have effects of its own, and a link may lead anywhere.
Result<void> check_target(const std::filesystem::path& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno(fmt::format("look at {}", path.string()));
  }
  if (S_ISREG(status.st_mode)) return {};
  const char* what = S_ISDIR(status.st_mode)   ? "it is a directory"
                     : S_ISLNK(status.st_mode) ? "it is a symbolic link"
                                               : "it is not a regular file";
  return fail(fmt::format("write a capture to {}", path.string()), what,
              "give the path of a regular file, or of none yet");
}

// The temporary file's name goes away unless it was renamed.
class TemporaryName {
 public:
  TemporaryName() = default;
  explicit TemporaryName(std::string name) : name_(std::move(name)) {}
  ~TemporaryName() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }
  TemporaryName(TemporaryName&&) = delete;
  TemporaryName& operator=(TemporaryName&& other) noexcept {
    std::swap(name_, other.name_);
    return *this;
  }

  [[nodiscard]] bool rename_to(const std::filesystem::path& path) {
    if (::rename(name_.c_str(), path.c_str()) != 0) return false;
    name_.clear();
    return true;
  }

 private:
  std::string name_;
};

Machine shortened(Machine machine) {
  for (std::string* text : {&machine.command, &machine.sched_features, &machine.kernel_build}) {
    if (text->size() > longest_text) text->resize(longest_text);
  }
  return machine;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

struct Writer::State {
  TakeChunks take;  // without a file
  Fd fd;
  std::string path;
  TemporaryName temporary;       // until it has that one
  std::uint64_t good_bytes = 0;  // of the file, up to its last whole chunk
  std::uint32_t sequence = 0;    // of the next chunk
  std::uint64_t watermark_ns = 0;
  bool finished = false;

  std::map<std::uint64_t, Source> sources;
  std::uint64_t pending_records = 0;
  std::uint64_t pending_bytes = 0;
  std::uint64_t dropped = 0;

  ChunkEncoder encoder;
  Compressor compressor;
  std::vector<std::byte> image;  // what the next write appends,
  std::uint32_t image_chunks = 0;

  [[nodiscard]] Result<void> begin(const Machine& machine);
  void append_chunk(ChunkType type, std::span<const std::byte> stored, ChunkHeader header);
  [[nodiscard]] Result<void> append_payload(ChunkType type, std::span<const std::byte> raw,
                                            ChunkHeader header = {},
                                            std::span<const std::size_t> cuts = {});
  [[nodiscard]] Result<void> append_machine(const Machine& machine);
  void append_made(std::span<const std::byte> chunks);
  [[nodiscard]] Result<void> write_image();

  void add(std::uint64_t source, RecordView record);
  [[nodiscard]] std::vector<Chunk> pending_chunks() const;
  [[nodiscard]] Result<void> write_chunk(const Chunk& chunk, std::uint64_t watermark);
  [[nodiscard]] Result<void> write_pending(std::uint64_t watermark);
  void lose(std::uint64_t source, const schedscope_rec& record, std::uint32_t cause);
  void tell_gaps();
};

// ---- bytes into the file ----

void Writer::State::append_chunk(ChunkType type, std::span<const std::byte> stored,
                                 ChunkHeader header) {
  header.magic = chunk_magic;
  header.type = static_cast<std::uint16_t>(type);
  header.sequence = sequence + image_chunks++;
  header.stored_bytes = static_cast<std::uint32_t>(stored.size());
  header.payload_crc = checksum(stored);
  header.crc = header_checksum(header);
  const auto head = std::as_bytes(std::span(&header, 1));
  image.insert(image.end(), head.begin(), head.end());
  image.insert(image.end(), stored.begin(), stored.end());
}

Result<void> Writer::State::append_payload(ChunkType type, std::span<const std::byte> raw,
                                           ChunkHeader header, std::span<const std::size_t> cuts) {
  const std::size_t most = type == ChunkType::records ? limit::payload_bytes : limit::text_bytes;
  const auto stored = raw.size() <= most ? compressor.compress(raw, cuts) : std::nullopt;
  if (!stored || stored->size() > limit::payload_bytes) {
    return fail(fmt::format("compress {} bytes for {}", raw.size(), path),
                "it is too much, or memory is short");
  }
  header.raw_bytes = static_cast<std::uint32_t>(raw.size());
  append_chunk(type, *stored, header);
  return {};
}

Result<void> Writer::State::append_machine(const Machine& machine) {
  return append_payload(ChunkType::machine, bytes_of(machine_to_json(shortened(machine))));
}

void Writer::State::append_made(std::span<const std::byte> chunks) {
  while (chunks.size() >= sizeof(ChunkHeader)) {
    auto header = parse_chunk_header(chunks.first<sizeof(ChunkHeader)>());
    if (!header) return;  // none of ours
    const std::size_t bytes = sizeof(*header) + header->stored_bytes;
    header->sequence = sequence + image_chunks++;
    header->crc = header_checksum(*header);
    watermark_ns = std::max(watermark_ns, header->watermark_ns);
    const auto head = std::as_bytes(std::span(&*header, 1));
    image.insert(image.end(), head.begin(), head.end());
    const auto payload = chunks.subspan(sizeof(*header), header->stored_bytes);
    image.insert(image.end(), payload.begin(), payload.end());
    chunks = chunks.subspan(bytes);
  }
}

// All of the image, or nothing: the file keeps no part of a chunk while we live.
Result<void> Writer::State::write_image() {
  if (take) {
    take(std::exchange(image, {}));
    sequence += std::exchange(image_chunks, 0);
    return {};
  }
  std::size_t done = 0;
  int code = 0;
  while (done < image.size() && code == 0) {
    const ssize_t wrote = ::pwrite(fd.get(), image.data() + done, image.size() - done,
                                   static_cast<off_t>(good_bytes + done));
    if (wrote > 0) {
      done += static_cast<std::size_t>(wrote);
    } else if (wrote == 0 || errno != EINTR) {
      code = wrote == 0 ? EIO : errno;
    }
  }
  const std::uint64_t bytes = std::exchange(image, {}).size();
  const std::uint32_t chunks = std::exchange(image_chunks, 0);
  if (code != 0) {
    // Should this fail too, the next write goes over what is there.
    [[maybe_unused]] const int cut = ::ftruncate(fd.get(), static_cast<off_t>(good_bytes));
    return fail_errno(fmt::format("write to {}", path), "make room on its file system",
                      Exit::machine, code);
  }
  good_bytes += bytes;
  sequence += chunks;
  return {};
}

// What every capture begins with, in one write.
Result<void> Writer::State::begin(const Machine& machine) {
  FileHeader header{.magic = file_magic,
                    .format = format_version,
                    .schema = SCHEDSCOPE_SCHEMA_VERSION,
                    .reserved = 0,
                    .crc = 0};
  header.crc = header_checksum(header);
  const auto head = std::as_bytes(std::span(&header, 1));
  image.assign(head.begin(), head.end());
  auto result = append_payload(ChunkType::schema, bytes_of(layout_to_json(own_layout())));
  if (result) result = append_machine(machine);
  return result ? write_image() : result;
}

// ---- records into chunks ----

void Writer::State::add(std::uint64_t source, RecordView record) {
  const schedscope_rec& header = record.header();
  if (finished) return lose(source, header, SCHEDSCOPE_LOST_WRITE);
  const std::size_t bytes = record_bytes(header.kind);
  if (bytes == 0 || header.size != bytes) return lose(source, header, SCHEDSCOPE_LOST_INVALID);
  auto& words = sources[source].words;
  const std::size_t at = words.size();
  words.resize(at + bytes / sizeof(words[0]));
  std::memcpy(&words[at], &header, bytes);
  ++pending_records;
  pending_bytes += bytes;
}

// The sources' records in as few chunks as their bounds allow, sources in ascending order.
std::vector<Chunk> Writer::State::pending_chunks() const {
  std::vector<Chunk> chunks(1);
  std::size_t records = 0;
  std::size_t bytes = 0;
  for (const auto& [number, source] : sources) {
    bool begun = false;
    for (std::size_t at = 0; at < source.words.size();) {
      const auto* record = reinterpret_cast<const schedscope_rec*>(&source.words[at]);
      at += record->size / sizeof(source.words[0]);
      if (records == chunk_records || bytes > chunk_bytes ||
          (!begun && chunks.back().size() == chunk_sections)) {
        chunks.emplace_back();
        records = bytes = 0;
        begun = false;
      }
      if (!begun) chunks.back().push_back({.source = number, .records = {}});
      begun = true;
      chunks.back().back().records.push_back(record);
      ++records;
      bytes += record->size;
    }
  }
  if (chunks.back().empty()) chunks.pop_back();
  return chunks;
}

Result<void> Writer::State::write_chunk(const Chunk& chunk, std::uint64_t watermark) {
  ChunkHeader header{};
  header.first_ns = ~0ULL;
  header.watermark_ns = watermark;
  for (const SourceRecords& source : chunk) {
    header.records += static_cast<std::uint32_t>(source.records.size());
    for (const schedscope_rec* record : source.records) {
      header.first_ns = std::min(header.first_ns, std::uint64_t{record->time_ns});
      header.last_ns = std::max(header.last_ns, std::uint64_t{record->time_ns});
    }
  }
  const auto payload = encoder.encode(chunk, header.first_ns);
  auto result = append_payload(ChunkType::records, payload, header, encoder.cuts());
  return result ? write_image() : result;
}

Result<void> Writer::State::write_pending(std::uint64_t watermark) {
  watermark = std::max(watermark, watermark_ns);
  tell_gaps();
  const std::vector<Chunk> chunks = pending_chunks();
  Result<void> result;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    // Only the last chunk of a flush makes what came before it final.
    const bool last = i + 1 == chunks.size();
    if (result) result = write_chunk(chunks[i], last ? watermark : watermark_ns);
    if (result) continue;
    for (const SourceRecords& source : chunks[i]) {
      for (const auto* record : source.records) {
        lose(source.source, *record, SCHEDSCOPE_LOST_WRITE);
      }
    }
  }
  if (result) watermark_ns = watermark;
  for (auto& [number, source] : sources) source.words.clear();
  pending_records = pending_bytes = 0;
  return result;
}

// ---- loss ----

// Notes that a record will not be in the file. A record that itself tells of a loss must not
// get lost: it is told again, joined with others of its kind.
void Writer::State::lose(std::uint64_t source, const schedscope_rec& record, std::uint32_t cause) {
  Source& from = sources[source];
  if (record.kind == SCHEDSCOPE_REC_LOST && cause == SCHEDSCOPE_LOST_WRITE) {
    const auto& lost = RecordView(&record).as<schedscope_lost>();
    from.gaps[{.cause = lost.cause, .tid = lost.tid, .cpu = record.cpu}].add(
        lost.count, lost.begin_ns, lost.end_ns);
    return;
  }
  GapKey key{.cause = cause};
  const std::uint64_t witness = source >= second_source ? source - second_source : source;
  if (witness < SCHEDSCOPE_CPU_NONE) key.cpu = static_cast<std::uint16_t>(witness);
  if (source >= carrier_source && source < agent_source) {
    key.tid = static_cast<std::uint32_t>(source - carrier_source);
  }
  from.gaps[key].add(1, record.time_ns, record.time_ns);
  ++from.dropped;
  ++dropped;
}

// A source's gaps go in front of its next records: there it was that they were lost.
void Writer::State::tell_gaps() {
  for (auto& [number, source] : sources) {
    if (source.gaps.empty()) continue;
    std::vector<std::uint64_t> words;
    for (const auto& [key, gap] : source.gaps) {
      auto lost = make_record<schedscope_lost>(SCHEDSCOPE_REC_LOST, gap.end_ns, key.cpu);
      lost.count = gap.count;
      lost.begin_ns = gap.begin_ns;
      lost.end_ns = gap.end_ns;
      lost.cause = key.cause;
      lost.tid = key.tid;
      if (number >= second_source) lost.rec.flags = SCHEDSCOPE_REC_SECOND;
      words.resize(words.size() + sizeof(lost) / sizeof(words[0]));
      std::memcpy(words.data() + words.size() - sizeof(lost) / sizeof(words[0]), &lost,
                  sizeof(lost));
    }
    source.gaps.clear();
    words.insert(words.end(), source.words.begin(), source.words.end());
    source.words.swap(words);
  }
}

// ---- the interface ----

Writer::Writer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;
Writer::~Writer() = default;

Result<Writer> Writer::prepare(const std::filesystem::path& path, const Machine& machine) {
  if (auto target = check_target(path); !target) return std::unexpected(target.error());
  std::string name = path.string() + ".XXXXXX";
  auto state = std::make_unique<State>();
  state->path = path.string();
  state->fd = Fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!state->fd.valid()) {
    return fail_errno(fmt::format("create {}", path.string()),
                      "give a path in a directory that you may write to");
  }
  state->temporary = TemporaryName(std::move(name));
  if (auto begun = state->begin(machine); !begun) return std::unexpected(begun.error());
  // So that the capture opens even when the machine stops at once.
  if (::fdatasync(state->fd.get()) != 0) return fail_errno(fmt::format("create {}", state->path));
  return Writer(std::move(state));
}

Result<void> Writer::appear() {
  if (state_->temporary.rename_to(state_->path)) return {};
  return fail_errno(fmt::format("create {}", state_->path));
}

Result<Writer> Writer::create(const std::filesystem::path& path, const Machine& machine) {
  auto writer = prepare(path, machine);
  if (!writer) return writer;
  if (auto there = writer->appear(); !there) return std::unexpected(there.error());
  return writer;
}

Result<Writer> Writer::to_file(Fd file, std::string name, const Machine& machine) {
  auto state = std::make_unique<State>();
  state->path = std::move(name);
  state->fd = std::move(file);
  if (auto begun = state->begin(machine); !begun) return std::unexpected(begun.error());
  return Writer(std::move(state));
}

Writer Writer::to_memory(TakeChunks take) {
  auto state = std::make_unique<State>();
  state->take = std::move(take);
  state->path = "memory";
  return Writer(std::move(state));
}

void Writer::add(std::uint64_t source, RecordView record) {
  state_->add(source, record);
}

Result<void> Writer::flush(std::uint64_t watermark_ns) {
  return state_->write_pending(watermark_ns);
}

Result<void> Writer::append(std::span<const std::byte> chunks) {
  state_->append_made(chunks);
  return state_->write_image();
}

Result<void> Writer::finish(const Machine& machine, std::uint64_t end_ns) {
  State& state = *state_;
  if (state.finished) return fail(fmt::format("finish {}", state.path), "it is finished already");
  auto result = state.write_pending(~0ULL);
  // What was lost just now is told at least.
  if (!result && !state.write_pending(~0ULL)) return result;

  if (auto appended = state.append_machine(machine); !appended) return appended;
  ChunkHeader end{};
  end.first_ns = end.last_ns = end_ns;
  end.watermark_ns = ~0ULL;
  state.append_chunk(ChunkType::end, {}, end);
  if (auto wrote = state.write_image(); !wrote) return wrote;
  state.finished = true;
  if (::ftruncate(state.fd.get(), static_cast<off_t>(state.good_bytes)) != 0 ||
      ::fdatasync(state.fd.get()) != 0) {
    return fail_errno(fmt::format("finish {}", state.path));
  }
  return result;
}

std::uint64_t Writer::pending_records() const {
  return state_->pending_records;
}
std::uint64_t Writer::pending_bytes() const {
  return state_->pending_bytes;
}
std::uint64_t Writer::file_bytes() const {
  return state_->good_bytes;
}
std::uint64_t Writer::dropped() const {
  return state_->dropped;
}
std::uint64_t Writer::dropped(std::uint64_t source) const {
  const auto found = state_->sources.find(source);
  return found == state_->sources.end() ? 0 : found->second.dropped;
}

}  // namespace schedscope::capture
