// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <chrono>
#include <string_view>

#include "base/error.h"

namespace schedscope {

// "10", "1.5s", "250ms", "30us", "2m", "1h": a bare number is seconds. Errors: Exit::usage.
[[nodiscard]] Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

}  // namespace schedscope
