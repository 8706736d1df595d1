// SPDX-License-Identifier: GPL-2.0-only
#include <fnmatch.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "collect/comm_glob.h"

// Any bytes as a glob of --comm, and what follows its end of line as a thread's name, neither with
// a NUL: without brackets it has to mean what it means to fnmatch(3). (What an unclosed one means
// there depends on the name.)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace schedscope;
  std::string text(reinterpret_cast<const char*>(data), size);
  std::erase(text, '\0');
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string glob = text.substr(0, end);
  const std::string name = end < text.size() ? text.substr(end + 1, 15) : "";
  const auto compiled = collect::CommGlob::compile(glob);
  if (!compiled) {
    if (compiled.error().exit != Exit::usage || compiled.error().cure.empty()) std::abort();
    return 0;
  }
  const bool matches = compiled->matches(name);
  if (glob.contains('[')) return 0;
  if (matches != (::fnmatch(glob.c_str(), name.c_str(), 0) == 0)) std::abort();
  return 0;
}
