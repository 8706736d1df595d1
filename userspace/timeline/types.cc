// SPDX-License-Identifier: GPL-2.0-only
#include "timeline/types.h"

#include <array>

namespace schedscope::timeline {
namespace {

constexpr std::array<std::string_view, slice_end_count> ends = {
    "blocked",  "yielded",   "expired", "preempted", "outranked",
    "migrated", "throttled", "stopped", "exited",    "unknown"};
constexpr std::array<std::string_view, state_count> states = {"run", "wait", "sleep", "block",
                                                              "unknown"};
constexpr std::array<std::string_view, user_state_count> user_states = {
    "running", "preempted", "blocking", "queued", "hostage", "parked", "unknown"};

}  // namespace

std::string_view name_of(SliceEnd end) {
  return ends.at(static_cast<std::size_t>(end));
}
std::string_view name_of(State state) {
  return states.at(static_cast<std::size_t>(state));
}
std::string_view name_of(UserState state) {
  return user_states.at(static_cast<std::size_t>(state));
}

}  // namespace schedscope::timeline
