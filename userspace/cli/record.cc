// SPDX-License-Identifier: GPL-2.0-only
#include "collect/record.h"

#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "analysis/report.h"
#include "base/duration.h"
#include "base/text.h"
#include "cli/verbs.h"
#include "report/load.h"

namespace schedscope::cli {
namespace {

struct Arguments {
  collect::Options options;
  std::string duration;
  std::string flight, wait, slice;  // durations
  std::vector<std::string> findings;
  collect::FlightOptions flight_options;
};

// What happened, on stderr: stdout belongs to the command.
void say(const collect::Outcome& outcome, bool in_realtime) {
  const std::uint64_t span_ns = outcome.end_ns - outcome.start_ns;
  fmt::print(stderr, "schedscope: {} records in {}, {} lost; {} in {}\n", outcome.records,
             human_ns(span_ns), outcome.lost, human_bytes(outcome.file_bytes),
             outcome.file.string());
  if (outcome.ring_full != 0) {
    fmt::print(
        stderr,
        "schedscope: {} of them since the rings were full before it was the recorder's turn: "
        "give --ring more bytes{}\n",
        outcome.ring_full, in_realtime ? "" : ", or the recorder --realtime 1");
  }
  if (!outcome.trigger.empty()) fmt::print(stderr, "schedscope: because: {}\n", outcome.trigger);
  if (!outcome.warning.empty()) fmt::print(stderr, "schedscope: {}\n", outcome.warning);
  if (!outcome.command_status) return;
  const int status = *outcome.command_status;
  if (WIFSIGNALED(status)) {
    fmt::print(stderr, "schedscope: the command was ended by signal {}\n", WTERMSIG(status));
  } else if (WEXITSTATUS(status) != 0) {
    fmt::print(stderr, "schedscope: the command exited with {}\n", WEXITSTATUS(status));
  }
}

Result<void> read_duration(const std::string& text,
                           const std::function<void(std::chrono::nanoseconds)>& take) {
  if (text.empty()) return {};
  const auto duration = parse_duration(text);
  if (!duration) return std::unexpected(duration.error());
  take(*duration);
  return {};
}

// The costliest of these kinds.
decltype(collect::FlightOptions::look) look_for(std::vector<std::string> kinds) {
  return [kinds = std::move(kinds)](const std::filesystem::path& capture, std::uint64_t to_ns,
                                    const std::stop_token& stop) -> Result<std::string> {
    const auto report =
        report::load(capture, {.from_ns = 0, .to_ns = to_ns}, {}, report::Extent::whole, {}, stop);
    if (!report) return std::unexpected(report.error());
    const auto found = std::ranges::find_if(report->findings, [&](const auto& finding) {
      return std::ranges::find(kinds, finding.kind) != kinds.end();
    });
    return found == report->findings.end() ? "" : fmt::format("{}: {}", found->kind, found->text);
  };
}

Result<void> read_flight(Arguments& arguments) {
  collect::FlightOptions& flight = arguments.flight_options;
  const auto to = [](std::uint64_t& ns) {
    return
        [&ns](std::chrono::nanoseconds value) { ns = static_cast<std::uint64_t>(value.count()); };
  };
  if (auto read = read_duration(arguments.wait, to(flight.wait_ns)); !read) return read;
  if (auto read = read_duration(arguments.slice, to(flight.slice_ns)); !read) return read;
  if (auto read = read_duration(arguments.flight, [&](auto value) { flight.span = value; });
      !read) {
    return read;
  }
  for (const auto& [text, ns] :
       {std::pair{arguments.wait, flight.wait_ns}, std::pair{arguments.slice, flight.slice_ns}}) {
    if (text.empty()) continue;
    if (ns != 0 && ns <= static_cast<std::uint64_t>(flight.span.count())) continue;
    return fail(fmt::format("write what is kept after {}", text),
                ns == 0 ? "that is no time at all" : "no more than --flight is kept of it",
                "give a time between the two", Exit::usage);
  }
  if (flight.span < std::chrono::seconds(1)) {
    return fail(fmt::format("keep the last {}", arguments.flight), "that is less than a second",
                "give what is to be seen in the file, such as --flight 30s", Exit::usage);
  }
  if (!arguments.findings.empty()) flight.look = look_for(arguments.findings);
  arguments.options.flight = flight;
  return {};
}

Result<Exit> record(Arguments arguments) {
  if (auto read = read_duration(arguments.duration,
                                [&](auto value) { arguments.options.duration = value; });
      !read) {
    return std::unexpected(read.error());
  }
  if (!arguments.flight.empty()) {
    if (auto read = read_flight(arguments); !read) return std::unexpected(read.error());
  }
  if (arguments.options.tally && arguments.flight.empty()) arguments.options.whole_machine = true;
  const auto tell = [in_realtime = arguments.options.realtime != 0](
                        const collect::Outcome& outcome) { say(outcome, in_realtime); };
  arguments.options.written = tell;
  arguments.options.tell = [](const std::string& text) {
    fmt::print(stderr, "schedscope: {}\n", text);
  };
  const auto outcome = collect::record(arguments.options);
  if (!outcome) return std::unexpected(outcome.error());
  tell(*outcome);
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
  verb->add_option("-p,--pid", options.pids, "Only this process and its later children")
      ->allow_extra_args(false);
  verb->add_option("-t,--tid", options.tids, "Only this thread and its later children")
      ->allow_extra_args(false);
  verb->add_option("--cgroup", options.cgroups,
                   "Only threads in this cgroup (v2 path) or below it, while they are")
      ->allow_extra_args(false);
  verb->add_option("--comm", options.comms,
                   "Only threads whose name matches this glob, while it does")
      ->allow_extra_args(false);
  verb->add_flag("--interrupts", options.interrupts,
                 "Also what interrupts and softirqs take of each slice");
  verb->add_flag("--eevdf", options.eevdf,
                 "Also where fair threads stand at each switch: vruntime, deadline, lag");
  verb->add_option("--duration", arguments->duration, "For so long: 10, 1.5s, 250ms, 2m");
  auto* flight = verb->add_option(
      "--flight", arguments->flight,
      "Keep only the last span in memory; write it on SIGUSR1, past a limit, and at the end");
  collect::FlightOptions& of_flight = arguments->flight_options;
  verb->add_option("--wait", arguments->wait, "With --flight: write when a thread waits so long")
      ->needs(flight);
  verb->add_option("--slice", arguments->slice, "With --flight: write when a slice is so long")
      ->needs(flight);
  verb->add_option("--finding", arguments->findings,
                   "With --flight: write when a report of the last part would have such a finding")
      ->needs(flight)
      ->allow_extra_args(false)
      ->check(CLI::IsMember(std::vector<std::string>(analysis::finding_kinds.begin(),
                                                     analysis::finding_kinds.end())));
  verb->add_option("--files", of_flight.most_files, "With --flight: end after so many files")
      ->needs(flight)
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  verb->add_option("--memory", of_flight.most_bytes,
                   "With --flight: bytes of memory for what is kept")
      ->needs(flight)
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(std::uint64_t{64} << 10, std::uint64_t{1} << 40))
      ->default_str("256M");
  verb->add_flag(
      "--tally", options.tally,
      "Only histograms of slices and waits, counted in the kernel; beside --flight, too");
  verb->add_option("--ring", options.ring_bytes, "Bytes of each CPU's ring, a power of two")
      ->transform(CLI::AsSizeValue(false));
  verb->add_option("--realtime", options.realtime,
                   "Have the recorder run before all fair threads: its SCHED_FIFO priority")
      ->check(CLI::Range(1, 99));
  verb->add_flag("--stacks", options.stacks,
                 "With where each thread goes to sleep: its stacks, in the kernel and outside");
  verb->add_flag("-a,--all", options.whole_machine,
                 "With a command: the whole machine while it runs");
  verb->add_option("command", options.command, "A command to run and record (after --)");
  verb->positionals_at_end();
  verb->callback([&run, arguments] { run = [arguments] { return record(*arguments); }; });
}

}  // namespace schedscope::cli
