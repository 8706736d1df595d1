// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>

#include "capture/machine.h"

namespace schedscope::collect {

// What this machine says of itself. What it does not say stays empty: never an error.
[[nodiscard]] capture::Machine read_machine();

// Whether a CPU is there, and was taken down.
[[nodiscard]] bool is_cpu_off(std::uint32_t cpu);

// The running kernel's version; false when it says none.
[[nodiscard]] bool kernel_is_at_least(unsigned major, unsigned minor);

}  // namespace schedscope::collect
