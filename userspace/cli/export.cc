// SPDX-License-Identifier: GPL-2.0-only
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/verbs.h"
#include "report/export_folded.h"
#include "report/export_json.h"
#include "report/perfetto.h"

namespace schedscope::cli {
namespace {

struct Arguments {
  std::string file;
  std::string to;
  std::string output;
};

Result<Exit> run_export(const Arguments& arguments) {
  const auto convert = arguments.to == "perfetto" ? report::export_perfetto
                       : arguments.to == "folded" ? report::export_folded
                                                  : report::export_json;
  const auto done = convert(arguments.file, arguments.output);
  if (!done) return std::unexpected(done.error());
  return Exit::done;
}

}  // namespace

void add_export(CLI::App& app, Run& run) {
  CLI::App* verb = app.add_subcommand("export", "Convert a capture for another tool");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("file", arguments->file, "The capture")->required();
  verb->add_option(
          "--to", arguments->to,
          "perfetto: a trace for ui.perfetto.dev; json: a record a line; folded: stacks for a "
          "flame graph of where threads slept")
      ->required()
      ->check(CLI::IsMember({"perfetto", "json", "folded"}));
  verb->add_option("-o,--output", arguments->output, "The file to write")->required();
  verb->callback([&run, arguments] { run = [arguments] { return run_export(*arguments); }; });
}

}  // namespace schedscope::cli
