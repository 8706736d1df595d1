// SPDX-License-Identifier: GPL-2.0-only
#include "capture/machine_json.h"

#include <cstdint>
#include <limits>
#include <type_traits>

#include <nlohmann/json.hpp>

namespace schedscope::capture {
namespace {

using nlohmann::json;

// Calls `visit(key, member)` for every member: reading and writing cannot name them
// differently, and a new member does not compile until it is here.
template <typename SomeMachine, typename Visit>
void each_member(SomeMachine& machine, Visit visit) {
  auto& [kernel, kernel_build, hostname, cpus, cpus_online, hz, scheduler, sched_features,
         base_slice_ns, rr_timeslice_ms, preempt_model, autogroup, virtual_machine, clocksource,
         recorder_pid, command, witnesses, streams, extras, missing, start_ns, ring_bytes, trigger,
         filter, agent_cpu_ns, measured_ns] = machine;
  visit("kernel", kernel);
  visit("kernel_build", kernel_build);
  visit("hostname", hostname);
  visit("cpus", cpus);
  visit("cpus_online", cpus_online);
  visit("hz", hz);
  visit("scheduler", scheduler);
  visit("sched_features", sched_features);
  visit("base_slice_ns", base_slice_ns);
  visit("rr_timeslice_ms", rr_timeslice_ms);
  visit("preempt_model", preempt_model);
  visit("autogroup", autogroup);
  visit("virtual_machine", virtual_machine);
  visit("clocksource", clocksource);
  visit("recorder_pid", recorder_pid);
  visit("command", command);
  visit("witnesses", witnesses);
  visit("streams", streams);
  visit("extras", extras);
  visit("missing", missing);
  visit("start_ns", start_ns);
  visit("ring_bytes", ring_bytes);
  visit("trigger", trigger);
  visit("filter", filter);
  visit("agent_cpu_ns", agent_cpu_ns);
  visit("measured_ns", measured_ns);
}

void take(const json& value, std::string& member) {
  if (value.is_string()) member = value.get<std::string>();
}

void take(const json& value, bool& member) {
  if (value.is_boolean()) member = value.get<bool>();
}

void take(const json& value, std::vector<std::string>& member) {
  if (!value.is_array()) return;
  for (const json& entry : value) {
    if (entry.is_string()) member.push_back(entry.get<std::string>());
  }
}

template <typename Integer>
  requires std::is_integral_v<Integer>
void take(const json& value, Integer& member) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (std::in_range<Integer>(number)) member = static_cast<Integer>(number);
  } else if (value.is_number_integer()) {
    const auto number = value.get<std::int64_t>();
    if (std::in_range<Integer>(number)) member = static_cast<Integer>(number);
  }
}

}  // namespace

std::string machine_to_json(const Machine& machine) {
  json object = json::object();
  each_member(machine, [&](const char* key, const auto& member) { object[key] = member; });
  // A command line or a host name need not be UTF-8.
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<Machine> machine_from_json(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  Machine machine;
  each_member(machine, [&](const char* key, auto& member) {
    if (const auto found = object.find(key); found != object.end()) take(*found, member);
  });
  return machine;
}

}  // namespace schedscope::capture
