// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>

#include "capture/info.h"
#include "report/text.h"

namespace schedscope::report {

// What is inside a capture, for a terminal. Of the options: color and width.
[[nodiscard]] std::string info_text(const capture::Info& info, const TextOptions& options);

// One JSON object and a newline. A key whose value the capture does not hold is absent.
[[nodiscard]] std::string info_json(const capture::Info& info);

}  // namespace schedscope::report
