// SPDX-License-Identifier: GPL-2.0-only
//
// Fibers of which each knows how long it worked, by the kernel's own account of their carrier.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "trial.h"

namespace schedscope::golden {

// No two work alike: time given to the wrong one shows.
struct FiberWork {
  std::size_t fibers;
  std::uint64_t goes;         // in which a fiber works, with all others in between
  std::uint64_t shortest_ns;  // of the first fiber's goes
  std::uint64_t step_ns;      // what those of the next one are longer
  std::string name;           // of them all, followed by a number
};

// What a fiber worked: between its own readings at the least, and from the reading of the one
// before it to that of the one after it at the most. A microsecond lies between the two.
struct Worked {
  std::uint64_t least_ns = 0;
  std::uint64_t most_ns = 0;
  // By the clock, which goes on while a hypervisor has the CPU, or another thread.
  std::uint64_t most_clock_ns = 0;
};
void to_json(nlohmann::json& json, const Worked& worked);
void from_json(const nlohmann::json& json, Worked& worked);

struct FibersDone {
  std::vector<Worked> worked;              // by fiber
  std::uint64_t begin_ns = 0, end_ns = 0;  // of the first and of the last of them
  // Of the carrier between the two, by the kernel's account.
  std::uint64_t run_ns = 0, delay_ns = 0;
};

// On the calling thread.
[[nodiscard]] FibersDone work_in_fibers(const FiberWork& work);

// Of all fibers.
struct FiberSums {
  Worked worked;
  std::uint64_t running_ns = 0, preempted_ns = 0, hostage_ns = 0;
};

struct Bounds {
  std::uint64_t least_ns, most_ns;
};

// Holds what was traced of each fiber against what it did: running is within the bounds that
// `bounds` makes of that, and 1 %; nothing is blocking, parked or unknown.
[[nodiscard]] FiberSums judge_fibers(const Trial& trial, const FiberWork& work,
                                     const std::vector<Worked>& worked,
                                     const std::function<Bounds(const Worked&)>& bounds,
                                     Verdict& verdict);

}  // namespace schedscope::golden
