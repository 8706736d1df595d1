// SPDX-License-Identifier: GPL-2.0-only
#include "collect/comm_glob.h"

#include <fnmatch.h>

#include <string>

#include <fmt/format.h>

#include "base/text.h"
#include "uapi/schedscope.h"

namespace schedscope::collect {
namespace {

constexpr std::size_t longest_comm = SCHEDSCOPE_COMM_LEN - 1;

// The length of the bracket expression that a glob begins with; 1, the bracket itself, when
// nothing closes it. What follows [ or [! closes nothing, nor does what is inside [: :] and the
// like.
std::size_t bracket_length(std::string_view glob) {
  std::size_t at = 1;
  if (at < glob.size() && (glob[at] == '!' || glob[at] == '^')) ++at;
  for (const std::size_t first = at; at < glob.size(); ++at) {
    if (glob[at] == ']' && at != first) return at + 1;
    if (glob[at] == '\\') ++at;
    if (glob[at] != '[' || at + 1 >= glob.size()) continue;
    const char kind = glob[at + 1];
    if (kind != ':' && kind != '.' && kind != '=') continue;
    const std::size_t end = glob.find(std::string{kind, ']'}, at + 2);
    if (end != std::string_view::npos) at = end + 1;
  }
  return 1;
}

// What stands for one character.
std::size_t element_length(std::string_view glob) {
  if (glob[0] == '[') return bracket_length(glob);
  return glob[0] == '\\' && glob.size() > 1 ? 2 : 1;
}

}  // namespace

Result<CommGlob> CommGlob::compile(std::string_view glob) {
  CommGlob made;
  std::size_t position = 0;
  for (std::size_t at = 0; at < glob.size();) {
    if (glob[at] == '*') {
      made.stars |= 1U << position;
      ++at;
      continue;
    }
    if (position == longest_comm) {
      return fail(fmt::format("select by name `{}`", printable(glob)),
                  "no thread's name is that long",
                  "names end after 15 characters: put a * behind the first of them", Exit::usage);
    }
    const std::string element(glob.substr(at, element_length(glob.substr(at))));
    // fnmatch itself says which characters an element takes: so it means what it means there.
    for (unsigned byte = 1; byte < made.accepts.size(); ++byte) {
      const std::array<char, 2> one = {static_cast<char>(byte), '\0'};
      if (::fnmatch(element.c_str(), one.data(), 0) == 0) made.accepts[byte] |= 1U << position;
    }
    ++position;
    at += element.size();
  }
  made.matched = 1U << position;
  return made;
}

bool CommGlob::matches(std::string_view comm) const {
  std::uint32_t state = 1;
  for (const char byte : comm.substr(0, longest_comm)) {
    state = (state & accepts[static_cast<unsigned char>(byte)]) << 1 | (state & stars);
  }
  return (state & matched) != 0;
}

}  // namespace schedscope::collect
