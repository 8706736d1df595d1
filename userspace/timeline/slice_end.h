// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>

#include "schema/record.h"
#include "timeline/types.h"

namespace schedscope::timeline {

// Scheduling classes, in rising order.
enum class SchedClass : std::uint8_t { fair, real_time, deadline };
[[nodiscard]] SchedClass class_of(int prio);

// What a switch says of the thread that leaves the CPU.
struct Departure {
  SliceEnd end = SliceEnd::unknown;
  State then = State::unknown;  // wait, sleep or block; of no meaning when it exited
  bool runnable = false;
};

// The rules are in Documentation/metrics.rst, with what each of them cannot tell. The module's
// ledger has them in ledger_math.h: a test holds the two against each other.
[[nodiscard]] Departure departure_of(const schedscope_switch& record);

// State bits of a thread that is not runnable: sleep or block.
[[nodiscard]] State off_state(std::uint32_t state_bits);

}  // namespace schedscope::timeline
