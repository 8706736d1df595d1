// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "capture/machine.h"

namespace schedscope::capture {

[[nodiscard]] std::string machine_to_json(const Machine& machine);

// Keys that are absent or of another type keep their defaults; nothing when it is no JSON
// object at all.
[[nodiscard]] std::optional<Machine> machine_from_json(std::string_view text);

}  // namespace schedscope::capture
