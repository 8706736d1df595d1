// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <filesystem>
#include <string>

#include "analysis/report.h"
#include "base/error.h"

namespace schedscope::report {

// A line a stack, as flame graphs take them: "comm;main;read;[unknown]_[k] 1234", the outermost
// frame first, the kernel's marked, and the ns that the thread slept there.
[[nodiscard]] std::string folded(const analysis::Report& report);

// Errors: a capture without stacks (Exit::input).
[[nodiscard]] Result<void> export_folded(const std::filesystem::path& capture,
                                         const std::filesystem::path& out);

}  // namespace schedscope::report
