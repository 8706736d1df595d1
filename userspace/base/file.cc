// SPDX-License-Identifier: GPL-2.0-only
#include "base/file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>

namespace schedscope {

std::optional<std::string> read_text(const std::filesystem::path& path, std::size_t most_bytes) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text;
  std::array<char, 1 << 14> part;
  do {
    file.read(part.data(), static_cast<std::streamsize>(part.size()));
    text.append(part.data(), static_cast<std::size_t>(file.gcount()));
  } while (file && text.size() < most_bytes);
  if (file.bad()) return std::nullopt;
  text.resize(std::min(text.size(), most_bytes));
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
