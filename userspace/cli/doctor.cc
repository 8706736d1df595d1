// SPDX-License-Identifier: GPL-2.0-only
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "collect/support.h"

namespace schedscope::cli {
namespace {

std::string as_json(const std::vector<collect::Check>& checks, bool able) {
  nlohmann::ordered_json json = {{"schema", 1}, {"records", able}};
  for (const collect::Check& check : checks) {
    json["checks"].push_back({{"name", check.name},
                              {"works", check.works},
                              {"needed", check.needed},
                              {"found", printable(check.found)},
                              {"cure", check.cure}});
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string as_text(const std::vector<collect::Check>& checks, bool able) {
  std::string text;
  for (const collect::Check& check : checks) {
    const char* mark = check.works ? "yes" : check.needed ? "NO" : "no";
    text += fmt::format("{:<4} {:<20} {}\n", mark, check.name, printable(check.found));
    if (!check.works && !check.cure.empty()) text += fmt::format("{:<25} -> {}\n", "", check.cure);
  }
  text += able ? "\nThis machine can record.\n" : "\nThis machine cannot record: see NO above.\n";
  return text;
}

Result<Exit> doctor(bool json) {
  const std::vector<collect::Check> checks = collect::check_machine();
  bool able = true;
  for (const collect::Check& check : checks) able = able && (check.works || !check.needed);
  auto printed = print_result(json ? as_json(checks, able) : as_text(checks, able));
  if (!printed) return std::unexpected(printed.error());
  return able ? Exit::done : Exit::machine;
}

}  // namespace

void add_doctor(CLI::App& app, Run& run) {
  CLI::App* verb = app.add_subcommand("doctor", "Say what works on this machine, and why not");
  auto json = std::make_shared<bool>(false);
  verb->add_flag("--json", *json, "As JSON");
  verb->callback([&run, json] { run = [json] { return doctor(*json); }; });
}

}  // namespace schedscope::cli
