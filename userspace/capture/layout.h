// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace schedscope::capture {

// How a field's values become the numbers of its column. All arithmetic is modulo the
// field's width; the first value has the prediction 0.
enum class Coding : std::uint8_t {
  plain,   // the value
  delta,   // zigzag of the difference to the field's value in the record before
  key,     // … in the last record with the same value of field `by`
  chain,   // … to the value of field `by` in the record before
  latest,  // … to the value of field `by` in the section's latest record of kind `of`
  dict,    // an index into the column's list of values
  bytes,   // the bytes themselves, not compressed further than the chunk
};

// What a field's elements are, to who shows them.
enum class Element : std::uint8_t {
  number,
  signed_number,
  text,   // the field is one text
  bytes,  // the field is one string of bytes
};

struct Field {
  std::string name;
  std::uint32_t offset = 0;  // in the record of the program that wrote
  std::uint32_t width = 0;   // 1, 2, 4, 8
  std::uint32_t count = 1;   // elements of an array
  Coding coding = Coding::plain;
  int by = -1;           // index of an earlier field: of this kind, or for latest of kind
  std::uint16_t of = 0;  // … this one, which is an earlier one
  Element element = Element::number;  // known of this program's own fields only
};

struct Kind {
  std::uint16_t kind = 0;
  std::string name;
  std::uint32_t bytes = 0;
  std::vector<Field> fields;  // in the order of their columns; all but time, kind, size and cpu
};

// What the records of a file look like.
struct Layout {
  std::uint32_t version = 0;
  std::vector<Kind> kinds;

  [[nodiscard]] const Kind* find(std::uint64_t kind) const;
};

// Of this program.
[[nodiscard]] const Layout& own_layout();

[[nodiscard]] std::string layout_to_json(const Layout& layout);

// Refuses what no decoder could follow; the error is a clause ("the schema …").
[[nodiscard]] std::expected<Layout, std::string> layout_from_json(std::string_view text);

}  // namespace schedscope::capture
