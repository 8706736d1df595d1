// SPDX-License-Identifier: GPL-2.0-only
#include "collect/recorder.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "collect/machine_info.h"
#include "collect/module_stream.h"
#include "collect/probes.h"

namespace schedscope::collect {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// A ring holds a second of 100,000 switches a second; a drain costs the agent two switches.
constexpr milliseconds drain_every{25};
// Where there is nothing to drain: whether it is over.
constexpr milliseconds look_every{100};
// How often the clocks are read together, and a chunk is written at the latest.
constexpr std::uint64_t flush_every_ns = 1'000'000'000;
constexpr std::uint64_t tally_every_ns = 10'000'000'000;
constexpr std::uint64_t chunk_bytes = 4 * 1024 * 1024;
// The kernel times the probes until it has seen so many switches: the timing itself costs.
constexpr std::uint64_t measured_switches = 20'000;
// For the symbols of new files, at each drain.
constexpr std::uint64_t symbols_budget_ns = 5'000'000;

Result<Fd> make_timer(nanoseconds every) {
  Fd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return fail_errno("make a timer");
  itimerspec spec{};
  spec.it_interval.tv_nsec = every.count();
  spec.it_value = spec.it_interval;
  if (::timerfd_settime(timer.get(), 0, &spec, nullptr) != 0) return fail_errno("set a timer");
  return timer;
}

// The module can do without what the probes lack, BTF above all.
Error without_probes(Error error) {
  if (error.exit == Exit::machine && Ledger::open()) error.cure += ", or use --witness module";
  return error;
}

// The kernel's own numbers of threads are those of the first pid namespace, whose name is fixed.
bool in_first_pid_namespace() {
  std::error_code none;
  const auto name = std::filesystem::read_symlink("/proc/self/ns/pid", none);
  return name.empty() || name == "pid:[4026531836]";
}

}  // namespace

std::uint64_t own_cpu_ns() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto ns = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_usec) * 1000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

Result<Outcome> Recorder::run() {
  if (auto ready = prepare(); !ready) return std::unexpected(ready.error());
  if (auto begun = begin(); !begun) return std::unexpected(begun.error());
  const Result<void> ran = loop();
  if (auto ended = end(); !ended) return std::unexpected(ended.error());
  if (!ran) return std::unexpected(ran.error());
  return std::move(outcome_);
}

// Where a witness's record comes from: its CPU's ring, or the witness itself.
std::uint64_t Recorder::source_of(RecordView record) {
  if (record.second()) return capture::Writer::second_source + record.cpu();
  return record.cpu() != SCHEDSCOPE_CPU_NONE ? record.cpu() : capture::Writer::agent_source;
}

void Recorder::keep(std::uint64_t source, RecordView record) {
  writer_->add(source, record);
  if (flight_) {
    flight_->count(source, record);
    standing_.see(source, record);
  }
  ++outcome_.records;
  if (record.kind() == SCHEDSCOPE_REC_LOST) {
    const auto& lost = record.as<schedscope_lost>();
    outcome_.lost += lost.count;
    if (lost.cause == SCHEDSCOPE_LOST_RING_FULL) outcome_.ring_full += lost.count;
    if (!record.second() && record.cpu() != SCHEDSCOPE_CPU_NONE) told_lost_ += lost.count;
  }
  if (record.kind() == SCHEDSCOPE_REC_TASK) {
    cgroup_paths_.see(record.as<schedscope_task>().cgroup_id, record.time_ns(),
                      [this](RecordView path) { keep(capture::Writer::agent_source, path); });
  }
  if (selection_.filtering()) note_selected(record);
}

void Recorder::take(RecordView record) {
  keep(source_of(record), record);
  if (trigger_) trigger_->see(record);
}

void Recorder::note_selected(RecordView record) {
  if (record.kind() == SCHEDSCOPE_REC_FORK) {
    processes_.insert(record.as<schedscope_fork>().pid);
    if (flight_) select(record.as<schedscope_fork>().tid, record.time_ns());
  } else if (record.kind() == SCHEDSCOPE_REC_TASK) {
    const auto& task = record.as<schedscope_task>();
    const bool outside = (record.flags() & SCHEDSCOPE_TASK_BYSTANDER) != 0;
    if (!outside) processes_.insert(task.pid);
    if (outside) selected_.erase(task.tid);
    if (!outside && flight_) select(task.tid, record.time_ns());
  } else if (record.kind() == SCHEDSCOPE_REC_EXIT) {
    if (!flight_) return;
    std::uint64_t& exited = exited_[record.as<schedscope_exit>().tid];
    exited = std::max(exited, record.time_ns());
  }
}

Result<void> Recorder::add_witnesses() {
  const WitnessOptions options{.ring_bytes = options_.ring_bytes,
                               .filtering = selection_.filtering(),
                               .rules = selection_.rules(),
                               .rr_slice_ns = machine_.rr_timeslice_ms * 1'000'000,
                               .stacks = options_.stacks,
                               .interrupts = options_.interrupts,
                               .eevdf = options_.eevdf};
  if (options_.witnesses == Witnesses::module && (options_.interrupts || options_.eevdf)) {
    return fail(fmt::format("record {} by the module",
                            options_.interrupts ? "interrupts" : "EEVDF's state"),
                "only BPF tells of it", "leave --witness out, or give --witness both", Exit::usage);
  }
  if (options_.witnesses == Witnesses::both && !selection_.rules().empty()) {
    return fail("record what is in a cgroup or has a name by both witnesses",
                "only BPF follows threads that come and go; the module takes those of the start",
                "leave --witness out, or select by --pid, --tid or a command", Exit::usage);
  }
  if (is_tally_alone()) {
    witnesses_.push_back(std::make_unique<NoEvents>(tally_));
    return {};
  }
  if (options_.witnesses == Witnesses::module && options_.stacks) {
    return fail("take stacks by the module", "only BPF can", "leave --witness or --stacks out",
                Exit::usage);
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
  if (options_.interrupts) machine_.extras.emplace_back("interrupts");
  if (options_.eevdf) machine_.extras.emplace_back("eevdf");
  return {};
}

// The second begins after the first and ends before it: the first has what the second has.
Result<void> Recorder::start_witnesses() {
  for (const auto& witness : witnesses_) {
    if (auto started = witness->start(); !started) return started;
  }
  return {};
}

void Recorder::open_ledger() {
  if (auto ledger = Ledger::open()) {
    ledger_.emplace(std::move(*ledger));
    machine_.witnesses.emplace_back("module");
  } else if (ledger.error().code != ENOENT) {
    warn(ledger.error().message());
  }
}

Result<void> Recorder::check_namespace() {
  if (in_first_pid_namespace()) return {};
  if (selection_.filtering() && selection_.rules().empty()) {
    return fail("record a process from inside a pid namespace",
                "the kernel knows it by another number than is seen there",
                "run it outside of the container, or in one that has the host's (--pid=host)",
                Exit::machine);
  }
  machine_.missing.emplace_back(
      "names of threads outside of the recorder's pid namespace, but of new ones");
  return {};
}

Result<void> Recorder::prepare() {
  machine_ = read_machine();
  if (options_.stacks) prepare_stacks();
  machine_.command = fmt::format("{}", fmt::join(options_.command, " "));
  if (!cgroup_paths_.missing().empty()) machine_.missing.push_back(cgroup_paths_.missing());
  machine_.filter = selection_.description();

  if (command_ && !options_.whole_machine) {
    selection_.add(static_cast<std::uint32_t>(command_->pid()));
  }
  if (auto known = check_namespace(); !known) return known;
  // Rules find whom they select by themselves, and also who is not any more.
  const auto before = std::exchange(selected_, {});
  if (selection_.rules().empty()) selection_.add_selected(before);
  if (auto added = add_witnesses(); !added) return std::unexpected(added.error());
  if (!is_tally_alone()) open_ledger();
  auto rings = UserRings::create([this](std::uint32_t pid) {
    return !is_tally_alone() && (!selection_.filtering() || processes_.contains(pid));
  });
  if (!rings) return std::unexpected(rings.error());
  user_rings_.emplace(std::move(*rings));
  if (!user_rings_->warning().empty()) machine_.missing.push_back(user_rings_->warning());
  auto timer = make_timer(is_tally_alone() ? look_every : drain_every);
  if (!timer) return std::unexpected(timer.error());
  timer_ = std::move(*timer);
  return {};
}

Result<void> Recorder::begin() {
  cpu_before_ns_ = own_cpu_ns();
  for (const auto& witness : witnesses_) witness->measure(true);
  if (tally_ && !is_tally_alone()) {
    tally_before_ = tally_->measured();
    tally_->measure(true);
  }
  measuring_ = true;
  if (auto started = start_witnesses(); !started) return started;
  // From here on silence of a CPU means that nothing happened there.
  machine_.start_ns = outcome_.start_ns = Clocks::now_ns();
  last_drain_ns_ = flushed_ns_ = outcome_.start_ns;
  if (auto opened = open_file(); !opened) return opened;
  for (const auto& witness : witnesses_) {
    if (auto selected = selection_.apply(*witness); !selected) return selected;
  }
  if (auto opened = open_recording(); !opened) return opened;
  if (flight_) {
    flush(true);
    flight_->opened();
  }
  if (selection_.filtering() && processes_.empty()) {
    tell(fmt::format("no thread matches {} yet: waiting for one", printable(machine_.filter)));
  }
  user_rings_->discover();
  if (command_ && !command_->is_going()) {
    if (auto gone = command_->go(); !gone) return gone;
  }
  // Not before: a recording that cannot begin takes nobody's capture away.
  return file_ ? file_->appear() : Result<void>{};
}

Result<void> Recorder::open_file() {
  if (options_.flight) {
    flight_.emplace(capture::Flight::Settings{
        .span_ns = static_cast<std::uint64_t>(options_.flight->span.count()),
        .most_bytes = options_.flight->most_bytes});
    flight_->begin_piece(outcome_.start_ns, cpu_before_ns_);
    writer_ = &flight_->writer();
    const Trigger::Limits limits{.wait_ns = options_.flight->wait_ns,
                                 .slice_ns = options_.flight->slice_ns};
    if (limits.any()) {
      trigger_.emplace(limits, [this](std::uint32_t tid) {
        return !selection_.filtering() || selected_.contains(tid);
      });
    }
    return try_flight_file();
  }
  auto writer = capture::Writer::prepare(options_.output, machine_);
  if (!writer) return std::unexpected(writer.error());
  file_ = std::move(*writer);
  writer_ = &*file_;
  return {};
}

// What a capture must know that begins now.
Result<void> Recorder::open_recording() {
  read_clocks();
  if (auto walked = walk(SCHEDSCOPE_TASK_BEGIN); !walked) return walked;
  read_ledger(SCHEDSCOPE_ACCOUNT_BEGIN);
  tell_cpus_off();
  return {};
}

// A CPU that comes up after it was looked at says so later than this.
void Recorder::tell_cpus_off() {
  const std::uint64_t now_ns = Clocks::now_ns();
  for (std::uint32_t cpu = 0; cpu < machine_.cpus; ++cpu) {
    if (!is_cpu_off(cpu)) continue;
    auto record = make_record<schedscope_hotplug>(SCHEDSCOPE_REC_HOTPLUG, now_ns,
                                                  SCHEDSCOPE_CPU_NONE, SCHEDSCOPE_HOTPLUG_OFF);
    record.of_cpu = cpu;
    keep(capture::Writer::agent_source, view_of(record));
  }
}

bool Recorder::is_signalled() {
  for (int signal = signals_.next(); signal != 0; signal = signals_.next()) {
    outcome_.interrupted = outcome_.interrupted || signal != SIGUSR1;
    if (signal == SIGUSR1) machine_.trigger = "SIGUSR1";
  }
  return outcome_.interrupted || !machine_.trigger.empty();
}

bool Recorder::is_over() {
  if (is_signalled()) return true;
  if (command_) {
    outcome_.command_status = command_->status();
    if (outcome_.command_status) return true;
  }
  if (is_triggered(certain_ns_) || has_found()) return true;
  forget_exited(certain_ns_ - std::min(certain_ns_, settled_after_ns));
  return options_.duration && Clocks::now_ns() - outcome_.start_ns >=
                                  static_cast<std::uint64_t>(options_.duration->count());
}

Result<void> Recorder::loop() {
  std::array<pollfd, 4> events = {{
      {.fd = timer_.get(), .events = POLLIN, .revents = 0},
      {.fd = signals_.fd(), .events = POLLIN, .revents = 0},
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
    if (flight_ && flight_->is_piece_full(last_drain_ns_)) begin_piece();
  }
}

void Recorder::drain() {
  const std::uint64_t began = Clocks::now_ns();
  certain_ns_ = last_drain_ns_ - std::min(last_drain_ns_, settled_after_ns);
  for (const auto& witness : witnesses_) {
    const auto drained = witness->drain([this](std::uint32_t, RecordView record) {
      if (record.kind() == SCHEDSCOPE_REC_STACK) {
        const schedscope_stack stack = stacks_->keep(record);
        return keep(source_of(record), view_of(stack));
      }
      take(record);
    });
    if (!drained) warn(drained.error().message());
  }
  user_rings_->drain(clocks_,
                     [this](std::uint64_t source, RecordView record) { keep(source, record); });
  if (stacks_) stacks_->read_symbols(symbols_budget_ns);
  last_drain_ns_ = began;
  if (measuring_ && first().measured_switches() >= measured_switches) stop_measuring();
}

void Recorder::stop_measuring() {
  if (!measuring_) return;
  for (const auto& witness : witnesses_) witness->measure(false);
  if (tally_ && !is_tally_alone()) tally_->measure(false);
  machine_.measured_ns = Clocks::now_ns() - outcome_.start_ns;
  measuring_ = false;
}

// What waits to be packed takes memory, too.
std::uint64_t Recorder::most_pending_bytes() const {
  return flight_ ? std::min(chunk_bytes, options_.flight->most_bytes / 4) : chunk_bytes;
}

void Recorder::flush(bool even_if_small) {
  const bool due = last_drain_ns_ - flushed_ns_ >= flush_every_ns;
  if (!even_if_small && !due && writer_->pending_bytes() < most_pending_bytes()) return;
  read_clocks();
  if (!flight_ && last_drain_ns_ - tallied_ns_ >= tally_every_ns) keep_tally();
  if (stacks_ && !flight_) tell_stacks(false);
  if (auto written = writer_->flush(certain_ns_); !written) {
    warn(written.error().message());
  }
  flushed_ns_ = last_drain_ns_;
}

// What was counted so far: the last of these holds, and one is there if recording is cut off.
void Recorder::keep_tally() {
  if (!tally_) return;
  const auto read =
      tally_->read([this](RecordView record) { keep(capture::Writer::agent_source, record); });
  if (!read) warn(read.error().message());
  tallied_ns_ = last_drain_ns_;
}

void Recorder::prepare_stacks() {
  KernelSymbols symbols = KernelSymbols::read();
  if (symbols.empty()) {
    machine_.missing.emplace_back(
        "no names of the kernel's functions: /proc/kallsyms has no addresses "
        "(kernel.kptr_restrict)");
  }
  stacks_.emplace(std::move(symbols), [this](std::uint32_t pid) { return first().image_of(pid); });
}

// A flight recorder tells all at its end: it cannot know which of them it will still have.
void Recorder::tell_stacks(bool all) {
  const auto take = [this](RecordView frame) {
    keep(capture::Writer::agent_source, frame);
    if (writer_->pending_bytes() < most_pending_bytes()) return;
    if (auto written = writer_->flush(certain_ns_); !written) warn(written.error().message());
  };
  if (flight_) {
    stacks_->tell_all(flight_->stacks(), Clocks::now_ns(), take);
  } else {
    if (all) stacks_->read_symbols(~0ULL);
    stacks_->tell(Clocks::now_ns(), take);
  }
  if (all && stacks_->without_room()) {
    machine_.missing.emplace_back(
        "names or callers of some functions: more files, symbols or maps than are kept");
  }
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

}  // namespace schedscope::collect
