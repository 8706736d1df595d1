// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <filesystem>
#include <span>
#include <stop_token>
#include <string>

#include "analysis/analysis.h"
#include "base/error.h"

namespace schedscope::report {

// How much of a capture is read for a window.
enum class Extent : std::uint8_t {
  whole,   // all: every thread's state in the window is known
  window,  // the window and a little before it: where a thread was that did nothing then is unknown
};

// Reads a capture once and computes its report; `extra` sinks see the same pass. A cut-off capture
// is no error: the report says so. `path_of`: whose critical path, see Analysis. When stopped
// it ends early, and the report is of no use.
[[nodiscard]] Result<analysis::Report> load(const std::filesystem::path& capture,
                                            analysis::Window window = {},
                                            std::span<timeline::Sink* const> extra = {},
                                            Extent extent = Extent::whole, std::string path_of = {},
                                            std::stop_token stop = {});

}  // namespace schedscope::report
