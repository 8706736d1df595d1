// SPDX-License-Identifier: GPL-2.0-only
#include "collect/record.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <memory>
#include <ranges>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/fd.h"
#include "base/text.h"
#include "capture/writer.h"
#include "collect/cgroup_paths.h"
#include "collect/clocks.h"
#include "collect/command.h"
#include "collect/ledger.h"
#include "collect/machine_info.h"
#include "collect/module_stream.h"
#include "collect/probes.h"
#include "collect/selection.h"
#include "collect/user_rings.h"

namespace schedscope::collect {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// A ring holds a second of 100,000 switches a second; a drain costs the agent two switches.
constexpr milliseconds drain_every{25};
// How often the clocks are read together, and a chunk is written at the latest.
constexpr std::uint64_t flush_every_ns = 1'000'000'000;
constexpr std::uint64_t chunk_bytes = 4 * 1024 * 1024;
// The kernel times the probes until it has seen so many switches: the timing itself costs.
constexpr std::uint64_t measured_switches = 20'000;
// Records reach a ring, and rings of user threads the recorder, a moment after their stamp: a
// virtual CPU may be stopped in between.
constexpr std::uint64_t settled_after_ns = 200'000'000;

// Blocks the signals that end a recording and reads them from a descriptor instead.
class EndSignals {
 public:
  static Result<EndSignals> create() {
    EndSignals signals;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &set, &signals.before_);
    signals.armed_ = true;
    signals.fd_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals.fd_.valid()) return fail_errno("watch for Ctrl-C");
    return signals;
  }
  EndSignals(EndSignals&& other) noexcept
      : fd_(std::move(other.fd_)),
        before_(other.before_),
        armed_(std::exchange(other.armed_, false)) {}
  EndSignals& operator=(EndSignals&&) = delete;
  ~EndSignals() {
    if (!armed_) return;
    signalfd_siginfo pending{};
    while (fd_.valid() && ::read(fd_.get(), &pending, sizeof(pending)) == sizeof(pending)) {
    }
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
  }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  EndSignals() = default;
  Fd fd_;
  sigset_t before_{};
  bool armed_ = false;
};

Result<Fd> make_timer() {
  Fd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return fail_errno("make a timer");
  itimerspec spec{};
  spec.it_interval.tv_nsec = nanoseconds(drain_every).count();
  spec.it_value = spec.it_interval;
  if (::timerfd_settime(timer.get(), 0, &spec, nullptr) != 0) return fail_errno("set a timer");
  return timer;
}

std::uint64_t own_cpu_ns() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto ns = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_usec) * 1000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

// The module can do without what the probes lack, BTF above all.
Error without_probes(Error error) {
  if (error.exit == Exit::machine && Ledger::open()) error.cure += ", or use --witness module";
  return error;
}

void add_stats_of(const UserRings& rings, schedscope_cpu_stats& stats) {
  const UserRings::Stats user = rings.stats();
  stats.produced += user.produced();
  stats.lost[SCHEDSCOPE_LOST_OVERRUN] = user.overrun;
  stats.lost[SCHEDSCOPE_LOST_INVALID] = user.invalid;
}

// One recording, from attached probes to a finished file.
class Recorder {
 public:
  explicit Recorder(const Options& options) : options_(options) {}

  Result<Outcome> run() {
    if (auto ready = prepare(); !ready) return std::unexpected(ready.error());
    if (auto begun = begin(); !begun) {
      // Nothing was recorded: an empty capture would only be in the way.
      std::error_code gone;
      if (writer_) std::filesystem::remove(options_.output, gone);
      return std::unexpected(begun.error());
    }
    const Result<void> ran = loop();
    if (auto ended = end(); !ended) return std::unexpected(ended.error());
    if (!ran) return std::unexpected(ran.error());
    return std::move(outcome_);
  }

 private:
  Result<void> prepare();
  Result<void> begin();
  Result<void> loop();
  Result<void> end();

  Result<void> add_witnesses();
  Result<void> start_witnesses();
  [[nodiscard]] Witness& first() { return *witnesses_.front(); }
  [[nodiscard]] static std::uint64_t source_of(RecordView record);
  void drain();
  void flush(bool even_if_small);
  void read_clocks();
  void keep_stats();
  Result<void> walk(std::uint16_t flag);
  void read_ledger(std::uint16_t flag);
  [[nodiscard]] bool is_over();
  void end_command();
  void stop_measuring();
  void warn(const std::string& text) {
    if (outcome_.warning.empty()) outcome_.warning = text;
  }
  void tell(const std::string& text) const {
    if (options_.tell) options_.tell(text);
  }
  void keep(std::uint64_t source, RecordView record);

  const Options& options_;
  Outcome outcome_;
  capture::Machine machine_;
  Selection selection_;
  std::optional<EndSignals> signals_;
  std::optional<Command> command_;
  std::vector<std::unique_ptr<Witness>> witnesses_;  // one or two
  std::optional<Ledger> ledger_;
  std::optional<UserRings> user_rings_;
  std::optional<capture::Writer> writer_;
  CgroupPaths cgroup_paths_;
  Clocks clocks_;
  Fd timer_;
  std::set<std::uint32_t> processes_;  // that selected threads were seen in; only when filtering
  std::uint64_t last_drain_ns_ = 0;
  std::uint64_t flushed_ns_ = 0;
  std::uint64_t cpu_before_ns_ = 0;
  bool measuring_ = false;
};

// Where a witness's record comes from: its CPU's ring, or the witness itself.
std::uint64_t Recorder::source_of(RecordView record) {
  if (record.second()) return capture::Writer::second_source + record.cpu();
  return record.cpu() != SCHEDSCOPE_CPU_NONE ? record.cpu() : capture::Writer::agent_source;
}

void Recorder::keep(std::uint64_t source, RecordView record) {
  writer_->add(source, record);
  ++outcome_.records;
  if (record.kind() == SCHEDSCOPE_REC_LOST) outcome_.lost += record.as<schedscope_lost>().count;
  if (record.kind() == SCHEDSCOPE_REC_TASK) {
    cgroup_paths_.see(record.as<schedscope_task>().cgroup_id, record.time_ns(),
                      [this](RecordView path) { keep(capture::Writer::agent_source, path); });
  }
  if (!selection_.filtering()) return;
  if (record.kind() == SCHEDSCOPE_REC_FORK) {
    processes_.insert(record.as<schedscope_fork>().pid);
  } else if (record.kind() == SCHEDSCOPE_REC_TASK &&
             (record.flags() & SCHEDSCOPE_TASK_BYSTANDER) == 0) {
    processes_.insert(record.as<schedscope_task>().pid);
  }
}

Result<void> Recorder::add_witnesses() {
  const WitnessOptions options{.ring_bytes = options_.ring_bytes,
                               .filtering = selection_.filtering(),
                               .rules = selection_.rules(),
                               .rr_slice_ns = machine_.rr_timeslice_ms * 1'000'000};
  if (options_.witnesses == Witnesses::both && !selection_.rules().empty()) {
    return fail("record what is in a cgroup or has a name by both witnesses",
                "only BPF follows threads that come and go; the module takes those of the start",
                "leave --witness out, or select by --pid, --tid or a command", Exit::usage);
  }
  if (options_.witnesses != Witnesses::module) {
    auto probes = Probes::create(options);
    if (!probes) return std::unexpected(without_probes(probes.error()));
    witnesses_.push_back(std::move(*probes));
    machine_.streams.emplace_back("bpf");
  }
  if (options_.witnesses != Witnesses::bpf) {
    auto stream = ModuleStream::create(options, !witnesses_.empty());
    if (!stream) return std::unexpected(stream.error());
    witnesses_.push_back(std::move(*stream));
    machine_.streams.emplace_back("module");
  }
  if (options_.witnesses != Witnesses::module) machine_.witnesses.emplace_back("bpf");
  if (!selection_.rules().empty() && !first().follows_rules()) {
    machine_.filter += ", as of the start";
    tell(
        "the module takes who is in the cgroup or has the name now, and their children; whoever "
        "comes later is not recorded");
  }
  for (const std::string& text : first().missing()) machine_.missing.push_back(text);
  return {};
}

// The second begins after the first and ends before it: the first has what the second has.
Result<void> Recorder::start_witnesses() {
  for (const auto& witness : witnesses_) {
    if (auto started = witness->start(); !started) return started;
  }
  return {};
}

Result<void> Recorder::prepare() {
  machine_ = read_machine();
  machine_.command = fmt::format("{}", fmt::join(options_.command, " "));
  if (!cgroup_paths_.missing().empty()) machine_.missing.push_back(cgroup_paths_.missing());
  auto selection = Selection::from(options_);
  if (!selection) return std::unexpected(selection.error());
  selection_ = std::move(*selection);
  machine_.filter = selection_.description();

  auto signals = EndSignals::create();
  if (!signals) return std::unexpected(signals.error());
  signals_.emplace(std::move(*signals));
  if (!options_.command.empty()) {
    auto command = Command::prepare(options_.command, options_.command_stdout);
    if (!command) return std::unexpected(command.error());
    command_.emplace(std::move(*command));
    if (!options_.whole_machine) selection_.add(static_cast<std::uint32_t>(command_->pid()));
  }
  if (auto added = add_witnesses(); !added) return std::unexpected(added.error());
  if (auto ledger = Ledger::open()) {
    ledger_.emplace(std::move(*ledger));
    machine_.witnesses.emplace_back("module");
  } else if (ledger.error().code != ENOENT) {
    warn(ledger.error().message());
  }
  auto rings = UserRings::create(
      [this](std::uint32_t pid) { return !selection_.filtering() || processes_.contains(pid); });
  if (!rings) return std::unexpected(rings.error());
  user_rings_.emplace(std::move(*rings));
  if (!user_rings_->warning().empty()) machine_.missing.push_back(user_rings_->warning());
  auto timer = make_timer();
  if (!timer) return std::unexpected(timer.error());
  timer_ = std::move(*timer);
  return {};
}

Result<void> Recorder::begin() {
  cpu_before_ns_ = own_cpu_ns();
  for (const auto& witness : witnesses_) witness->measure(true);
  measuring_ = true;
  if (auto started = start_witnesses(); !started) return started;
  // From here on silence of a CPU means that nothing happened there.
  machine_.start_ns = outcome_.start_ns = Clocks::now_ns();
  last_drain_ns_ = flushed_ns_ = outcome_.start_ns;
  auto writer = capture::Writer::create(options_.output, machine_);
  if (!writer) return std::unexpected(writer.error());
  writer_ = std::move(*writer);
  read_clocks();
  for (const auto& witness : witnesses_) {
    if (auto selected = selection_.apply(*witness); !selected) return selected;
  }
  if (auto walked = walk(SCHEDSCOPE_TASK_BEGIN); !walked) return walked;
  if (selection_.filtering() && processes_.empty()) {
    tell(fmt::format("no thread matches {} yet: waiting for one", printable(machine_.filter)));
  }
  read_ledger(SCHEDSCOPE_ACCOUNT_BEGIN);
  user_rings_->discover();
  if (command_) return command_->go();
  return {};
}

bool Recorder::is_over() {
  signalfd_siginfo signal{};
  if (::read(signals_->fd(), &signal, sizeof(signal)) == sizeof(signal)) {
    outcome_.interrupted = true;
    return true;
  }
  if (command_) {
    outcome_.command_status = command_->status();
    if (outcome_.command_status) return true;
  }
  return options_.duration && Clocks::now_ns() - outcome_.start_ns >=
                                  static_cast<std::uint64_t>(options_.duration->count());
}

Result<void> Recorder::loop() {
  std::array<pollfd, 4> events = {{
      {.fd = timer_.get(), .events = POLLIN, .revents = 0},
      {.fd = signals_->fd(), .events = POLLIN, .revents = 0},
      {.fd = user_rings_->fd(), .events = POLLIN, .revents = 0},
      {.fd = command_ ? command_->pid_fd() : -1, .events = POLLIN, .revents = 0},
  }};
  for (;;) {
    if (::poll(events.data(), events.size(), -1) < 0 && errno != EINTR) {
      return fail_errno("wait for records");
    }
    std::uint64_t expirations = 0;
    (void)!::read(timer_.get(), &expirations, sizeof(expirations));
    drain();
    flush(false);
    if (is_over()) return {};
  }
}

void Recorder::drain() {
  const std::uint64_t began = Clocks::now_ns();
  for (const auto& witness : witnesses_) {
    const auto drained = witness->drain(
        [this](std::uint32_t, RecordView record) { keep(source_of(record), record); });
    if (!drained) warn(drained.error().message());
  }
  user_rings_->drain(clocks_,
                     [this](std::uint64_t source, RecordView record) { keep(source, record); });
  last_drain_ns_ = began;
  if (measuring_ && first().measured_switches() >= measured_switches) stop_measuring();
}

void Recorder::stop_measuring() {
  if (!measuring_) return;
  for (const auto& witness : witnesses_) witness->measure(false);
  machine_.measured_ns = Clocks::now_ns() - outcome_.start_ns;
  measuring_ = false;
}

void Recorder::flush(bool even_if_small) {
  const bool due = last_drain_ns_ - flushed_ns_ >= flush_every_ns;
  if (!even_if_small && !due && writer_->pending_bytes() < chunk_bytes) return;
  read_clocks();
  if (auto written = writer_->flush(last_drain_ns_ - settled_after_ns); !written) {
    warn(written.error().message());
  }
  flushed_ns_ = last_drain_ns_;
}

void Recorder::read_clocks() {
  const schedscope_clock clock = clocks_.sample();
  keep(capture::Writer::agent_source, view_of(clock));
}

Result<void> Recorder::walk(std::uint16_t flag) {
  for (const auto& witness : witnesses_) {
    const auto keep_walked = [&](RecordView record) { keep(source_of(record), record); };
    if (auto walked = witness->walk(flag, keep_walked); !walked) return walked;
  }
  return {};
}

void Recorder::read_ledger(std::uint16_t flag) {
  if (!ledger_) return;
  const auto read =
      ledger_->read(flag, [&](RecordView record) { keep(capture::Writer::agent_source, record); });
  if (!read) warn(read.error().message());
}

// After the last chunk of records is written, or could not be.
void Recorder::keep_stats() {
  for (const auto& witness : witnesses_) {
    auto all = witness->stats();
    if (!all) {
      warn(all.error().message());
      continue;
    }
    for (schedscope_cpu_stats& stats : *all) {
      const RecordView record = view_of(stats);
      if (record.cpu() != SCHEDSCOPE_CPU_NONE) {
        stats.lost[SCHEDSCOPE_LOST_WRITE] = writer_->dropped(source_of(record));
      } else if (!record.second()) {
        // The only losses that leave no record where they happened.
        outcome_.lost +=
            stats.lost[SCHEDSCOPE_LOST_RECURSION] + stats.lost[SCHEDSCOPE_LOST_PREEMPTED];
        add_stats_of(*user_rings_, stats);
      }
      keep(record.second() ? capture::Writer::second_source + SCHEDSCOPE_CPU_NONE
                           : capture::Writer::agent_source,
           record);
    }
  }
}

// A command that outlives its recording is asked to end, and made to two seconds later.
void Recorder::end_command() {
  if (!command_ || outcome_.command_status) return;
  ::kill(command_->pid(), outcome_.interrupted ? SIGINT : SIGTERM);
  pollfd event{.fd = command_->pid_fd(), .events = POLLIN, .revents = 0};
  ::poll(&event, 1, 2000);
  outcome_.command_status = command_->status();
  command_.reset();
}

Result<void> Recorder::end() {
  // The kernel's own counts are read while switches are still recorded, so that each
  // counted switch has its record.
  if (auto walked = walk(SCHEDSCOPE_TASK_END); !walked) warn(walked.error().message());
  read_ledger(SCHEDSCOPE_ACCOUNT_END);
  for (const auto& witness : std::views::reverse(witnesses_)) {
    if (auto stopped = witness->stop(); !stopped) warn(stopped.error().message());
  }
  stop_measuring();
  drain();
  outcome_.end_ns = Clocks::now_ns();
  for (const auto& witness : witnesses_) {
    witness->drain_gaps(
        [this](std::uint32_t, RecordView record) { keep(source_of(record), record); });
  }
  if (first().selection_failed() != 0) {
    warn(fmt::format("{} threads were not recorded: more than 131,072 selected at once",
                     first().selection_failed()));
  }
  if (selection_.filtering() && processes_.empty()) {
    tell(fmt::format("no thread matched {}: nothing was recorded", printable(machine_.filter)));
  }
  end_command();
  flush(true);
  keep_stats();
  machine_.agent_cpu_ns = own_cpu_ns() - cpu_before_ns_;
  const auto finished = writer_->finish(machine_, outcome_.end_ns);
  outcome_.file_bytes = writer_->file_bytes();
  if (writer_->dropped() != 0) {
    outcome_.lost += writer_->dropped();
    outcome_.records -= std::min(outcome_.records, writer_->dropped());
  }
  if (!finished) warn(finished.error().message());
  return {};
}

}  // namespace

Result<Outcome> record(const Options& options) {
  Recorder recorder(options);
  return recorder.run();
}

}  // namespace schedscope::collect
