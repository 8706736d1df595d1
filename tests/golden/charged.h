// SPDX-License-Identifier: GPL-2.0-only
//
// What the scheduler shares out, and limits, is what it charges, by a clock of its own: where the
// host takes the CPU, or an emulated one stands still, that goes less far than the records'. Each
// switch says by how much.
#pragma once

#include <cstdint>
#include <cstdlib>

#include "clock_step.h"
#include "trial.h"

namespace schedscope::golden {

struct Uncharged {
  std::int64_t ns = 0;         // what the records' clock went further
  std::uint64_t off_ns = 0;    // it may be so much more, or less: steps that are told in ms
  std::uint64_t apart_ns = 0;  // all steps, whichever way, and that

  void add(const timeline::Slice& slice) {
    const std::int64_t step_ns = clock_step_ns(slice.clock_step);
    const bool in_ms = std::abs(slice.clock_step) >= SCHEDSCOPE_CLOCK_STEP_US;
    ns += step_ns;
    if (in_ms) off_ns += 1'000'000;
    apart_ns += static_cast<std::uint64_t>(std::abs(step_ns)) + (in_ms ? 1'000'000 : 0);
  }
};

[[nodiscard]] inline std::uint64_t apart_ns(const timeline::Slice& slice) {
  Uncharged uncharged;
  uncharged.add(slice);
  return uncharged.apart_ns;
}

// Of the slices of a thread that ended in [begin_ns, end_ns].
[[nodiscard]] inline Uncharged uncharged(const Trial& trial, timeline::ThreadIndex thread,
                                         std::uint64_t begin_ns, std::uint64_t end_ns) {
  Uncharged sum;
  for (const auto& slice : trial.trace.slices({thread}, begin_ns, end_ns)) sum.add(slice);
  return sum;
}

// What of `thread`, in a report of [begin_ns, end_ns), the kernel charged.
[[nodiscard]] inline double charged_ns(const Trial& trial, const analysis::ThreadReport& thread,
                                       std::uint64_t begin_ns, std::uint64_t end_ns) {
  return static_cast<double>(thread.run_ns) -
         static_cast<double>(uncharged(trial, thread.who.index, begin_ns, end_ns).ns);
}

// See agreement.kernel_counts in metrics.rst.
inline constexpr std::uint64_t slack_per_slice_ns = 8000;

// The most that the kernel charged a thread.
[[nodiscard]] inline std::uint64_t most_charged_ns(const analysis::ThreadReport& thread) {
  if (!thread.judge) return thread.run_ns + slack_per_slice_ns * thread.slices;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(thread.run_ns) -
                                    thread.judge->clock_ns) +
         thread.judge->within_ns;
}

}  // namespace schedscope::golden
