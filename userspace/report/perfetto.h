// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <filesystem>

#include "base/error.h"

namespace schedscope::report {

// A capture as a Perfetto trace: scheduling events, names, gaps, and a track for each user thread
// below its process. Reads the capture twice (who is who first), in memory that grows with
// threads. Of a damaged capture it writes what can be read, and says so with an error.
[[nodiscard]] Result<void> export_perfetto(const std::filesystem::path& capture,
                                           const std::filesystem::path& out);

}  // namespace schedscope::report
