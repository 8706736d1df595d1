// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>
#include <vector>

#include "analysis/report.h"

namespace schedscope::report {

// A sentence or two under a short heading; `bad` asks for attention.
struct Paragraph {
  std::string heading;
  std::string text;
  bool bad = false;
};

// What happened, in the order a reader asks: the machine, how busy, who waited behind whom, how
// slices ended, user threads, then what may be wrong with the report itself: loss, checks, cost.
// Text and page show the same sentences.
[[nodiscard]] std::vector<Paragraph> story(const analysis::Report& report);

}  // namespace schedscope::report
