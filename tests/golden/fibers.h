// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <string_view>

#include "trial.h"

namespace schedscope::golden {

// The workload's user thread of this name; nullptr: none, or more than one.
[[nodiscard]] inline const analysis::UserReport* find_fiber(const Trial& trial,
                                                            std::string_view name) {
  const analysis::UserReport* found = nullptr;
  for (const analysis::UserReport& user : trial.report.user_threads) {
    if (user.who.pid != trial.told.at("pid") || user.who.name != name) continue;
    if (found != nullptr) return nullptr;
    found = &user;
  }
  return found;
}

[[nodiscard]] inline std::uint64_t ns_of(const analysis::UserReport& user,
                                         timeline::UserState state) {
  return user.state_ns.at(static_cast<std::size_t>(state));
}

}  // namespace schedscope::golden
