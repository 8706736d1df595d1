// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace schedscope::report {

// A table for a terminal. Columns that are empty in every row are left out, and so are the
// least important ones while the table is too wide.
class Table {
 public:
  struct Column {
    std::string title;
    bool right = true;   // numbers
    int importance = 0;  // the smallest goes first when there is no room
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell for each column; "" is an absent value.
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  // Whole lines, two spaces in front; at most `width` wide if the columns that matter fit.
  [[nodiscard]] std::string text(std::size_t width, bool color) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Columns that the text takes in a terminal.
[[nodiscard]] std::size_t display_width(const std::string& text);

// Breaks a sentence at spaces; every line begins with `indent` spaces, the first with none.
[[nodiscard]] std::string wrapped(const std::string& text, std::size_t width, std::size_t indent);

}  // namespace schedscope::report
