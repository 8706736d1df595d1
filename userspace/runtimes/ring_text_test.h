// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <map>
#include <string>
#include <vector>

#include "schedscope/uthread.h"

namespace schedscope::test {

// What this thread's ring says from record `from` on, one word and id a record; names instead
// of ids where a name was told.
inline std::vector<std::string> ring_text(std::uint64_t from = 0) {
  static const char* const words[] = {"?", "switch", "ready", "park", "end"};
  const auto* header = static_cast<const schedscope_uthread_header*>(schedscope_uthread_mine_.ring);
  if (header == nullptr) return {"no ring"};
  const auto* records = reinterpret_cast<const schedscope_uthread_record*>(
      reinterpret_cast<const char*>(header) + header->header_bytes);
  std::map<std::uint64_t, std::string> names;
  std::vector<std::string> lines;
  for (std::uint64_t n = 0; n < header->head; n++) {
    const auto& record = records[n & (header->capacity - 1)];
    const std::uint64_t kind = record.word & 0xff, id = record.word >> 8;
    if (kind >= SCHEDSCOPE_UTHREAD_NAME) {
      char part[9] = {};
      __builtin_memcpy(part, &record.stamp, 8);
      names[id] += part;
    } else if (n >= from) {
      const std::string who = names.count(id) != 0 ? names[id] : std::to_string(id);
      lines.push_back(std::string(words[kind]) + " " + who);
    }
  }
  return lines;
}

inline std::uint64_t ring_head() {
  const auto* header = static_cast<const schedscope_uthread_header*>(schedscope_uthread_mine_.ring);
  return header == nullptr ? 0 : header->head;
}

}  // namespace schedscope::test
