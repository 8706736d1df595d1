// SPDX-License-Identifier: GPL-2.0-only
#include "collect/process_maps.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace schedscope::collect {
namespace {

// The number that the text begins with, and what stands behind it, which goes too.
bool take_number(std::string_view& text, std::uint64_t& number, int base, char behind) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end == text.data() + text.size() || *end != behind) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

// "7f00-7f10 r-xp 00001000 fe:01 1234      /usr/lib/libc.so.6"
std::optional<CodeMap> parse_line(std::string_view line) {
  CodeMap map;
  std::uint64_t major = 0, minor = 0;
  if (!take_number(line, map.begin, 16, '-') || !take_number(line, map.end, 16, ' ')) return {};
  if (line.size() < 5 || line[2] != 'x') return {};
  line.remove_prefix(5);
  if (!take_number(line, map.offset, 16, ' ') || !take_number(line, major, 16, ':') ||
      !take_number(line, minor, 16, ' ')) {
    return {};
  }
  const std::string_view inode = line.substr(0, line.find(' '));
  std::from_chars(inode.data(), inode.data() + inode.size(), map.inode);
  line.remove_prefix(inode.size());
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  map.device = major << 32 | minor;
  map.path = line;
  return map;
}

}  // namespace

std::vector<CodeMap> parse_code_maps(std::string_view text) {
  std::vector<CodeMap> maps;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    auto map = parse_line(text.substr(0, end));
    if (map && map->begin < map->end) maps.push_back(std::move(*map));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  std::ranges::sort(maps, {}, &CodeMap::begin);
  return maps;
}

const CodeMap* find_map(const std::vector<CodeMap>& maps, std::uint64_t address) {
  const auto behind = std::ranges::upper_bound(maps, address, {}, &CodeMap::begin);
  if (behind == maps.begin()) return nullptr;
  const CodeMap& map = *(behind - 1);
  return address < map.end ? &map : nullptr;
}

}  // namespace schedscope::collect
