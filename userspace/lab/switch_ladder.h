// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <string>
#include <vector>

#include "lab/trial.h"

// What a switch costs, rung by rung: two partners on one CPU that pass a turn to and fro.
namespace schedscope::lab {

enum class Means { yield, futex, pipe };
enum class Partners { threads, processes };

struct Rung {
  const char* name;  // of the partners, as the trace shows them
  Means means;
  Partners partners;
  std::size_t touched_bytes = 0;  // memory of its own that each reads in its turn
};

// In the workload: a pair of partners that pass `turns` turns each way, on the caller's CPUs.
void climb(const Rung& rung, int turns);
// The time that reading `bytes` again takes when nothing comes between.
[[nodiscard]] double touch_ns(std::size_t bytes);

// In the verdict, from the trace: CPU time of a pair for each switch from one partner to the
// other; a value for each pair of the rung, in the order in which they ran.
[[nodiscard]] std::vector<double> switch_ns(const Trial& trial, const Rung& rung);

// The median, and the values between which it lies with at least 95 % certainty whatever their
// distribution (by the sign test); with fewer than six values all that were seen.
struct Interval {
  double low = 0, middle = 0, high = 0;
};
[[nodiscard]] Interval median_interval(std::vector<double> values);

// b[i] / a[i], as far as both go.
[[nodiscard]] std::vector<double> ratios(const std::vector<double>& a,
                                         const std::vector<double>& b);

}  // namespace schedscope::lab
