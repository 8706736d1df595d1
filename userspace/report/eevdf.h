// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <span>

#include <nlohmann/json_fwd.hpp>

#include "analysis/report.h"
#include "report/table.h"

namespace schedscope::report {

// Threads that have an EevdfReport, a row each.
[[nodiscard]] Table eevdf_table(std::span<const analysis::ThreadReport* const> threads);
[[nodiscard]] nlohmann::ordered_json eevdf_json(const analysis::EevdfReport& eevdf);

}  // namespace schedscope::report
