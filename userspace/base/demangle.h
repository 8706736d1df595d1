// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>
#include <string_view>

namespace schedscope {

// A C++ function's name as its author wrote it, without parameters; any other name as it is. The
// name is bytes from outside, and so is what comes back.
[[nodiscard]] std::string demangled(std::string_view symbol);

}  // namespace schedscope
