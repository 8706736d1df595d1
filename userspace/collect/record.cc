// SPDX-License-Identifier: GPL-2.0-only
#include "collect/record.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "collect/recorder.h"

namespace schedscope::collect {
namespace {

// One recording, or a flight recorder's one after the other.
class Recordings {
 public:
  Recordings(const Options& options, Selection selection, EndSignals& signals,
             std::optional<Command>& command, std::shared_ptr<Tally> tally)
      : options_(options),
        rest_(options),
        selection_(std::move(selection)),
        signals_(signals),
        command_(command),
        tally_(std::move(tally)) {}

  [[nodiscard]] Result<Outcome> run();

 private:
  [[nodiscard]] Result<Outcome> next();
  [[nodiscard]] std::chrono::nanoseconds left() const;
  [[nodiscard]] bool is_interrupted();
  void wait_for_command(Outcome& outcome);

  const Options& options_;
  Options rest_;  // what is left of them
  Selection selection_;
  EndSignals& signals_;
  std::optional<Command>& command_;
  std::shared_ptr<Tally> tally_;
  std::set<std::uint32_t> selected_;
  std::uint64_t began_ns_ = Clocks::now_ns();
};

Result<Outcome> Recordings::next() {
  return Recorder(rest_, selection_, signals_, command_, selected_, tally_).run();
}

std::chrono::nanoseconds Recordings::left() const {
  const std::chrono::nanoseconds gone(Clocks::now_ns() - began_ns_);
  return std::max(*options_.duration - gone, std::chrono::nanoseconds(0));
}

bool Recordings::is_interrupted() {
  bool interrupted = false;
  for (int signal = signals_.next(); signal != 0; signal = signals_.next()) {
    interrupted = interrupted || signal != SIGUSR1;
  }
  return interrupted;
}

// Recording is over before the command is, which is not ended for that.
void Recordings::wait_for_command(Outcome& outcome) {
  if (!command_ || outcome.command_status) return;
  std::array<pollfd, 2> events = {{
      {.fd = signals_.fd(), .events = POLLIN, .revents = 0},
      {.fd = command_->pid_fd(), .events = POLLIN, .revents = 0},
  }};
  while (!outcome.command_status) {
    using std::chrono::milliseconds;
    const bool over = options_.duration && left().count() == 0;
    outcome.interrupted = outcome.interrupted || is_interrupted();
    if (over || outcome.interrupted) {
      outcome.command_status = command_->end(outcome.interrupted ? SIGINT : SIGTERM);
      return;
    }
    const auto wait =
        options_.duration ? std::chrono::ceil<milliseconds>(left()) : milliseconds(-1);
    const auto most = std::min<std::int64_t>(wait.count(), 3'600'000);
    ::poll(events.data(), events.size(), static_cast<int>(most));
    outcome.command_status = command_->status();
  }
}

Result<Outcome> Recordings::run() {
  auto outcome = next();
  std::string warning;
  for (std::uint32_t files = 1;; ++files) {
    if (!outcome || outcome->trigger.empty() || outcome->interrupted) break;
    if (outcome->command_status) break;
    if (warning.empty()) warning = outcome->warning;
    outcome->interrupted = is_interrupted();
    if (files == options_.flight->most_files || outcome->interrupted ||
        (options_.duration && left().count() == 0)) {
      wait_for_command(*outcome);
      break;
    }
    if (options_.written) options_.written(*outcome);
    if (options_.duration) rest_.duration = left();
    auto following = next();
    if (!following) {
      // The files are there, and the command is not to blame.
      outcome->warning = following.error().message();
      wait_for_command(*outcome);
      break;
    }
    outcome = std::move(following);
  }
  if (outcome && outcome->warning.empty()) outcome->warning = warning;
  return outcome;
}

// It counts everybody, and needs no other witness than the kernel's own notes.
Result<void> check_tally(const Options& options) {
  const bool selects = !options.pids.empty() || !options.tids.empty() || !options.cgroups.empty() ||
                       !options.comms.empty();
  const bool extras = options.stacks || options.interrupts || options.eevdf;
  if (!options.tally || options.flight) return {};
  if (!selects && !extras && options.witnesses == Witnesses::bpf) return {};
  return fail(
      "record a tally alone", "it counts the whole machine, and no event of it is looked at",
      "leave --tally out, or all that selects threads or asks for more of them", Exit::usage);
}

// Before the fair threads, of which hundreds may be ready: the rings fill while it is not its turn.
// Not the command, which is there already, nor the threads that this one makes.
Result<void> become_realtime(int priority) {
  if (priority == 0) return {};
  const sched_param param{.sched_priority = priority};
  if (::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) == 0) return {};
  return fail_errno(fmt::format("record at real-time priority {}", priority),
                    "run it as root, or leave --realtime out");
}

}  // namespace

Result<Outcome> record(const Options& options) {
  if (auto possible = check_tally(options); !possible) return std::unexpected(possible.error());
  auto selection = Selection::from(options);
  if (!selection) return std::unexpected(selection.error());
  auto signals = EndSignals::create(options.flight.has_value());
  if (!signals) return std::unexpected(signals.error());
  std::optional<Command> command;
  if (!options.command.empty()) {
    auto prepared = Command::prepare(options.command, options.command_stdout);
    if (!prepared) return std::unexpected(prepared.error());
    command.emplace(std::move(*prepared));
  }
  if (auto become = become_realtime(options.realtime); !become) {
    return std::unexpected(become.error());
  }
  std::shared_ptr<Tally> tally;
  if (options.tally) {
    auto made = Tally::create();
    if (!made) return std::unexpected(made.error());
    tally = std::move(*made);
  }
  return Recordings(options, std::move(*selection), *signals, command, std::move(tally)).run();
}

}  // namespace schedscope::collect
