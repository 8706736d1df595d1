// SPDX-License-Identifier: GPL-2.0-only
#include "capture/reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "capture/chunk_file.h"
#include "capture/chunk_loader.h"
#include "capture/format.h"
#include "capture/layout.h"
#include "capture/machine_json.h"
#include "capture/merge.h"
#include "schema/skipped.h"

namespace schedscope::capture {
namespace {

using Text = std::expected<std::string, std::string>;

// The payload of the chunk at the file's place, which must be of `type`.
Text read_text(ChunkFile& file, ChunkType type) {
  const auto header = file.header();
  if (!header) return std::unexpected(header.error());
  if (!*header) return std::unexpected("it ends before its description");
  if (!(*header)->is(type)) return std::unexpected("its description is not where it should be");
  const auto payload = file.payload(**header);
  if (!payload) return std::unexpected(payload.error());
  return std::string(reinterpret_cast<const char*>(payload->data()), payload->size());
}

std::optional<Machine> read_machine(ChunkFile& file, ChunkFile::Place place) {
  file.go_to(place);
  const auto text = read_text(file, ChunkType::machine);
  return text ? machine_from_json(*text) : std::nullopt;
}

// The first and the last machine chunk of the file, by its chunks' headers alone.
std::optional<std::pair<ChunkFile::Place, ChunkFile::Place>> find_machines(ChunkFile& file) {
  std::optional<std::pair<ChunkFile::Place, ChunkFile::Place>> found;
  for (;;) {
    const auto header = file.header();
    if (!header || !*header) return found;
    if ((*header)->is(ChunkType::machine)) {
      if (!found) found.emplace(file.place(), file.place());
      found->second = file.place();
    }
    file.skip(**header);
  }
}

// So much before a stretch is read, too: most threads do something in it, and then it is known
// where they are when the stretch begins.
constexpr std::uint64_t lead_in_ns = 2'000'000'000;

// By sequence: the chunks of records that a stretch can do without, by their headers alone.
std::vector<bool> unneeded_chunks(ChunkFile& file, Stretch stretch) {
  struct Entry {
    std::uint32_t sequence;
    std::uint64_t first_ns, last_ns;
    std::size_t flush;  // the recorder's: only a flush's last chunk raises the watermark
  };
  std::vector<Entry> entries;
  std::uint64_t watermark_ns = 0;
  std::size_t flush = 0;
  for (;;) {
    const auto header = file.header();
    if (!header || !*header) break;
    const ChunkHeader& chunk = **header;
    if (chunk.is(ChunkType::records)) {
      entries.push_back({chunk.sequence, chunk.first_ns, chunk.last_ns, flush});
      if (chunk.watermark_ns > watermark_ns) ++flush;
      watermark_ns = std::max(watermark_ns, chunk.watermark_ns);
    }
    file.skip(chunk);
  }
  std::vector<bool> unneeded(file.place().sequence);
  for (const Entry& entry : entries) {
    const bool before = entry.last_ns + lead_in_ns < stretch.from_ns;
    const bool behind = stretch.to_ns != 0 && entry.first_ns > stretch.to_ns;
    const bool first_or_last = entry.flush == 0 || entry.flush == entries.back().flush;
    unneeded[entry.sequence] = (before || behind) && !first_or_last;
  }
  return unneeded;
}

}  // namespace

struct Reader::State {
  State(ChunkFile opened, Layout layout, std::vector<bool> unneeded)
      : file_bytes(opened.bytes()),
        chunks_ahead(ChunkLoader(std::move(opened), std::move(layout), std::move(unneeded))) {}

  const std::uint64_t file_bytes;
  Merger merger;
  Machine machine;
  bool ended = false;  // nothing more is read from the file
  bool complete = false;
  std::string damage;
  std::uint64_t end_ns = 0;
  std::uint64_t unknown = 0;
  std::map<std::uint16_t, ChunkCount> chunks;
  std::optional<Stretch> skipped;          // not told of yet,
  std::uint64_t skipped_watermark_ns = 0;  // and what it promises
  LoadAhead chunks_ahead;

  void load();
  void skip(const ChunkHeader& header);
  void tell_skipped();
  void add_records(LoadedChunk chunk);
  void finish_at(const LoadedChunk& chunk);
  void stop(std::string why);
};

void Reader::State::stop(std::string why) {
  ended = true;
  damage = std::move(why);
  merger.end();
}

// Takes the next chunk.
void Reader::State::load() {
  LoadedChunk chunk = chunks_ahead.take(merger.spare());
  if (chunk.what == LoadedChunk::What::skipped) return skip(chunk.header);
  tell_skipped();
  switch (chunk.what) {
    case LoadedChunk::What::damaged:
      return stop(std::move(chunk.damage));
    case LoadedChunk::What::none:
      return stop(
          "the recording was not finished: it was killed or the machine stopped; "
          "all that was written can be read");
    default:
      break;
  }
  chunks[chunk.header.type].add(chunk.header);
  if (chunk.records) return add_records(std::move(chunk));
  if (chunk.header.is(ChunkType::end)) return finish_at(chunk);
}

void Reader::State::skip(const ChunkHeader& header) {
  if (!skipped) skipped = {.from_ns = header.first_ns, .to_ns = header.last_ns};
  skipped->from_ns = std::min(skipped->from_ns, header.first_ns);
  skipped->to_ns = std::max(skipped->to_ns, header.last_ns);
  skipped_watermark_ns = header.watermark_ns;
}

// As a source of its own, behind all others of the same time.
void Reader::State::tell_skipped() {
  if (!skipped) return;
  auto lost = make_record<schedscope_lost>(SCHEDSCOPE_REC_LOST, skipped->to_ns);
  lost.begin_ns = skipped->from_ns;
  lost.end_ns = skipped->to_ns;
  lost.cause = lost_skipped;
  skipped.reset();
  auto chunk = merger.spare();
  if (chunk->sections.empty()) chunk->sections.emplace_back();
  chunk->used = 1;
  DecodedSection& section = chunk->sections.front();
  section.source = ~0ULL;
  section.unknown = 0;
  section.memory.resize(sizeof(lost) / sizeof(section.memory[0]));
  std::memcpy(section.memory.data(), &lost, sizeof(lost));
  section.order = {reinterpret_cast<const schedscope_rec*>(section.memory.data())};
  merger.add(std::move(chunk));
  merger.promise(skipped_watermark_ns);
}

void Reader::State::add_records(LoadedChunk chunk) {
  for (std::size_t i = 0; i < chunk.records->used; ++i) {
    unknown += chunk.records->sections[i].unknown;
  }
  merger.add(std::move(chunk.records));
  merger.promise(chunk.header.watermark_ns);
  if (merger.sources() > limit::sources) stop("it has more sources than there can be");
}

void Reader::State::finish_at(const LoadedChunk& chunk) {
  if (chunk.bytes_behind != 0) {
    stop(fmt::format("{} bytes follow the end of the recording; they were not read",
                     chunk.bytes_behind));
  } else {
    ended = true;
    merger.end();
  }
  complete = chunk.bytes_behind == 0;
  end_ns = chunk.header.last_ns;
}

Reader::Reader(std::unique_ptr<State> state) : state_(std::move(state)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

Result<Reader> Reader::open(const std::filesystem::path& path, Stretch stretch) {
  auto file = ChunkFile::open(path);
  if (!file) return std::unexpected(file.error());
  const auto refuse = [&](std::string_view wrong) {
    return fail(fmt::format("read the capture {}", path.string()), wrong,
                "nothing of it can be read: record again", Exit::input);
  };
  const auto schema = read_text(*file, ChunkType::schema);
  if (!schema) return refuse(schema.error());
  auto layout = layout_from_json(*schema);
  if (!layout) return refuse(layout.error());

  const ChunkFile::Place first_chunk = file->place();
  const auto machines = find_machines(*file);
  if (!machines) return refuse("it ends before it says what machine it is of");
  auto machine = read_machine(*file, machines->second);
  if (!machine) machine = read_machine(*file, machines->first);
  if (!machine) return refuse("the description of its machine is damaged");
  file->go_to(first_chunk);

  std::vector<bool> unneeded;
  if (!stretch.whole()) {
    unneeded = unneeded_chunks(*file, stretch);
    file->go_to(first_chunk);
  }
  auto state = std::make_unique<State>(std::move(*file), std::move(*layout), std::move(unneeded));
  state->machine = std::move(*machine);
  return Reader(std::move(state));
}

// False at the end.
bool Reader::refill() {
  State& state = *state_;
  for (;;) {
    const Merger::Run run = state.merger.held_bytes() > limit::held_bytes
                                ? state.merger.next_uncertain()
                                : state.merger.next();
    if (!run.empty()) {
      at_ = run.data();
      end_ = at_ + run.size();
      return true;
    }
    if (state.ended) return false;
    state.load();
  }
}

const Machine& Reader::machine() const {
  return state_->machine;
}
bool Reader::complete() const {
  return state_->complete;
}
const std::string& Reader::damage() const {
  return state_->damage;
}
std::uint64_t Reader::end_ns() const {
  return state_->complete ? state_->end_ns : state_->merger.latest_ns();
}
std::uint64_t Reader::late_records() const {
  return state_->merger.late();
}
std::uint64_t Reader::unknown_records() const {
  return state_->unknown;
}
const std::map<std::uint16_t, ChunkCount>& Reader::chunks() const {
  return state_->chunks;
}
std::uint64_t Reader::file_bytes() const {
  return state_->file_bytes;
}

}  // namespace schedscope::capture
