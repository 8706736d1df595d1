// SPDX-License-Identifier: GPL-2.0-only
#include "base/demangle.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace schedscope {
namespace {

// A name that refers back to its own parts may double with each reference: a hundred bytes of it
// could become gigabytes.
constexpr std::size_t longest = 1024;
constexpr std::ptrdiff_t most_references = 14;

struct Free {
  void operator()(char* text) const { std::free(text); }
};

// Without the parameters: "f(int)", "(anonymous namespace)::f(g()) const".
std::string without_parameters(std::string name) {
  const std::size_t end = name.rfind(')');
  if (end == std::string::npos) return name;
  int depth = 0;
  for (std::size_t at = end + 1; at-- > 0;) {
    if (name[at] == ')') ++depth;
    if (name[at] == '(' && --depth == 0) {
      if (at != 0) name.erase(at);
      break;
    }
  }
  return name;
}

}  // namespace

std::string demangled(std::string_view symbol) {
  std::string name(symbol);
  if (!symbol.starts_with("_Z") || symbol.size() > longest) return name;
  const auto references =
      std::ranges::count_if(symbol, [](char byte) { return byte == 'S' || byte == 'T'; });
  if (references > most_references) return name;
  int status = 0;
  const std::unique_ptr<char, Free> text(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status));
  return text && status == 0 ? without_parameters(text.get()) : name;
}

}  // namespace schedscope
