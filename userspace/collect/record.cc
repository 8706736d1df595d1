// SPDX-License-Identifier: GPL-2.0-only
#include "collect/record.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>

#include <fmt/format.h>

#include "collect/recorder.h"

namespace schedscope::collect {
namespace {

// The files that were wanted are written; the command is not ours to end for that.
void wait_for(Command& command, EndSignals& signals, Outcome& outcome) {
  std::array<pollfd, 2> events = {{
      {.fd = signals.fd(), .events = POLLIN, .revents = 0},
      {.fd = command.pid_fd(), .events = POLLIN, .revents = 0},
  }};
  while (!outcome.command_status && !outcome.interrupted) {
    ::poll(events.data(), events.size(), -1);
    outcome.command_status = command.status();
    for (int signal = signals.next(); signal != 0; signal = signals.next()) {
      outcome.interrupted = outcome.interrupted || signal != SIGUSR1;
    }
  }
}

}  // namespace

Result<Outcome> record(const Options& options) {
  auto signals = EndSignals::create(options.flight.has_value());
  if (!signals) return std::unexpected(signals.error());
  std::optional<Command> command;
  if (!options.command.empty()) {
    auto prepared = Command::prepare(options.command, options.command_stdout);
    if (!prepared) return std::unexpected(prepared.error());
    command.emplace(std::move(*prepared));
  }
  Options rest = options;
  std::set<std::uint32_t> selected;
  const std::uint64_t began_ns = Clocks::now_ns();
  for (std::uint32_t files = 1;; ++files) {
    auto outcome = Recorder(rest, *signals, command, selected).run();
    if (!outcome || outcome->trigger.empty() || outcome->interrupted) return outcome;
    if (files == options.flight->most_files) {
      if (command) wait_for(*command, *signals, *outcome);
      return outcome;
    }
    if (options.written) options.written(*outcome);
    if (!options.duration) continue;
    const std::chrono::nanoseconds gone(Clocks::now_ns() - began_ns);
    rest.duration = std::max(*options.duration - gone, std::chrono::nanoseconds(0));
  }
}

}  // namespace schedscope::collect
