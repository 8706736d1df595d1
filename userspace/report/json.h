// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>

#include "analysis/report.h"

namespace schedscope::report {

// One JSON object and a newline. Names from outside are escaped as printable() does. A key whose
// value the capture does not hold is absent.
[[nodiscard]] std::string json_report(const analysis::Report& report);

}  // namespace schedscope::report
