// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "analysis/report.h"
#include "capture/machine.h"
#include "report/critical_path.h"

namespace schedscope::report {

// One JSON object and a newline. Names from outside are escaped as printable() does. A key whose
// value the capture does not hold is absent. Of a critical path the `most_segments` longest.
[[nodiscard]] std::string json_report(const analysis::Report& report,
                                      std::size_t most_segments = all_segments);

// The machine's part of it. Keys stay in the order of the documentation.
[[nodiscard]] nlohmann::ordered_json machine_json(const capture::Machine& machine);
[[nodiscard]] nlohmann::ordered_json peers_json(const std::vector<analysis::Peer>& peers);

}  // namespace schedscope::report
