// SPDX-License-Identifier: GPL-2.0-only
#include "report/export_json.h"

#include <cstring>
#include <iterator>

#include <fmt/format.h>

#include "base/text.h"
#include "capture/layout.h"
#include "capture/reader.h"
#include "report/out_file.h"

namespace schedscope::report {
namespace {

template <typename T>
void put_number(std::string& out, const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  fmt::format_to(std::back_inserter(out), "{}", value);
}

void put_number(std::string& out, const std::byte* at, std::uint32_t width, bool is_signed) {
  switch (width) {
    case 1:
      return is_signed ? put_number<std::int8_t>(out, at) : put_number<std::uint8_t>(out, at);
    case 2:
      return is_signed ? put_number<std::int16_t>(out, at) : put_number<std::uint16_t>(out, at);
    case 4:
      return is_signed ? put_number<std::int32_t>(out, at) : put_number<std::uint32_t>(out, at);
    default:
      return is_signed ? put_number<std::int64_t>(out, at) : put_number<std::uint64_t>(out, at);
  }
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

void put_field(std::string& out, const capture::Field& field, const std::byte* at) {
  if (field.element == capture::Element::text) return put_text(out, at, field.count);
  if (field.element == capture::Element::bytes) return put_hex(out, at, field.count);
  const bool is_signed = field.element == capture::Element::signed_number;
  if (field.count > 1) out += '[';
  for (std::uint32_t i = 0; i < field.count; ++i) {
    if (i > 0) out += ',';
    put_number(out, at + i * field.width, field.width, is_signed);
  }
  if (field.count > 1) out += ']';
}

void put_fields(std::string& out, RecordView record) {
  const capture::Kind* const kind = capture::own_layout().find(record.kind());
  if (kind == nullptr) return;
  for (const capture::Field& field : kind->fields) {
    if (field.name == "flags" || field.name == "reserved") continue;
    if (field.offset + std::size_t{field.width} * field.count > record.bytes().size()) continue;
    fmt::format_to(std::back_inserter(out), ",\"{}\":", field.name);
    put_field(out, field, record.bytes().data() + field.offset);
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
  put_fields(out, record);
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
