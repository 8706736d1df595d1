// SPDX-License-Identifier: GPL-2.0-only
#include "base/text.h"

#include <array>
#include <optional>

#include <fmt/format.h>

namespace schedscope {
namespace {

// Length of the well-formed, printable UTF-8 sequence at the front, if there is one.
std::optional<std::size_t> printable_sequence(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80)
    return lead >= 0x20 && lead != 0x7f ? std::optional<std::size_t>(1) : std::nullopt;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || bytes.size() < length) return std::nullopt;
  std::uint32_t code = lead & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return std::nullopt;
    code = code << 6 | (at(i) & 0x3f);
  }
  constexpr std::array<std::uint32_t, 5> smallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool overlong = code < smallest[length];
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  const bool control = code < 0xa0;
  const bool direction = (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
                         (code >= 0x2066 && code <= 0x2069);
  if (overlong || surrogate || control || direction || code > 0x10ffff) return std::nullopt;
  return length;
}

}  // namespace

std::string printable(std::string_view bytes) {
  bytes = bytes.substr(0, bytes.find('\0'));
  std::string text;
  while (!bytes.empty()) {
    const auto length = printable_sequence(bytes);
    if (bytes.front() == '\\') {
      text += "\\\\";
    } else if (length) {
      text += bytes.substr(0, *length);
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes.front()));
    }
    bytes.remove_prefix(length.value_or(1));
  }
  return text;
}

std::string printable(std::span<const std::uint8_t> bytes) {
  return printable(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

std::string human_ns(std::uint64_t ns) {
  struct Unit {
    double ns;
    const char* name;
  };
  constexpr std::array<Unit, 3> units = {{{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}}};
  for (const Unit& unit : units) {
    // 999.95 rather than 1000, so that rounding never shows "1000.0 us".
    if (static_cast<double>(ns) >= unit.ns * 0.99995) {
      const double value = static_cast<double>(ns) / unit.ns;
      const int digits = value >= 999.95 ? 0 : value >= 99.995 ? 1 : value >= 9.9995 ? 2 : 3;
      return fmt::format("{:.{}f} {}", value, digits, unit.name);
    }
  }
  return fmt::format("{} ns", ns);
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> units = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace schedscope
