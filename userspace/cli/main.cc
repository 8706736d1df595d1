// SPDX-License-Identifier: GPL-2.0-only
#include <csignal>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/verbs.h"

namespace {

using schedscope::Exit;

int say(const schedscope::Error& error) {
  fmt::print(stderr, "schedscope: {}\n", error.message());
  return static_cast<int>(error.exit);
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes away (`schedscope report | head`) ends us through the write's error.
  std::signal(SIGPIPE, SIG_IGN);
  // And a file-size limit is like a full disk: an error of the write.
  std::signal(SIGXFSZ, SIG_IGN);

  CLI::App app("Shows which thread had the CPU, for how long, why it lost it and who waited.",
               "schedscope");
  app.set_version_flag("--version", SCHEDSCOPE_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit status: 0 done, 1 a finding you asked to fail on, 2 wrong usage,\n"
      "3 this machine can't do it, 4 a broken or incomplete input.");
  schedscope::cli::Run run;
  schedscope::cli::add_doctor(app, run);
  schedscope::cli::add_record(app, run);
  schedscope::cli::add_report(app, run);
  schedscope::cli::add_info(app, run);
  schedscope::cli::add_export(app, run);
  schedscope::cli::add_ledger(app, run);
  schedscope::cli::add_lab(app, run);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    fmt::print(stderr, "schedscope: {}; `schedscope --help` shows how it is used\n", error.what());
    return static_cast<int>(Exit::usage);
  }
  const auto done = run();
  return done ? static_cast<int>(*done) : say(done.error());
}
