// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/duration.h"
#include "base/file.h"
#include "capture/reader.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "report/critical_path.h"
#include "report/html.h"
#include "report/json.h"
#include "report/load.h"
#include "report/pictures.h"
#include "report/text.h"

namespace schedscope::cli {
namespace {

struct Arguments {
  std::string file = "schedscope.data";
  std::string html;
  std::string lab;
  std::string thread;
  std::string critical_path;
  std::string from, to;
  std::size_t top = 20;
  bool json = false;
  bool by_cgroup = false;
  bool quick = false;
};

// --from and --to count from the capture's start.
Result<analysis::Window> window_of(const Arguments& arguments) {
  analysis::Window window;
  if (arguments.from.empty() && arguments.to.empty()) return window;
  const auto reader = capture::Reader::open(arguments.file);
  if (!reader) return std::unexpected(reader.error());
  const std::uint64_t start_ns = reader->machine().start_ns;
  for (const auto& [text, edge] :
       {std::pair(&arguments.from, &window.from_ns), std::pair(&arguments.to, &window.to_ns)}) {
    if (text->empty()) continue;
    const auto offset = parse_duration(*text);
    if (!offset) return std::unexpected(offset.error());
    *edge = start_ns + static_cast<std::uint64_t>(offset->count());
  }
  if (window.to_ns != 0 && window.from_ns >= window.to_ns) {
    return fail("report that stretch", "--to is not after --from", "both count from the start",
                Exit::usage);
  }
  return window;
}

Result<void> show(const analysis::Report& report, const Arguments& arguments) {
  if (arguments.json) return print_result(report::json_report(report));
  if (!arguments.html.empty()) return {};
  report::TextOptions options = report::options_for(STDOUT_FILENO);
  options.thread = arguments.thread;
  options.by_cgroup = arguments.by_cgroup;
  options.top = arguments.top;
  if (report.critical_path) {
    return print_result(report::critical_path_text(report, **report.critical_path, options));
  }
  return print_result(report::text_report(report, options));
}

Result<void> write_page(const analysis::Report& report, const report::Pictures& pictures,
                        const Arguments& arguments) {
  if (arguments.html.empty()) return {};
  std::string lab;
  if (!arguments.lab.empty()) {
    auto text = read_text(arguments.lab);
    if (!text) return fail_errno("read " + arguments.lab, "name a lab.json", Exit::input);
    lab = std::move(*text);
  }
  auto written = report::write_html(arguments.html, report, pictures, lab);
  if (written) fmt::print(stderr, "schedscope: wrote {}\n", arguments.html);
  return written;
}

Result<Exit> run_report(const Arguments& arguments) {
  const auto window = window_of(arguments);
  if (!window) return std::unexpected(window.error());
  report::Pictures pictures(report::Pictures::default_cells, *window);
  std::vector<timeline::Sink*> sinks;
  if (!arguments.html.empty()) sinks.push_back(&pictures);
  const auto report = report::load(arguments.file, *window, sinks,
                                   arguments.quick ? report::Extent::window : report::Extent::whole,
                                   arguments.critical_path);
  if (!report) return std::unexpected(report.error());
  if (const auto& path = report->critical_path; path.has_value() && !path->has_value()) {
    return std::unexpected(path->error());
  }

  if (auto written = write_page(*report, pictures, arguments); !written) {
    return std::unexpected(written.error());
  }
  if (auto shown = show(*report, arguments); !shown) return std::unexpected(shown.error());
  if (report->complete) return Exit::done;
  fmt::print(stderr, "schedscope: the capture is not whole: {}; reported what is there\n",
             report->damage);
  return Exit::input;
}

}  // namespace

void add_report(CLI::App& app, Run& run) {
  CLI::App* verb = app.add_subcommand("report", "Analyse a capture");
  auto arguments = std::make_shared<Arguments>();
  verb->add_option("file", arguments->file, "The capture")->capture_default_str();
  verb->add_flag("--json", arguments->json, "As JSON");
  verb->add_option("--html", arguments->html, "Write a page with a timeline here");
  verb->add_option("--lab", arguments->lab, "A lab.json whose verdicts the page shows too");
  verb->add_option("--thread", arguments->thread,
                   "Only threads with this tid or in whose name it is");
  verb->add_option("--critical-path", arguments->critical_path,
                   "What the time of the thread with this tid, or this in its name, depended on")
      ->check([](const std::string& thread) { return thread.empty() ? "name a thread" : ""; }, "")
      ->excludes("--thread");
  verb->add_flag("--by-cgroup", arguments->by_cgroup,
                 "A table of cgroups in place of that of threads")
      ->excludes("--thread")
      ->excludes("--critical-path");
  verb->add_option("--top", arguments->top, "Rows of each table, 0 for all")->capture_default_str();
  verb->add_option("--from", arguments->from, "From this time after the start: 1.5s, 200ms");
  verb->add_option("--to", arguments->to, "Up to this time after the start");
  verb->add_flag(
      "--quick", arguments->quick,
      "With --from or --to: read no more than that; a thread that did nothing then is unknown");
  verb->callback([&run, arguments] { run = [arguments] { return run_report(*arguments); }; });
}

}  // namespace schedscope::cli
