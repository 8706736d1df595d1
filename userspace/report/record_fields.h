// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace schedscope::report {

enum class FieldType : std::uint8_t {
  u8,
  s16,
  u16,
  u32,
  s64,
  u64,
  text,
  bytes,
  u32_list,
  u64_list
};

// A field of a record behind its header.
struct Field {
  std::string_view name;
  FieldType type;
  std::size_t offset;
  std::size_t bytes;
};

// The fields of a kind, in the order of its struct; none for a kind that is not known.
[[nodiscard]] std::span<const Field> fields_of(std::uint16_t kind);

}  // namespace schedscope::report
