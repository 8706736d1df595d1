// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstddef>
#include <string>

#include "analysis/report.h"

namespace schedscope::report {

struct TextOptions {
  // Shows only threads whose tid is this, or whose name holds it, and each in full.
  std::string thread;
  bool by_cgroup = false;  // a table of cgroups in place of that of threads
  std::size_t top = 20;    // rows of each table; 0: all
  bool color = false;
  std::size_t width = 100;
};

// What color and width are for a stream: off and 100 when it is not a terminal, or NO_COLOR is set.
[[nodiscard]] TextOptions options_for(int fd);

// The report for a terminal: what happened, then the tables.
[[nodiscard]] std::string text_report(const analysis::Report& report, const TextOptions& options);

}  // namespace schedscope::report
