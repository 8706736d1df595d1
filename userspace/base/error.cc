// SPDX-License-Identifier: GPL-2.0-only
#include "base/error.h"

#include <system_error>

#include <fmt/format.h>

namespace schedscope {

std::string Error::message() const {
  std::string text = fmt::format("cannot {}: {}", tried, wrong);
  if (!cure.empty()) text += "; " + cure;
  return text;
}

std::unexpected<Error> fail_errno(std::string_view tried, std::string_view cure, Exit exit,
                                  int code) {
  return std::unexpected(Error{.tried = std::string(tried),
                               .wrong = std::generic_category().message(code),
                               .cure = std::string(cure),
                               .code = code,
                               .exit = exit});
}

std::unexpected<Error> fail(std::string_view tried, std::string_view wrong, std::string_view cure,
                            Exit exit) {
  return std::unexpected(Error{.tried = std::string(tried),
                               .wrong = std::string(wrong),
                               .cure = std::string(cure),
                               .exit = exit});
}

}  // namespace schedscope
