// SPDX-License-Identifier: GPL-2.0-only
#include "lab/print.h"

#include <cmath>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace schedscope::lab {
namespace {

using nlohmann::ordered_json;

// A number for people: times by their unit, whole ones without a point.
std::string value_text(std::string_view name, double value) {
  if (name.ends_with("_ns") && value >= 0) return human_ns(static_cast<std::uint64_t>(value));
  if (value == std::floor(value)) return fmt::format("{:.0f}", value);
  return fmt::format("{:.4g}", value);
}

std::string numbers_text(const Numbers& numbers) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : numbers) {
    parts.push_back(fmt::format("{} {}", name, value_text(name, value)));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

// Whole numbers stay whole in JSON: times are integers there.
ordered_json numbers_json(const Numbers& numbers) {
  ordered_json out = ordered_json::object();
  for (const auto& [name, value] : numbers) {
    if (value == std::floor(value) && std::abs(value) < 9e15) {
      out[name] = static_cast<std::int64_t>(value);
    } else {
      out[name] = value;
    }
  }
  return out;
}

}  // namespace

std::string to_text(const Experiment& experiment, const Answer& answer) {
  std::string text =
      fmt::format("{}  {}  {}\n", experiment.id, name_of(answer.verdict), answer.headline);
  const auto line = [&](std::string_view label, std::string_view value) {
    if (!value.empty()) text += fmt::format("  {:<9} {}\n", label, value);
  };
  line("claim", experiment.claim);
  line("ran", experiment.ran);
  line("evidence", numbers_text(answer.evidence));
  line("workload", numbers_text(answer.workload));
  line("rule", experiment.rule);
  line(answer.verdict == Verdict::holds_with_caveat ? "caveat" : "because", answer.caveat);
  line("witnesses", fmt::format("{}", fmt::join(answer.witnesses, ", ")));
  line("capture", answer.capture.string());
  return text;
}

std::string to_json(const capture::Machine& machine, const Answers& answers) {
  ordered_json claims = ordered_json::array();
  for (const auto& [experiment, answer] : answers) {
    ordered_json one = {{"id", experiment->id},
                        {"claim", experiment->claim},
                        {"ran", experiment->ran},
                        {"verdict", name_of(answer.verdict)},
                        {"caveat", answer.caveat},
                        {"rule", experiment->rule},
                        {"evidence", numbers_json(answer.evidence)},
                        {"workload", numbers_json(answer.workload)},
                        {"witnesses", answer.witnesses},
                        {"capture", answer.capture.string()}};
    claims.push_back(std::move(one));
  }
  const ordered_json out = {{"schema", 1},
                            {"machine",
                             {{"kernel", machine.kernel},
                              {"cpus", machine.cpus_online},
                              {"virtual", machine.virtual_machine},
                              {"witnesses", machine.witnesses}}},
                            {"claims", std::move(claims)}};
  return out.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace schedscope::lab
