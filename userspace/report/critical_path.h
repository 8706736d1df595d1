// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "analysis/report.h"
#include "report/text.h"

namespace schedscope::report {

// For a terminal: whose time it was, whom they waited behind, and the longest segments.
[[nodiscard]] std::string critical_path_text(const analysis::Report& report,
                                             const analysis::CriticalPath& path,
                                             const TextOptions& options);
[[nodiscard]] nlohmann::ordered_json critical_path_json(const analysis::Report& report,
                                                        const analysis::CriticalPath& path);

}  // namespace schedscope::report
