// SPDX-License-Identifier: GPL-2.0-only
#include "base/file.h"

#include <charconv>
#include <fstream>
#include <iterator>

namespace schedscope {

std::optional<std::string> read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) return std::nullopt;
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

std::optional<long long> read_number(const std::filesystem::path& path) {
  const auto text = read_text(path);
  if (!text) return std::nullopt;
  long long number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

}  // namespace schedscope
