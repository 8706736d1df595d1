// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string_view>

#include "base/error.h"

namespace schedscope::cli {

// Writes a result to stdout. Errors: it could not be written whole.
[[nodiscard]] Result<void> print_result(std::string_view text);

}  // namespace schedscope::cli
