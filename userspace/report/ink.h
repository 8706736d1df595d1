// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace schedscope::report {

// Text for a terminal that shows colors, or for any other.
class Ink {
 public:
  explicit Ink(bool color) : color_(color) {}

  // `code`: what ECMA-48 calls SGR.
  [[nodiscard]] std::string painted(std::string_view code, std::string_view text) const {
    return color_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
  }
  // Of a section, behind an empty line.
  [[nodiscard]] std::string heading(std::string_view title) const {
    return fmt::format("\n{}\n", painted("1", title));
  }

 private:
  bool color_;
};

}  // namespace schedscope::report
