// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "capture/info.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "report/info.h"

namespace schedscope::cli {
namespace {

struct Arguments {
  std::string file = "schedscope.data";
  bool json = false;
};

Result<Exit> show_info(const Arguments& arguments) {
  const auto info = capture::read_info(arguments.file);
  if (!info) return std::unexpected(info.error());
  const auto printed =
      print_result(arguments.json ? report::info_json(*info)
                                  : report::info_text(*info, report::options_for(STDOUT_FILENO)));
  if (!printed) return std::unexpected(printed.error());
  if (info->complete) return Exit::done;
  fmt::print(stderr, "schedscope: the capture is not whole: {}; shown is what is there\n",
             info->damage);
  return Exit::input;
}

}  // namespace

void add_info(CLI::App& app, Run& run) {
  CLI::App* verb = app.add_subcommand("info", "Show what is inside a capture");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("file", arguments->file, "The capture")->capture_default_str();
  verb->add_flag("--json", arguments->json, "As JSON");
  verb->callback([&run, arguments] { run = [arguments] { return show_info(*arguments); }; });
}

}  // namespace schedscope::cli
