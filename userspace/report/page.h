// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string_view>

namespace schedscope::report {

// The page without its data, as it was bundled at build time; "" when the build had no npm.
[[nodiscard]] std::string_view page_template();

}  // namespace schedscope::report
