// SPDX-License-Identifier: GPL-2.0-only
#include "report/table.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace schedscope::report {
namespace {

// Wide scripts are rare in thread names, and a crooked column is all that it costs.
bool continues(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::size_t have = display_width(text);
  const std::string space(width > have ? width - have : 0, ' ');
  return right ? space + text : text + space;
}

}  // namespace

std::size_t display_width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return !continues(byte); }));
}

std::string Table::text(std::size_t width, bool color) const {
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < columns_.size() && i < row.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(row[i]));
    }
  }
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (widths[i] == 0) continue;
    widths[i] = std::max(widths[i], display_width(columns_[i].title));
    shown.push_back(i);
  }
  const auto total = [&] {
    return std::accumulate(shown.begin(), shown.end(), std::size_t{0},
                           [&](std::size_t sum, std::size_t i) { return sum + 2 + widths[i]; });
  };
  while (total() > width && shown.size() > 2) {
    shown.erase(std::min_element(shown.begin(), shown.end(), [&](std::size_t a, std::size_t b) {
      return columns_[a].importance < columns_[b].importance;
    }));
  }

  std::string out;
  const auto line = [&](const auto& cell_of) {
    for (const std::size_t i : shown)
      out += "  " + padded(cell_of(i), widths[i], columns_[i].right);
    out.erase(out.find_last_not_of(' ') + 1);
  };
  if (color) out += "\x1b[2m";
  line([&](std::size_t i) { return columns_[i].title; });
  if (color) out += "\x1b[0m";
  out += '\n';
  for (const auto& row : rows_) {
    line([&](std::size_t i) { return i < row.size() ? row[i] : std::string(); });
    out += '\n';
  }
  return out;
}

std::string wrapped(const std::string& text, std::size_t width, std::size_t indent) {
  std::string out;
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    const std::size_t length = display_width(word);
    if (column != 0 && column + 1 + length > width) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column != 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += length;
    at = end + 1;
  }
  return out;
}

}  // namespace schedscope::report
