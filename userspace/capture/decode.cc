// SPDX-License-Identifier: GPL-2.0-only
#include "capture/decode.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "capture/format.h"

namespace schedscope::capture {
namespace {

constexpr std::string_view cut_short = "its columns end too early";
constexpr std::string_view too_large = "it holds more than a chunk may hold";

template <typename T>
void scatter(std::byte* first, std::size_t stride, std::size_t elements, std::size_t step,
             std::span<const std::uint64_t> values) {
  if (elements == 1 && step == 1) {
    for (const std::uint64_t number : values) {
      const auto value = static_cast<T>(number);
      std::memcpy(first, &value, sizeof(T));
      first += stride;
    }
    return;
  }
  for (std::size_t i = 0; i < values.size(); i += step, first += stride) {
    for (std::size_t element = 0; element < elements; ++element) {
      const auto value = static_cast<T>(values[i + element]);
      std::memcpy(first + element * sizeof(T), &value, sizeof(T));
    }
  }
}

std::uint64_t width_mask(std::uint32_t width) {
  return ~0ULL >> (64 - 8 * width);
}

}  // namespace

ChunkDecoder::ChunkDecoder(Layout file, const Layout& own) : file_(std::move(file)) {
  plans_.resize(file_.kinds.size());
  plan_.assign(std::numeric_limits<std::uint16_t>::max() + 1,
               static_cast<std::uint16_t>(plans_.size()));
  for (std::size_t i = 0; i < plans_.size(); ++i) {
    plan_[file_.kinds[i].kind] = static_cast<std::uint16_t>(i);
    plan(file_.kinds[i], own.find(file_.kinds[i].kind), plans_[i]);
  }
}

// Where each column of the file goes: by the field's name, whatever its place was there.
void ChunkDecoder::plan(const Kind& file, const Kind* own, KindPlan& kind) {
  kind.kind = file.kind;
  kind.bytes = own != nullptr ? own->bytes : 0;
  kind.fields.resize(file.fields.size());
  field_values_.resize(std::max(field_values_.size(), file.fields.size()));
  field_ids_.resize(field_values_.size());
  for (std::size_t i = 0; i < file.fields.size(); ++i) {
    const Field& field = file.fields[i];
    if (field.of != 0) {
      KindPlan& other = plans_[plan_[field.of]];
      other.fields[static_cast<std::size_t>(field.by)].by_kind = other.by_kind = true;
    } else if (field.by >= 0) {
      FieldPlan& by = kind.fields[static_cast<std::size_t>(field.by)];
      (field.coding == Coding::key ? by.by_id : by.by_value) = true;
    }
    if (own == nullptr) continue;
    const auto to = std::ranges::find(own->fields, field.name, &Field::name);
    if (to == own->fields.end() || to->width != field.width) continue;
    kind.fields[i].offset = to->offset;
    kind.fields[i].elements = std::min(to->count, field.count);
  }
}

std::expected<void, std::string_view> ChunkDecoder::decode(std::span<const std::byte> payload,
                                                           std::uint32_t records,
                                                           DecodedChunk& chunk) {
  ByteReader in(payload);
  std::uint64_t sections = 0;
  if (!in.varint(base_ns_) || !in.varint(sections)) return std::unexpected(cut_short);
  if (records > limit::chunk_records || sections > limit::chunk_sections) {
    return std::unexpected(too_large);
  }
  records_left_ = records;
  bytes_left_ = limit::chunk_decoded_bytes;
  chunk.used = static_cast<std::size_t>(sections);
  if (chunk.sections.size() < chunk.used) chunk.sections.resize(chunk.used);
  for (std::size_t i = 0; i < chunk.used; ++i) {
    if (const auto wrong = section(in, chunk.sections[i]); !wrong.empty()) {
      return std::unexpected(wrong);
    }
  }
  if (in.left() != 0 || records_left_ != 0) {
    return std::unexpected("its columns do not hold what its header says");
  }
  return {};
}

std::string_view ChunkDecoder::section(ByteReader& in, DecodedSection& out) {
  std::uint64_t records = 0;
  if (!in.varint(out.source) || !in.varint(records)) return cut_short;
  if (records == 0 || records > records_left_) return "its sections do not add up";
  records_left_ -= static_cast<std::uint32_t>(records);

  if (!column(in, static_cast<std::size_t>(records), kinds_)) return cut_short;
  if (const auto wrong = place(out); !wrong.empty()) return wrong;
  if (const auto wrong = fill_common(in, out); !wrong.empty()) return wrong;
  return groups(in);
}

// Counts the records of each kind and gives each kind its memory.
std::string_view ChunkDecoder::place(DecodedSection& out) {
  for (const std::size_t index : present_) plans_[index].records = 0;
  present_.clear();
  for (std::uint64_t& kind : kinds_) {
    const std::size_t index = kind < plan_.size() ? plan_[kind] : plans_.size();
    if (index == plans_.size()) return "it holds a kind of record that its schema does not have";
    if (plans_[index].records++ == 0) present_.push_back(index);
    kind = index;
  }
  std::size_t bytes = 0;
  for (const std::size_t index : present_) {
    const KindPlan& plan = plans_[index];
    const std::size_t most = std::max(plan.bytes, file_.kinds[index].bytes);
    if (plan.records * most > bytes_left_) return too_large;
    bytes_left_ -= plan.records * most;
    bytes += plan.records * plan.bytes;
  }
  out.memory.assign(bytes / sizeof(std::uint64_t), 0);
  auto* at = reinterpret_cast<std::byte*>(out.memory.data());
  for (const std::size_t index : present_) {
    plans_[index].first = at;
    plans_[index].seen = false;
    at += plans_[index].records * plans_[index].bytes;
  }
  return {};
}

// Time, kind, size and cpu of every record, and the section's order.
std::string_view ChunkDecoder::fill_common(ByteReader& in, DecodedSection& out) {
  if (!column(in, kinds_.size(), cpus_) || !column(in, kinds_.size(), numbers_)) return cut_short;
  for (const std::size_t index : present_) plans_[index].next = plans_[index].first;
  out.order.clear();
  out.order.reserve(kinds_.size());
  std::uint64_t time_ns = base_ns_;
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    time_ns += unzigzag(numbers_[i]);
    KindPlan& plan = plans_[kinds_[i]];
    if (plan.bytes == 0) continue;
    auto* record = reinterpret_cast<schedscope_rec*>(plan.next);
    plan.next += plan.bytes;
    record->time_ns = time_ns;
    record->kind = plan.kind;
    record->size = static_cast<std::uint16_t>(plan.bytes);
    record->cpu = static_cast<std::uint16_t>(cpus_[i]);
    out.order.push_back(record);
  }
  out.unknown = kinds_.size() - out.order.size();
  return {};
}

std::string_view ChunkDecoder::groups(ByteReader& in) {
  for (std::size_t i = 0; i < present_.size(); ++i) {
    std::uint64_t kind = 0;
    if (!in.varint(kind)) return cut_short;
    const std::size_t index = kind < plan_.size() ? plan_[kind] : plans_.size();
    if (index == plans_.size() || plans_[index].records == 0 || plans_[index].seen) {
      return "it holds columns of a kind that it has no records of";
    }
    plans_[index].seen = true;
    const auto size = in.take(sizeof(std::uint32_t));
    std::uint32_t bytes = 0;
    if (size) std::memcpy(&bytes, size->data(), sizeof(bytes));
    const auto columns = size ? in.take(bytes) : std::nullopt;
    if (!columns) return cut_short;
    const bool needed = plans_[index].bytes != 0 || plans_[index].by_kind;
    if (needed && !fields(ByteReader(*columns), index)) {
      return "its columns make no sense";
    }
  }
  return {};
}

bool ChunkDecoder::fields(ByteReader in, std::size_t kind) {
  for (std::size_t i = 0; i < plans_[kind].fields.size(); ++i) {
    std::uint64_t head = 0;
    const auto data = in.varint(head) ? in.take(head >> 1) : std::nullopt;
    if (!data) return false;
    if (plans_[kind].fields[i].wanted() && !field(*data, head & 1, kind, i)) return false;
  }
  return in.left() == 0;
}

bool ChunkDecoder::field(std::span<const std::byte> data, bool runs, std::size_t kind,
                         std::size_t index) {
  KindPlan& plan = plans_[kind];
  FieldPlan& to = plan.fields[index];
  const Field& field = file_.kinds[kind].fields[index];
  const std::size_t count = std::size_t{plan.records} * field.count;
  if (field.coding == Coding::bytes) {
    if (data.size() != count) return false;
    for (std::size_t i = 0; i < plan.records; ++i) {
      std::memcpy(plan.first + i * plan.bytes + to.offset, data.data() + i * field.count,
                  to.elements);
    }
    return true;
  }
  ByteReader in(data);
  if (count > limit::column_numbers || !values(in, runs, field, count)) return false;
  // The record's memory is zero already.
  if (all_zero_ && field.of == 0 && !to.referred()) return true;

  if (!(field.of != 0 ? uncode_latest(kind, field) : uncode(field))) return false;
  if (to.offset != nowhere) store(plan, to, field);
  keep(index, to, field);
  return true;
}

// The column's numbers, and its dictionary.
bool ChunkDecoder::values(ByteReader& in, bool runs, const Field& field, std::size_t count) {
  dictionary_.clear();
  if (field.coding == Coding::dict) {
    std::uint64_t entries = 0;
    if (!in.varint(entries) || entries > count) return false;
    std::uint64_t value = 0;
    for (std::uint64_t i = 0, number = 0; i < entries; ++i) {
      if (!in.varint(number)) return false;
      value = (value + unzigzag(number)) & width_mask(field.width);
      dictionary_.push_back(value);
    }
  }
  if (!numbers(in, runs, count, numbers_)) return false;
  all_zero_ = all_zero_ && dictionary_.empty();
  return in.left() == 0;
}

// Numbers to values; the opposite of ChunkEncoder::code.
bool ChunkDecoder::uncode(const Field& field) {
  const std::uint64_t mask = width_mask(field.width);
  const auto by = static_cast<std::size_t>(std::max(field.by, 0));
  std::uint64_t last = 0;
  switch (field.coding) {
    case Coding::delta:
      for (auto& number : numbers_) number = last = (last + unzigzag(number)) & mask;
      break;
    case Coding::key: {
      const auto& ids = field_ids_[by];
      last_.assign(numbers_.size(), 0);
      for (std::size_t i = 0; i < numbers_.size(); ++i) {
        std::uint64_t& previous = last_[ids[i]];
        numbers_[i] = previous = (previous + unzigzag(numbers_[i])) & mask;
      }
      break;
    }
    case Coding::chain: {
      const auto& others = field_values_[by];
      for (std::size_t i = 0; i < numbers_.size(); ++i) {
        numbers_[i] = (last + unzigzag(numbers_[i])) & mask;
        last = others[i];
      }
      break;
    }
    case Coding::dict:
      return uncode_dict();
    default:
      break;
  }
  return true;
}

bool ChunkDecoder::uncode_dict() {
  indices_.clear();
  for (auto& number : numbers_) {
    if (number >= dictionary_.size()) return false;
    indices_.push_back(static_cast<std::uint32_t>(number));
    number = dictionary_[number];
  }
  return true;
}

// Differences to the latest record of another kind, whose columns came before.
bool ChunkDecoder::uncode_latest(std::size_t kind, const Field& field) {
  const std::size_t other = plan_[field.of];
  const KindPlan& plan = plans_[other];
  if (plan.records != 0 && !plan.seen) return false;
  const auto& values = plan.fields[static_cast<std::size_t>(field.by)].kept;
  const std::uint64_t mask = width_mask(field.width);
  std::uint64_t latest = 0;
  std::size_t others = 0;
  std::size_t at = 0;
  for (const std::uint64_t index : kinds_) {
    if (index == other) latest = values[others++];
    if (index != kind) continue;
    numbers_[at] = (latest + unzigzag(numbers_[at])) & mask;
    ++at;
  }
  return true;
}

void ChunkDecoder::store(const KindPlan& plan, const FieldPlan& to, const Field& field) {
  std::byte* first = plan.first + to.offset;
  switch (field.width) {
    case 1:
      return scatter<std::uint8_t>(first, plan.bytes, to.elements, field.count, numbers_);
    case 2:
      return scatter<std::uint16_t>(first, plan.bytes, to.elements, field.count, numbers_);
    case 4:
      return scatter<std::uint32_t>(first, plan.bytes, to.elements, field.count, numbers_);
    default:
      return scatter<std::uint64_t>(first, plan.bytes, to.elements, field.count, numbers_);
  }
}

// Keeps what later columns of the kind refer to.
void ChunkDecoder::keep(std::size_t index, FieldPlan& to, const Field& field) {
  if (to.by_id) {
    auto& ids = field_ids_[index];
    if (field.coding == Coding::dict) {
      ids.swap(indices_);  // the format has no value twice in a dictionary
    } else {
      dense_.reset();
      ids.clear();
      for (const std::uint64_t value : numbers_) ids.push_back(dense_.id(value));
    }
  }
  if (to.by_kind) to.kept = numbers_;
  if (to.by_value) field_values_[index].swap(numbers_);
}

// A column: its length, whether it is made of runs, and its numbers.
bool ChunkDecoder::column(ByteReader& in, std::size_t count, std::vector<std::uint64_t>& out) {
  std::uint64_t head = 0;
  const auto data = in.varint(head) ? in.take(head >> 1) : std::nullopt;
  if (!data) return false;
  ByteReader bytes(*data);
  return numbers(bytes, head & 1, count, out) && bytes.left() == 0;
}

bool ChunkDecoder::numbers(ByteReader& in, bool runs, std::size_t count,
                           std::vector<std::uint64_t>& out) {
  all_zero_ = false;
  // A number has at least a byte: nothing is set aside for what cannot be there.
  if (!runs && count > in.left()) return false;
  out.resize(count);
  if (!runs) return in.varints(out);
  for (std::size_t at = 0; at < count;) {
    std::uint64_t run = 0;
    std::uint64_t number = 0;
    if (!in.varint(run) || !in.varint(number) || run == 0 || run > count - at) return false;
    std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(at), run, number);
    at += static_cast<std::size_t>(run);
    all_zero_ = number == 0 && run == count;
  }
  return true;
}

}  // namespace schedscope::capture
