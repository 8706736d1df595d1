// SPDX-License-Identifier: GPL-2.0-only
#include "report/export_json.h"

#include <cstring>
#include <iterator>

#include <fmt/format.h>

#include "base/text.h"
#include "capture/reader.h"
#include "report/out_file.h"
#include "report/record_fields.h"

namespace schedscope::report {
namespace {

template <typename T>
T value_at(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

template <typename T>
void put_list(std::string& out, const std::byte* at, std::size_t bytes) {
  out += '[';
  for (std::size_t i = 0; i < bytes; i += sizeof(T)) {
    fmt::format_to(std::back_inserter(out), "{}{}", i == 0 ? "" : ",", value_at<T>(at + i));
  }
  out += ']';
}

void put_text(std::string& out, const std::byte* at, std::size_t bytes) {
  out += '"';
  // printable() leaves no control byte and no malformed UTF-8: only these two need an escape.
  for (const char byte : printable({reinterpret_cast<const std::uint8_t*>(at), bytes})) {
    if (byte == '"' || byte == '\\') out += '\\';
    out += byte;
  }
  out += '"';
}

void put_hex(std::string& out, const std::byte* at, std::size_t bytes) {
  out += '"';
  for (std::size_t i = 0; i < bytes; ++i) {
    fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned>(at[i]));
  }
  out += '"';
}

void put_field(std::string& out, const Field& field, const std::byte* at) {
  const auto number = [&](auto value) { fmt::format_to(std::back_inserter(out), "{}", value); };
  switch (field.type) {
    case FieldType::u8:
      return number(static_cast<unsigned>(value_at<std::uint8_t>(at)));
    case FieldType::s16:
      return number(value_at<std::int16_t>(at));
    case FieldType::u16:
      return number(value_at<std::uint16_t>(at));
    case FieldType::u32:
      return number(value_at<std::uint32_t>(at));
    case FieldType::s64:
      return number(value_at<std::int64_t>(at));
    case FieldType::u64:
      return number(value_at<std::uint64_t>(at));
    case FieldType::text:
      return put_text(out, at, field.bytes);
    case FieldType::bytes:
      return put_hex(out, at, field.bytes);
    case FieldType::u32_list:
      return put_list<std::uint32_t>(out, at, field.bytes);
    case FieldType::u64_list:
      return put_list<std::uint64_t>(out, at, field.bytes);
  }
}

}  // namespace

std::string record_json(RecordView record) {
  std::string out = fmt::format("{{\"kind\":\"{}\",\"time_ns\":{}", record_kind_name(record.kind()),
                                record.time_ns());
  if (record.cpu() != SCHEDSCOPE_CPU_NONE) {
    fmt::format_to(std::back_inserter(out), ",\"cpu\":{}", record.cpu());
  }
  if (record.second()) out += ",\"witness\":\"second\"";
  if (const int flags = record.flags() & ~SCHEDSCOPE_REC_SECOND; flags != 0) {
    fmt::format_to(std::back_inserter(out), ",\"flags\":{}", flags);
  }
  for (const Field& field : fields_of(record.kind())) {
    if (field.offset + field.bytes > record.bytes().size()) break;
    fmt::format_to(std::back_inserter(out), ",\"{}\":", field.name);
    put_field(out, field, record.bytes().data() + field.offset);
  }
  out += '}';
  return out;
}

Result<void> export_json(const std::filesystem::path& capture, const std::filesystem::path& out) {
  auto reader = capture::Reader::open(capture);
  if (!reader) return std::unexpected(reader.error());
  auto file = OutFile::create(out);
  if (!file) return std::unexpected(file.error());
  while (const auto record = reader->next()) {
    if (auto written = file->append(record_json(*record) + "\n"); !written) return written;
  }
  if (auto done = file->commit(); !done) return done;
  if (reader->complete()) return {};
  return fail(fmt::format("export all of {}", capture.string()), reader->damage(),
              "what could be read was written", Exit::input);
}

}  // namespace schedscope::report
