// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "trial.h"
#include "verdict.h"

namespace schedscope::golden {

// A schedule whose answer is known before it runs, from the kernel's documented rules.
struct Schedule {
  std::string_view name;
  std::string_view answer;
  // Plays it, in a process of its own, with its threads on `cpu`; returns what the judge has to
  // know of it: who its threads are and what its own clocks said. An error is a machine that
  // cannot play it.
  Result<nlohmann::json> (*workload)(std::uint32_t cpu);
  // Holds what was traced against the answer.
  void (*judge)(const Trial& trial, Verdict& verdict);
  // Of each CPU; 0: the default. A schedule that asks for a small one means to lose records.
  std::uint64_t ring_bytes = 0;
  bool everywhere = false;  // it plays on other CPUs as well
  bool interrupts = false;  // what they take is recorded, too, where BPF observes
  bool eevdf = false;       // likewise, the virtual times of fair threads
};

// All of them, in the order in which they run.
[[nodiscard]] std::span<const Schedule* const> schedules();

}  // namespace schedscope::golden
