// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <limits>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "analysis/report.h"
#include "report/text.h"

namespace schedscope::report {

inline constexpr std::size_t all_segments = std::numeric_limits<std::size_t>::max();

// For a terminal: whose time it was, whom they waited behind, and the longest segments.
[[nodiscard]] std::string critical_path_text(const analysis::Report& report,
                                             const analysis::CriticalPath& path,
                                             const TextOptions& options);
// With the `most` longest segments; the others count as left out.
[[nodiscard]] nlohmann::ordered_json critical_path_json(const analysis::Report& report,
                                                        const analysis::CriticalPath& path,
                                                        std::size_t most = all_segments);

}  // namespace schedscope::report
