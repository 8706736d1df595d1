// SPDX-License-Identifier: GPL-2.0-only
#include "capture/encode.h"

#include <algorithm>
#include <cstring>

#include "capture/varint.h"

namespace schedscope::capture {
namespace {

// A shorter column is not worth a compression table of its own.
constexpr std::size_t cut_bytes = 1024;

std::uint64_t load_number(const schedscope_rec* record, std::uint32_t offset, std::uint32_t width) {
  std::uint64_t value = 0;
  std::memcpy(&value, reinterpret_cast<const std::byte*>(record) + offset, width);
  return value;
}

// The difference of two numbers of `width` bytes, of either sign, as a small number.
std::uint64_t small_difference(std::uint64_t value, std::uint64_t prediction, std::uint32_t width) {
  const unsigned shift = 64 - 8 * width;
  const std::uint64_t difference = (value - prediction) << shift;
  return zigzag(static_cast<std::uint64_t>(static_cast<std::int64_t>(difference) >> shift));
}

std::size_t count_runs(std::span<const std::uint64_t> numbers) {
  std::size_t runs = numbers.empty() ? 0 : 1;
  for (std::size_t i = 1; i < numbers.size(); ++i) runs += numbers[i] != numbers[i - 1];
  return runs;
}

}  // namespace

std::span<const std::byte> ChunkEncoder::encode(std::span<const SourceRecords> sources,
                                                std::uint64_t base_ns) {
  out_.clear();
  cuts_.clear();
  put_varint(out_, base_ns);
  put_varint(out_, sources.size());
  for (const SourceRecords& source : sources) section(source, base_ns);
  return out_;
}

void ChunkEncoder::section(const SourceRecords& source, std::uint64_t base_ns) {
  source_ = &source;
  groups_.resize(layout_.kinds.size());
  for (auto& group : groups_) group.clear();
  for (const schedscope_rec* record : source.records) {
    groups_[static_cast<std::size_t>(layout_.find(record->kind) - layout_.kinds.data())].push_back(
        record);
  }
  put_varint(out_, source.source);
  put_varint(out_, source.records.size());
  common_columns(source, base_ns);
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (groups_[i].empty()) continue;
    records_ = &groups_[i];
    group(layout_.kinds[i]);
  }
}

void ChunkEncoder::common_columns(const SourceRecords& source, std::uint64_t base_ns) {
  numbers_.clear();
  for (const auto* record : source.records) numbers_.push_back(record->kind);
  column({});
  numbers_.clear();
  for (const auto* record : source.records) numbers_.push_back(record->cpu);
  column({});
  numbers_.clear();
  for (const auto* record : source.records) {
    numbers_.push_back(zigzag(record->time_ns - base_ns));
    base_ns = record->time_ns;
  }
  column({});
}

// The group's columns, behind their length so that a reader can step over them.
void ChunkEncoder::group(const Kind& kind) {
  put_varint(out_, kind.kind);
  const std::size_t length_at = out_.size();
  out_.resize(length_at + sizeof(std::uint32_t));

  values_.resize(std::max(values_.size(), kind.fields.size()));
  ids_.resize(values_.size());
  for (std::size_t i = 0; i < kind.fields.size(); ++i) field(kind, i);

  const auto length = static_cast<std::uint32_t>(out_.size() - length_at - sizeof(std::uint32_t));
  std::memcpy(out_.data() + length_at, &length, sizeof(length));
}

void ChunkEncoder::field(const Kind& kind, std::size_t index) {
  const Field& field = kind.fields[index];
  if (field.coding == Coding::bytes) return raw_column(field);

  load(field);
  const bool is_key = std::ranges::any_of(kind.fields, [&](const Field& other) {
    return other.by == static_cast<int>(index) && other.coding == Coding::key;
  });
  auto& ids = ids_[index];
  ids.clear();
  if (is_key || field.coding == Coding::dict) {
    dense_.reset();
    for (const std::uint64_t number : numbers_) ids.push_back(dense_.id(number));
  }
  values_[index] = numbers_;
  prefix_.clear();
  if (field.coding == Coding::dict) {
    put_varint(prefix_, dense_.values().size());
    std::uint64_t before = 0;
    for (const std::uint64_t value : dense_.values()) {
      put_varint(prefix_, small_difference(value, before, field.width));
      before = value;
    }
    numbers_.assign(ids.begin(), ids.end());
  } else if (field.coding == Coding::latest) {
    code_latest(kind, field);
  } else {
    code(field);
  }
  column(prefix_);
}

void ChunkEncoder::load(const Field& field) {
  numbers_.clear();
  for (const schedscope_rec* record : *records_) {
    for (std::uint32_t i = 0; i < field.count; ++i) {
      numbers_.push_back(load_number(record, field.offset + i * field.width, field.width));
    }
  }
}

// Values to differences from what was predicted.
void ChunkEncoder::code(const Field& field) {
  const auto by = static_cast<std::size_t>(std::max(field.by, 0));
  last_.assign(field.coding == Coding::key ? records_->size() : 1, 0);
  for (std::size_t i = 0; field.coding != Coding::plain && i < numbers_.size(); ++i) {
    const std::uint64_t value = numbers_[i];
    std::uint64_t& last = last_[field.coding == Coding::key ? ids_[by][i] : 0];
    numbers_[i] = small_difference(value, last, field.width);
    last = field.coding == Coding::chain ? values_[by][i] : value;
  }
}

void ChunkEncoder::code_latest(const Kind& kind, const Field& field) {
  const Field& other = layout_.find(field.of)->fields[static_cast<std::size_t>(field.by)];
  std::uint64_t latest = 0;
  std::size_t at = 0;
  for (const schedscope_rec* record : source_->records) {
    if (record->kind == field.of) latest = load_number(record, other.offset, other.width);
    if (record->kind != kind.kind) continue;
    numbers_[at] = small_difference(numbers_[at], latest, field.width);
    ++at;
  }
}

// Long equal stretches become runs; they cost nothing to read back.
void ChunkEncoder::column(std::span<const std::byte> prefix) {
  data_.assign(prefix.begin(), prefix.end());
  const bool runs = count_runs(numbers_) * 4 <= numbers_.size() + 3;
  for (std::size_t i = 0, next; i < numbers_.size(); i = next) {
    next = i + 1;
    while (runs && next < numbers_.size() && numbers_[next] == numbers_[i]) ++next;
    if (runs) put_varint(data_, next - i);
    put_varint(data_, numbers_[i]);
  }
  put_varint(out_, data_.size() << 1 | (runs ? 1 : 0));
  if (data_.size() >= cut_bytes) cuts_.push_back(out_.size());
  out_.insert(out_.end(), data_.begin(), data_.end());
  if (data_.size() >= cut_bytes) cuts_.push_back(out_.size());
}

void ChunkEncoder::raw_column(const Field& field) {
  const std::size_t bytes = field.width * field.count;
  put_varint(out_, records_->size() * bytes << 1);
  for (const schedscope_rec* record : *records_) {
    const auto* first = reinterpret_cast<const std::byte*>(record) + field.offset;
    out_.insert(out_.end(), first, first + bytes);
  }
}

}  // namespace schedscope::capture
