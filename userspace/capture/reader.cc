// SPDX-License-Identifier: GPL-2.0-only
#include "capture/reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "capture/chunk_file.h"
#include "capture/decode.h"
#include "capture/format.h"
#include "capture/layout.h"
#include "capture/machine_json.h"
#include "capture/merge.h"

namespace schedscope::capture {
namespace {

using Text = std::expected<std::string, std::string>;

bool is(const ChunkHeader& header, ChunkType type) {
  return header.type == static_cast<std::uint16_t>(type);
}

// The payload of the chunk at the file's place, which must be of `type`.
Text read_text(ChunkFile& file, ChunkType type) {
  const auto header = file.header();
  if (!header) return std::unexpected(header.error());
  if (!*header) return std::unexpected("it ends before its description");
  if (!is(**header, type)) return std::unexpected("its description is not where it should be");
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
    if (is(**header, ChunkType::machine)) {
      if (!found) found.emplace(file.place(), file.place());
      found->second = file.place();
    }
    file.skip(**header);
  }
}

}  // namespace

struct Reader::State {
  State(ChunkFile opened, Layout layout) : file(std::move(opened)), decoder(std::move(layout)) {}

  ChunkFile file;
  ChunkDecoder decoder;
  Merger merger;
  Machine machine;
  bool ended = false;  // nothing more is read from the file
  bool complete = false;
  std::string damage;
  std::uint64_t end_ns = 0;
  std::uint64_t last_ns = 0;
  std::uint64_t unknown = 0;

  void load();
  void load_records(const ChunkHeader& header, std::span<const std::byte> payload,
                    ChunkFile::Place place);
  void finish_at(const ChunkHeader& header);
  void stop(std::string why);
};

void Reader::State::stop(std::string why) {
  ended = true;
  damage = std::move(why);
  merger.end();
}

// Reads the next chunk.
void Reader::State::load() {
  const auto header = file.header();
  if (!header) return stop(header.error());
  if (!*header) {
    return stop(
        "the recording was not finished: it was killed or the machine stopped; "
        "all that was written can be read");
  }
  const ChunkFile::Place place = file.place();
  // Even of what is not needed: damage ends the capture there.
  const auto payload = file.payload(**header);
  if (!payload) return stop(payload.error());
  if (is(**header, ChunkType::records)) return load_records(**header, *payload, place);
  if (is(**header, ChunkType::end)) return finish_at(**header);
}

void Reader::State::load_records(const ChunkHeader& header, std::span<const std::byte> payload,
                                 ChunkFile::Place place) {
  auto chunk = merger.spare();
  if (auto decoded = decoder.decode(payload, header.records, *chunk); !decoded) {
    return stop(fmt::format("chunk {} at byte {} is damaged: {}; it and what follows was not read",
                            place.sequence, place.offset, decoded.error()));
  }
  for (std::size_t i = 0; i < chunk->used; ++i) unknown += chunk->sections[i].unknown;
  merger.add(std::move(chunk));
  merger.promise(header.watermark_ns);
  if (merger.sources() > limit::sources) stop("it has more sources than there can be");
}

void Reader::State::finish_at(const ChunkHeader& header) {
  const std::uint64_t behind = file.bytes() - file.place().offset;
  if (behind != 0) {
    stop(fmt::format("{} bytes follow the end of the recording; they were not read", behind));
  } else {
    ended = true;
    merger.end();
  }
  complete = behind == 0;
  end_ns = header.last_ns;
}

Reader::Reader(std::unique_ptr<State> state) : state_(std::move(state)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

Result<Reader> Reader::open(const std::filesystem::path& path) {
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

  auto state = std::make_unique<State>(std::move(*file), std::move(*layout));
  state->machine = std::move(*machine);
  return Reader(std::move(state));
}

std::optional<RecordView> Reader::next() {
  State& state = *state_;
  for (;;) {
    const schedscope_rec* record = state.merger.held_bytes() > limit::held_bytes
                                       ? state.merger.next_uncertain()
                                       : state.merger.next();
    if (record != nullptr) {
      state.last_ns = std::max(state.last_ns, std::uint64_t{record->time_ns});
      return RecordView(record);
    }
    if (state.ended) return std::nullopt;
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
  return state_->complete ? state_->end_ns : state_->last_ns;
}
std::uint64_t Reader::late_records() const {
  return state_->merger.late();
}
std::uint64_t Reader::unknown_records() const {
  return state_->unknown;
}
std::uint64_t Reader::file_bytes() const {
  return state_->file.bytes();
}

}  // namespace schedscope::capture
