// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace schedscope::golden {

// What was compared in one schedule, each with what was seen and what it had to be.
class Verdict {
 public:
  void holds(std::string_view what, bool seen) { add(seen, fmt::format("{}: {}", what, seen)); }

  template <typename T>
  void equal(std::string_view what, const T& seen, const T& answer) {
    add(seen == answer, fmt::format("{}: {}, must be {}", what, seen, answer));
  }
  template <typename T>
  void at_most(std::string_view what, const T& seen, const T& bound) {
    add(seen <= bound, fmt::format("{}: {}, must be at most {}", what, seen, bound));
  }
  template <typename T>
  void at_least(std::string_view what, const T& seen, const T& bound) {
    add(seen >= bound, fmt::format("{}: {}, must be at least {}", what, seen, bound));
  }
  // `seen` differs from `answer` by at most `part` of it.
  void within(std::string_view what, double seen, double answer, double part) {
    add(std::abs(seen - answer) <= part * answer,
        fmt::format("{}: {:.0f}, must be {:.0f} within {:g} %; differs by {:.3f} %", what, seen,
                    answer, part * 100, answer == 0 ? 0 : (seen / answer - 1) * 100));
  }
  // Compares nothing: what helps to understand the rest.
  void note(std::string text) { lines_.push_back({true, std::move(text)}); }
  // The machine cannot play this schedule; nothing else counts then.
  void skip(std::string reason) { skip_reason_ = std::move(reason); }

  [[nodiscard]] bool ok() const { return wrong_ == 0; }
  [[nodiscard]] std::size_t wrong() const { return wrong_; }
  [[nodiscard]] const std::string& skip_reason() const { return skip_reason_; }
  [[nodiscard]] std::string first_wrong() const {
    for (const Line& line : lines_) {
      if (!line.right) return line.text;
    }
    return "";
  }
  // One line each, of those that did not hold marked so.
  [[nodiscard]] std::string text(std::string_view indent) const {
    std::string out;
    for (const Line& line : lines_) {
      out += fmt::format("{}{}{}\n", indent, line.right ? "" : "WRONG ", line.text);
    }
    return out;
  }

 private:
  struct Line {
    bool right;
    std::string text;
  };

  void add(bool right, std::string text) {
    if (!right) ++wrong_;
    lines_.push_back({right, std::move(text)});
  }

  std::vector<Line> lines_;
  std::string skip_reason_;
  std::size_t wrong_ = 0;
};

}  // namespace schedscope::golden
