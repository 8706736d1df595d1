// SPDX-License-Identifier: GPL-2.0-only
#include "base/duration.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string>

namespace schedscope {
namespace {

struct Unit {
  std::string_view name;
  double ns;
};
constexpr std::array<Unit, 7> units = {
    {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"m", 60e9}, {"h", 3600e9}}};

}  // namespace

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& unit : units) {
    // A century in ns still fits into 64 bits.
    const double ns = value * unit.ns;
    if (error != std::errc() || name != unit.name || !(ns >= 0 && ns < 3e18)) continue;
    return std::chrono::nanoseconds(std::llround(ns));
  }
  return fail("read the time `" + std::string(text) + "`", "it is not a number with a unit",
              "write seconds, or 250ms, 2m, 1h", Exit::usage);
}

}  // namespace schedscope
