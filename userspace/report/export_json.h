// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"
#include "schema/record.h"

namespace schedscope::report {

// One record as a JSON object, every field by its name in uapi/schedscope.h.
[[nodiscard]] std::string record_json(RecordView record);

// Every record of a capture, one a line, in time order.
[[nodiscard]] Result<void> export_json(const std::filesystem::path& capture,
                                       const std::filesystem::path& out);

}  // namespace schedscope::report
