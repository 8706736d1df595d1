// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <span>

#include "schema/record.h"

namespace schedscope::collect {

// The record that `words` begin with; null when they do not begin with a whole one. A record of a
// kind that this program has must have that kind's size.
[[nodiscard]] inline schedscope_rec* first_record(std::span<std::uint64_t> words) {
  if (words.size_bytes() < sizeof(schedscope_rec)) return nullptr;
  auto* const record = reinterpret_cast<schedscope_rec*>(words.data());
  const std::size_t bytes = record->size;
  if (bytes < sizeof(*record) || bytes % sizeof(words[0]) != 0) return nullptr;
  if (bytes > words.size_bytes()) return nullptr;
  const std::size_t whole = record_bytes(record->kind);
  return whole == 0 || whole == bytes ? record : nullptr;
}

}  // namespace schedscope::collect
