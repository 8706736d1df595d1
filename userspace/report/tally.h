// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "analysis/report.h"
#include "report/table.h"

namespace schedscope::report {

// No event was recorded: of threads and CPUs nothing is known.
[[nodiscard]] inline bool is_tally_alone(const analysis::Report& report) {
  return report.tallies && report.machine.streams.empty() && report.switches == 0;
}

// What the kernel counted by itself: a section of a text report, and JSON.
[[nodiscard]] std::string tally_title(const analysis::Tallies& tallies);
[[nodiscard]] Table tally_table(const analysis::Tallies& tallies);
[[nodiscard]] nlohmann::ordered_json tally_json(const analysis::Tallies& tallies);

}  // namespace schedscope::report
