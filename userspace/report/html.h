// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "analysis/report.h"
#include "base/error.h"
#include "report/pictures.h"

namespace schedscope::report {

// What the page holds of a critical path: the longest.
inline constexpr std::size_t page_segments = 10'000;

// One page that needs nothing else: no network, no other file. `lab_json` is what `lab --json`
// prints, "" when there is none.
[[nodiscard]] Result<std::string> html_report(const analysis::Report& report,
                                              const Pictures& pictures,
                                              std::string_view lab_json = {});

[[nodiscard]] Result<void> write_html(const std::filesystem::path& path,
                                      const analysis::Report& report, const Pictures& pictures,
                                      std::string_view lab_json = {});

}  // namespace schedscope::report
