// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <filesystem>
#include <span>

#include "analysis/analysis.h"
#include "base/error.h"

namespace schedscope::report {

// Reads a capture once and computes its report; `extra` sinks see the same pass.
// A cut-off capture is no error: the report says so.
[[nodiscard]] Result<analysis::Report> load(const std::filesystem::path& capture,
                                            analysis::Window window = {},
                                            std::span<timeline::Sink* const> extra = {});

}  // namespace schedscope::report
