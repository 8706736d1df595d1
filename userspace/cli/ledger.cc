// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include <algorithm>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/output.h"
#include "cli/verbs.h"
#include "collect/clocks.h"
#include "collect/ledger.h"
#include "report/ledger.h"

namespace schedscope::cli {
namespace {

struct Arguments {
  std::uint32_t tid = 0;
  std::size_t top = 20;
  bool json = false;
};

Result<report::LedgerReading> read_ledger() {
  const auto ledger = collect::Ledger::open();
  if (!ledger) return std::unexpected(ledger.error());
  report::LedgerReading reading;
  const auto read = ledger->read(
      0, [&](RecordView record) { reading.accounts.push_back(record.as<schedscope_account>()); });
  if (!read) return std::unexpected(read.error());
  // Afterwards: what was missed or dropped meanwhile is in it.
  const auto info = ledger->info();
  if (!info) return std::unexpected(info.error());
  reading.info = *info;
  reading.read_ns = collect::Clocks::now_ns();
  return reading;
}

Result<Exit> show_ledger(const Arguments& arguments) {
  auto reading = read_ledger();
  if (!reading) return std::unexpected(reading.error());
  report::TextOptions options = report::options_for(STDOUT_FILENO);
  options.top = arguments.top;
  if (arguments.tid != 0) {
    options.thread = fmt::format("{}", arguments.tid);
    const bool there = std::ranges::any_of(
        reading->accounts, [&](const auto& account) { return account.tid == arguments.tid; });
    if (!there) {
      return fail(fmt::format("show the account of thread {}", arguments.tid),
                  "the module's ledger has none",
                  "`schedscope ledger --top 0` lists all that it has", Exit::usage);
    }
    if (arguments.json) {
      std::erase_if(reading->accounts,
                    [&](const auto& account) { return account.tid != arguments.tid; });
    }
  }
  const auto printed =
      print_result(arguments.json ? report::ledger_json(std::move(*reading))
                                  : report::ledger_text(std::move(*reading), options));
  if (!printed) return std::unexpected(printed.error());
  return Exit::done;
}

}  // namespace

void add_ledger(CLI::App& app, Run& run) {
  CLI::App* verb = app.add_subcommand(
      "ledger", "Show every thread's account since the module was loaded, without recording");
  auto arguments = std::make_shared<Arguments>();
  verb->add_flag("--json", arguments->json, "As JSON, every account");
  verb->add_option("--tid", arguments->tid, "Only threads with this tid, each in full")
      ->type_name("TID")
      ->check(CLI::PositiveNumber);
  verb->add_option("--top", arguments->top, "Rows of the table, 0 for all (20)")->type_name("N");
  verb->callback([&run, arguments] { run = [arguments] { return show_ledger(*arguments); }; });
}

}  // namespace schedscope::cli
