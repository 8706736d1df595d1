// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <expected>
#include <string_view>

#include "base/error.h"

namespace schedscope::collect {

// Why the kernel or libbpf did not do what was `tried`; `code` is its errno. What libbpf said last
// is part of it: that explains a failure best.
[[nodiscard]] std::unexpected<Error> bpf_failure(std::string_view tried, int code);

// Before something else is tried.
void forget_libbpf_words();

}  // namespace schedscope::collect
