// SPDX-License-Identifier: GPL-2.0-only
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/duration.h"
#include "base/text.h"

// Any bytes as a value of the command line, and as text from outside that is shown.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace schedscope;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto duration = parse_duration(bytes)) {
    if (duration->count() < 0) std::abort();
    if (human_ns(static_cast<std::uint64_t>(duration->count())).empty()) std::abort();
  } else if (duration.error().exit != Exit::usage || duration.error().cure.empty()) {
    std::abort();
  }
  const std::string shown = printable(bytes);
  const bool control = std::ranges::any_of(
      shown, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (control) std::abort();
  // Up to the first NUL, every byte is there: once, or escaped.
  const std::size_t length = std::min(bytes.find('\0'), bytes.size());
  if (shown.size() < length || shown.size() > 4 * length) std::abort();
  return 0;
}
