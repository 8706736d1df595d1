// SPDX-License-Identifier: GPL-2.0-only
#include "collect/record.h"

#include <sys/wait.h>

#include <map>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/duration.h"
#include "base/text.h"
#include "cli/verbs.h"

namespace schedscope::cli {
namespace {

struct Arguments {
  collect::Options options;
  std::string duration;
};

// What happened, on stderr: stdout belongs to the command.
void say(const collect::Outcome& outcome, const collect::Options& options) {
  const std::uint64_t span_ns = outcome.end_ns - outcome.start_ns;
  fmt::print(stderr, "schedscope: {} records in {}, {} lost; {} in {}\n", outcome.records,
             human_ns(span_ns), outcome.lost, human_bytes(outcome.file_bytes),
             options.output.string());
  if (!outcome.warning.empty()) fmt::print(stderr, "schedscope: {}\n", outcome.warning);
  if (!outcome.command_status) return;
  const int status = *outcome.command_status;
  if (WIFSIGNALED(status)) {
    fmt::print(stderr, "schedscope: the command was ended by signal {}\n", WTERMSIG(status));
  } else if (WEXITSTATUS(status) != 0) {
    fmt::print(stderr, "schedscope: the command exited with {}\n", WEXITSTATUS(status));
  }
}

Result<Exit> record(Arguments arguments) {
  if (!arguments.duration.empty()) {
    auto duration = parse_duration(arguments.duration);
    if (!duration) return std::unexpected(duration.error());
    arguments.options.duration = *duration;
  }
  arguments.options.tell = [](const std::string& text) {
    fmt::print(stderr, "schedscope: {}\n", text);
  };
  const auto outcome = collect::record(arguments.options);
  if (!outcome) return std::unexpected(outcome.error());
  say(*outcome, arguments.options);
  // A capture that could not be written whole is an answer, but not a good one.
  return outcome->warning.empty() ? Exit::done : Exit::machine;
}

}  // namespace

void add_record(CLI::App& app, Run& run) {
  CLI::App* verb = app.add_subcommand(
      "record", "Record the scheduling of this machine, of some threads, or of a command");
  auto arguments = std::make_shared<Arguments>();
  collect::Options& options = arguments->options;
  verb->add_option("-o,--output", options.output, "The capture to write")->capture_default_str();
  const std::map<std::string, collect::Witnesses> names(collect::witness_names.begin(),
                                                        collect::witness_names.end());
  verb->add_option("--witness", options.witnesses,
                   "Who observes: bpf, module, or both, the one as the proof of the other")
      ->transform(CLI::CheckedTransformer(names).description("{bpf,module,both}"))
      ->default_str("bpf");
  verb->add_option("--pid", options.pids, "Only this process and its later children")
      ->allow_extra_args(false);
  verb->add_option("--tid", options.tids, "Only this thread and its later children")
      ->allow_extra_args(false);
  verb->add_option("--cgroup", options.cgroups,
                   "Only threads in this cgroup (v2 path) or below it, while they are")
      ->allow_extra_args(false);
  verb->add_option("--comm", options.comms,
                   "Only threads whose name matches this glob, while it does")
      ->allow_extra_args(false);
  verb->add_option("--duration", arguments->duration, "For so long: 10, 1.5s, 250ms, 2m");
  verb->add_option("--ring", options.ring_bytes, "Bytes of each CPU's ring, a power of two")
      ->transform(CLI::AsSizeValue(false));
  verb->add_flag("--all", options.whole_machine, "With a command: the whole machine while it runs");
  verb->add_option("command", options.command, "A command to run and record (after --)");
  verb->positionals_at_end();
  verb->callback([&run, arguments] { run = [arguments] { return record(*arguments); }; });
}

}  // namespace schedscope::cli
