// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>

#include "base/error.h"
#include "schema/record.h"

namespace schedscope::collect {

// What the module measured of a switch between two kernel threads.
struct SwitchCost {
  std::uint64_t switches = 0;
  double mean_ns = 0;    // of each as measured, with instruments_ns in it
  double median_ns = 0;  // likewise, within 6 %
  std::uint64_t min_ns = 0, max_ns = 0;
  double instruments_ns = 0;  // what the clock and the module's own probe add to each
};

enum class SwitchSpace {
  none,   // kernel threads as they are
  same,   // both in this process's address space
  other,  // one in this process's, one in a child's
};

// Two kernel threads that only yield to each other on `cpu`, for at most a second. Errors: no
// module, or one without the benchmark, no CAP_SYS_NICE, the CPU is offline, another one runs.
[[nodiscard]] Result<SwitchCost> measure_switch(int cpu, SwitchSpace space);

// The median of `bench`'s histogram, as the middle of its bucket; 0 of none.
[[nodiscard]] double median_of(const schedscope_switchbench& bench);

}  // namespace schedscope::collect
