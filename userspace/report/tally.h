// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "analysis/report.h"
#include "report/text.h"

namespace schedscope::report {

// What the kernel counted by itself, as a section of a text report, and in JSON.
[[nodiscard]] std::string tally_text(const analysis::Tallies& tallies, const TextOptions& options);
[[nodiscard]] nlohmann::ordered_json tally_json(const analysis::Tallies& tallies);

}  // namespace schedscope::report
