// SPDX-License-Identifier: GPL-2.0-only
#include "capture/layout.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace schedscope::capture {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 7> coding_names = {"plain",  "delta", "key",  "chain",
                                                          "latest", "dict",  "bytes"};
// More than any schema will have; what a foreign file may make this program keep.
constexpr std::size_t max_kinds = 1024;
constexpr std::size_t max_fields = 256;
constexpr std::uint64_t max_record_bytes = 64 << 10;

std::optional<Coding> coding_of(std::string_view name) {
  const auto* found = std::ranges::find(coding_names, name);
  if (found == coding_names.end()) return std::nullopt;
  return static_cast<Coding>(found - coding_names.begin());
}

std::uint64_t number(const json& object, const char* name, std::uint64_t otherwise) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>()
                                                              : otherwise;
}

std::string text(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool refers(Coding coding) {
  return coding == Coding::key || coding == Coding::chain || coding == Coding::latest;
}

// The index of the field that `field` refers to: an earlier one with one number a record.
std::optional<int> referred(const Kind& kind, std::string_view name) {
  for (std::size_t i = 0; i < kind.fields.size(); ++i) {
    const Field& field = kind.fields[i];
    if (field.name == name && field.count == 1 && field.coding != Coding::bytes) {
      return static_cast<int>(i);
    }
  }
  return std::nullopt;
}

std::optional<Field> parse_field(const Layout& earlier, const Kind& kind, const json& object) {
  if (!object.is_object()) return std::nullopt;
  const std::uint64_t offset = number(object, "offset", max_record_bytes);
  const std::uint64_t width = number(object, "width", 0);
  const std::uint64_t count = number(object, "count", 1);
  const auto coding = coding_of(text(object, "coding"));
  const bool sized = width == 1 || width == 2 || width == 4 || width == 8;
  if (!coding || !sized || count == 0 || count > max_record_bytes) return std::nullopt;
  if (offset > kind.bytes || width * count > kind.bytes - offset) return std::nullopt;
  if (*coding == Coding::bytes && width != 1) return std::nullopt;
  // An array is a run of plain numbers: no other coding says what "before" means in it.
  if (count != 1 && *coding != Coding::plain && *coding != Coding::bytes) return std::nullopt;

  Field field{.name = text(object, "name"),
              .offset = static_cast<std::uint32_t>(offset),
              .width = static_cast<std::uint32_t>(width),
              .count = static_cast<std::uint32_t>(count),
              .coding = *coding};
  if (refers(*coding)) {
    const std::uint64_t of = number(object, "of", 0);
    const Kind* other = *coding == Coding::latest ? earlier.find(of) : &kind;
    const auto by = other != nullptr ? referred(*other, text(object, "by")) : std::nullopt;
    if (!by) return std::nullopt;
    if (other != &kind) field.of = other->kind;
    field.by = *by;
  }
  return field;
}

std::optional<Kind> parse_kind(const Layout& earlier, const json& object) {
  if (!object.is_object()) return std::nullopt;
  const std::uint64_t bytes = number(object, "bytes", 0);
  const std::uint64_t code = number(object, "kind", 0);
  const auto fields = object.find("fields");
  if (code == 0 || code > 0xffff || bytes < 16 || bytes > max_record_bytes) return std::nullopt;
  if (fields == object.end() || !fields->is_array() || fields->size() > max_fields) {
    return std::nullopt;
  }
  Kind kind{.kind = static_cast<std::uint16_t>(code),
            .name = text(object, "name"),
            .bytes = static_cast<std::uint32_t>(bytes),
            .fields = {}};
  for (const json& entry : *fields) {
    auto field = parse_field(earlier, kind, entry);
    if (!field) return std::nullopt;
    kind.fields.push_back(std::move(*field));
  }
  return kind;
}

}  // namespace

const Kind* Layout::find(std::uint64_t kind) const {
  const auto found = std::ranges::find(kinds, kind, &Kind::kind);
  return found == kinds.end() ? nullptr : &*found;
}

std::string layout_to_json(const Layout& layout) {
  json kinds = json::array();
  for (const Kind& kind : layout.kinds) {
    json fields = json::array();
    for (const Field& field : kind.fields) {
      json object = {{"name", field.name},
                     {"offset", field.offset},
                     {"width", field.width},
                     {"coding", coding_names[static_cast<std::size_t>(field.coding)]}};
      if (field.count != 1) object["count"] = field.count;
      if (field.of != 0) object["of"] = field.of;
      if (field.by >= 0) {
        const Kind& other = field.of != 0 ? *layout.find(field.of) : kind;
        object["by"] = other.fields[static_cast<std::size_t>(field.by)].name;
      }
      fields.push_back(std::move(object));
    }
    kinds.push_back({{"kind", kind.kind},
                     {"name", kind.name},
                     {"bytes", kind.bytes},
                     {"fields", std::move(fields)}});
  }
  return json({{"version", layout.version}, {"kinds", std::move(kinds)}})
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

std::expected<Layout, std::string> layout_from_json(std::string_view text) {
  const json root = json::parse(text, nullptr, false);
  if (!root.is_object()) return std::unexpected("the schema is not JSON");
  const auto kinds = root.find("kinds");
  if (kinds == root.end() || !kinds->is_array() || kinds->size() > max_kinds) {
    return std::unexpected("the schema has no kinds");
  }
  Layout layout{.version = static_cast<std::uint32_t>(number(root, "version", 0)), .kinds = {}};
  for (const json& entry : *kinds) {
    auto kind = parse_kind(layout, entry);
    if (!kind || layout.find(kind->kind) != nullptr) {
      return std::unexpected(
          fmt::format("the schema's entry {} makes no sense", layout.kinds.size()));
    }
    layout.kinds.push_back(std::move(*kind));
  }
  return layout;
}

}  // namespace schedscope::capture
