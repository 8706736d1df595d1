// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include "capture/machine.h"

namespace schedscope::collect {

// What this machine says of itself. What it does not say stays empty: never an error.
[[nodiscard]] capture::Machine read_machine();

}  // namespace schedscope::collect
