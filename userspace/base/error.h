// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cerrno>
#include <expected>
#include <string>
#include <string_view>

namespace schedscope {

// The exit status that an error leads to: part of the command line's interface.
enum class Exit : int {
  done = 0,
  finding = 1,
  usage = 2,
  machine = 3,
  input = 4,
};

// What was tried, what went wrong and what to do, in one sentence each.
struct Error {
  std::string tried;
  std::string wrong;
  std::string cure;
  int code = 0;  // errno, 0 when there is none
  Exit exit = Exit::machine;

  // One line for a person: "cannot TRIED: WRONG; CURE".
  [[nodiscard]] std::string message() const;
};

template <typename T>
using Result = std::expected<T, Error>;

// An error from errno; takes errno before anything else can change it.
[[nodiscard]] std::unexpected<Error> fail_errno(std::string_view tried, std::string_view cure = {},
                                                Exit exit = Exit::machine, int code = errno);

[[nodiscard]] std::unexpected<Error> fail(std::string_view tried, std::string_view wrong,
                                          std::string_view cure = {}, Exit exit = Exit::machine);

}  // namespace schedscope
