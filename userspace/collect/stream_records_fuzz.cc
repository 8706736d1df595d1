// SPDX-License-Identifier: GPL-2.0-only
#include "collect/stream_records.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

// Any bytes as what a read of the module's stream gave.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace schedscope;
  // Exactly as large as it is, so that a sanitizer sees what is read behind it.
  std::vector<std::uint64_t> words(size / sizeof(std::uint64_t));
  if (!words.empty()) std::memcpy(words.data(), data, words.size() * sizeof(words[0]));
  std::span<std::uint64_t> rest(words);
  while (schedscope_rec* record = collect::first_record(rest)) {
    const RecordView view(record);
    const std::size_t whole = record_bytes(view.kind());
    if (whole != 0 && view.bytes().size() != whole) std::abort();
    const std::string copy(reinterpret_cast<const char*>(view.bytes().data()), view.bytes().size());
    if (copy.size() % sizeof(words[0]) != 0) std::abort();
    rest = rest.subspan(copy.size() / sizeof(words[0]));
  }
  return 0;
}
