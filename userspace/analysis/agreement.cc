// SPDX-License-Identifier: GPL-2.0-only
//
// The two witnesses and the judge: what was recorded, held against the module's ledger and
// against the kernel's own counters, thread by thread.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "analysis/ends_between.h"
#include "analysis/passes.h"
#include "analysis/switch_numbers.h"
#include "base/text.h"
#include "clock_step.h"
#include "timeline/flat_map.h"

namespace schedscope::analysis {
namespace {

constexpr std::size_t most_details = 20;
// Below it, what the kernel charges at its own moments weighs too much.
constexpr std::uint64_t least_run_ns = 10'000'000;
// Of how far the kernel's clock and the records' are apart, at either end of a slice.
constexpr std::uint64_t slack_per_slice_ns = 2 * SCHEDSCOPE_CLOCK_STEP_LEAST_NS;
// Of a step that is told in ms: so much of it is missing at most, and in the CPU's next one.
constexpr std::uint64_t ms_step_off_ns = 1'000'000;

bool is_ms_step(std::int16_t step) {
  return std::abs(step) >= SCHEDSCOPE_CLOCK_STEP_US;
}

class Agreement final : public Pass {
 public:
  using Pass::Pass;

  [[nodiscard]] std::uint64_t wants_records() const override { return all_kinds; }
  [[nodiscard]] bool wants_whole_capture() const override { return true; }

  void slice(const timeline::Slice& slice) override {
    Row& row = at(rows_, slice.thread);
    if (!slice.end_cut) {
      row.numbers.add(slice.switch_number);
      row.ends.add(slice.switch_number, slice.end);
    }
    row.run.add(slice);
    row.begin.take(slice, row.run);
    row.end.take(slice, row.run);
  }

  void record(RecordView record) override;
  void finish(Report& report) override;

 private:
  // What was recorded of a thread's running, and how the kernel's clock went meanwhile.
  struct Run {
    std::uint64_t ns = 0;
    std::int64_t clock_ns = 0;       // what the records' clock went further
    std::uint64_t clock_off_ns = 0;  // the error of that
    bool clock_known = true;

    void add(const timeline::Slice& slice) {
      ns += slice.end_ns - slice.begin_ns;
      clock_ns += clock_step_ns(slice.clock_step);
      clock_known = clock_known && std::abs(slice.clock_step) != SCHEDSCOPE_CLOCK_STEP_MOST;
      clock_off_ns += slack_per_slice_ns;
      if (is_ms_step(slice.clock_step)) clock_off_ns += ms_step_off_ns;
    }
  };
  // The kernel's counters, read at one moment, and what was recorded until then.
  struct Reading {
    bool taken = false;
    bool known = false;  // when it was so: at_ns, between two slices
    std::uint64_t at_ns = 0;
    std::uint64_t switches = 0, kernel_run_ns = 0;
    Run recorded;

    // A slice that was over by then.
    void take(const timeline::Slice& slice, const Run& with_it) {
      if (!known || slice.begin_ns >= at_ns) return;
      recorded = with_it;
      known = slice.end_ns <= at_ns;  // within it nobody knows when the kernel counted
    }
  };
  struct Row {
    SwitchNumbers numbers;
    EndsBetween ends;               // between the two readings of the ledger
    Run run;                        // of its slices so far
    std::uint64_t left_off_ns = 0;  // what others' steps have left to its own
    std::uint64_t untold = 0;       // its switches that no tracepoint tells
    Reading begin, end;
  };
  struct Ledger {
    bool begin = false, end = false;
    bool shared = false;  // by two threads: one took over the other's identity in execve
    std::uint64_t begin_slices = 0, end_slices = 0;
    std::uint64_t begin_switches = 0, end_switches = 0;
    bool exited = false;  // at the second reading: nothing comes after it
    std::uint64_t begin_ns = 0;
    std::uint64_t slice_max_ns = 0, slice_max_at_ns = 0, wait_max_ns = 0, wait_max_at_ns = 0;
    // By SliceEnd, second reading less first; the module may correct one that it had counted.
    std::array<std::int64_t, timeline::slice_end_count> ends{};
    bool has_ends = true;  // the module is not one that did not count them
  };

  void resolve_pending();
  void take_step(const schedscope_switch& record);
  void take_reading(Reading& reading, const schedscope_task& task, const Run& run) const;
  [[nodiscard]] bool take_counts(const schedscope_counts& counts);
  void take_account(const schedscope_account& account);
  void take_hotplug(const schedscope_hotplug& record);
  void take_stats(const schedscope_cpu_stats& stats);
  bool judge(const Row& row, ThreadReport& thread, Report& report) const;
  [[nodiscard]] bool run_agrees(const Row& row, const ThreadReport::Judge& judge,
                                KernelCounts& compared) const;
  void take_ends(const schedscope_account& account, Ledger& ledger);
  static void compare_ends(const Row& row, const Ledger& ledger, ThreadReport::Module& module,
                           Report& report);
  std::optional<bool> compare_ledger(const Row& row, ThreadReport& thread, Report& report) const;
  static void say(Report& report, std::string sentence);

  std::vector<Row> rows_;
  enum class StepBefore : std::uint8_t { untold, in_us, in_ms };
  std::vector<StepBefore> steps_before_;  // by CPU
  std::vector<Ledger> ledgers_;
  timeline::ProcessKeyMap ledger_of_;  // by tid and start time
  schedscope_task pending_{};          // a walk's record that the timeline takes after us
  bool is_pending_ = false;
  std::vector<schedscope_counts> pending_counts_;  // of threads that only their switch introduces
  bool gaps_ = false;
};

void Agreement::record(RecordView record) {
  resolve_pending();
  switch (record.kind()) {
    case SCHEDSCOPE_REC_SWITCH:
      take_step(record.as<schedscope_switch>());
      return;
    case SCHEDSCOPE_REC_TASK:
      if ((record.flags() & (SCHEDSCOPE_TASK_BEGIN | SCHEDSCOPE_TASK_END)) == 0) return;
      pending_ = record.as<schedscope_task>();
      is_pending_ = true;
      return;
    case SCHEDSCOPE_REC_EXIT: {
      const auto& exit = record.as<schedscope_exit>();
      const timeline::ThreadIndex index = setup().timeline->find(exit.tid);
      if (index == timeline::no_index) return;
      Row& row = at(rows_, index);
      row.end = {.taken = true,
                 .known = exit.run_at_ns != 0,
                 .at_ns = exit.run_at_ns,
                 .switches = exit.switches,
                 .kernel_run_ns = exit.run_ns,
                 .recorded = row.run};
      return;
    }
    case SCHEDSCOPE_REC_HOTPLUG:
      take_hotplug(record.as<schedscope_hotplug>());
      return;
    case SCHEDSCOPE_REC_COUNTS:
      std::erase_if(pending_counts_,
                    [&](const auto& counts) { return counts.rec.cpu == record.cpu(); });
      pending_counts_.push_back(record.as<schedscope_counts>());
      return;
    case SCHEDSCOPE_REC_ACCOUNT:
      take_account(record.as<schedscope_account>());
      return;
    case SCHEDSCOPE_REC_LOST:
      gaps_ = gaps_ || record.as<schedscope_lost>().tid == 0;
      return;
    case SCHEDSCOPE_REC_CPU_STATS:
      take_stats(record.as<schedscope_cpu_stats>());
      return;
    default:
      return;
  }
}

// Before a capture that begins in the midst of a recording the step before may have been in ms,
// too; where the recording itself begins, a CPU's first step is 0.
void Agreement::take_step(const schedscope_switch& record) {
  StepBefore& before = at(steps_before_, record.rec.cpu);
  const bool untold = before == StepBefore::untold && record.clock_step != 0;
  if (before == StepBefore::in_ms || untold) {
    const timeline::ThreadIndex index = setup().timeline->find(record.prev_tid);
    if (index != timeline::no_index) at(rows_, index).left_off_ns += ms_step_off_ns;
  }
  before = is_ms_step(record.clock_step) ? StepBefore::in_ms : StepBefore::in_us;
}

// No tracepoint tells of the last switch of the stopper of a CPU that it takes down.
void Agreement::take_hotplug(const schedscope_hotplug& record) {
  if ((record.rec.flags & SCHEDSCOPE_HOTPLUG_OFF) == 0) return;
  if (record.rec.cpu == SCHEDSCOPE_CPU_NONE) return;  // it went before
  const std::string stopper = fmt::format("migration/{}", record.of_cpu);
  for (const timeline::Thread& thread : setup().timeline->threads()) {
    if (timeline::is_stopper(thread) && thread.comm == stopper) ++at(rows_, thread.index).untold;
  }
}

void Agreement::take_stats(const schedscope_cpu_stats& stats) {
  for (const std::uint64_t lost : stats.lost) gaps_ = gaps_ || lost != 0;
}

// A record comes here before the timeline knows its thread; at the next one it does.
void Agreement::resolve_pending() {
  std::erase_if(pending_counts_, [&](const auto& counts) { return take_counts(counts); });
  if (!is_pending_) return;
  is_pending_ = false;
  const timeline::ThreadIndex index = setup().timeline->find(pending_.tid);
  if (index == timeline::no_index) return;
  Row& row = at(rows_, index);
  const bool at_begin = (pending_.rec.flags & SCHEDSCOPE_TASK_BEGIN) != 0;
  take_reading(at_begin ? row.begin : row.end, pending_, row.run);
}

void Agreement::take_reading(Reading& reading, const schedscope_task& task, const Run& run) const {
  const bool on_cpu = (task.rec.flags & SCHEDSCOPE_TASK_ON_CPU) != 0;
  if (reading.known) return;  // that at its CPU's first switch came before the walk
  reading = {.taken = true,
             .known = task.run_at_ns != 0 || !on_cpu,
             .at_ns = task.run_at_ns == 0 && !on_cpu ? task.rec.time_ns : task.run_at_ns,
             .switches = task.switches,
             .kernel_run_ns = task.run_ns,
             .recorded = run};
  // Its slice began before the capture did, which has the rest of it: so much is recorded less.
  const std::uint64_t start_ns = setup().start_ns;
  if (on_cpu && reading.known && reading.at_ns < start_ns) {
    reading.recorded.ns -= start_ns - reading.at_ns;
  }
}

// Its last, or its first where the walk could not say as of when its counters are.
bool Agreement::take_counts(const schedscope_counts& counts) {
  const timeline::ThreadIndex index = setup().timeline->find(counts.tid);
  if (index == timeline::no_index) return false;
  Row& row = at(rows_, index);
  const bool at_begin = (counts.rec.flags & SCHEDSCOPE_COUNTS_BEGIN) != 0;
  if (at_begin && (row.begin.known || counts.rec.time_ns < setup().start_ns)) return true;
  (at_begin ? row.begin : row.end) = {.taken = true,
                                      .known = true,
                                      .at_ns = counts.rec.time_ns,
                                      .switches = counts.switches,
                                      .kernel_run_ns = counts.run_ns,
                                      .recorded = row.run};
  return true;
}

void Agreement::take_account(const schedscope_account& account) {
  const timeline::ProcessKey key{account.tid, account.start_ns};
  std::uint32_t index = ledger_of_.find(key);
  if (index == timeline::no_index) {
    index = static_cast<std::uint32_t>(ledgers_.size());
    ledgers_.emplace_back();
    ledger_of_.set(key, index);
  }
  Ledger& ledger = ledgers_[index];
  const bool at_begin = (account.rec.flags & SCHEDSCOPE_ACCOUNT_BEGIN) != 0;
  ledger.shared = ledger.shared || (at_begin ? ledger.begin : ledger.end);
  if (at_begin) {
    ledger.begin = true;
    ledger.begin_slices = account.slices;
    ledger.begin_switches = account.switches;
    ledger.begin_ns = account.rec.time_ns;
  } else {
    ledger.end = true;
    ledger.end_slices = account.slices;
    ledger.end_switches = account.switches;
    ledger.exited = account.state == SCHEDSCOPE_STATE_EXITED;
    ledger.slice_max_ns = account.longest_slice_ns;
    ledger.slice_max_at_ns = account.longest_slice_at_ns;
    ledger.wait_max_ns = account.longest_wait_ns;
    ledger.wait_max_at_ns = account.longest_wait_at_ns;
  }
  take_ends(account, ledger);
}

void Agreement::take_ends(const schedscope_account& account, Ledger& ledger) {
  const bool at_begin = (account.rec.flags & SCHEDSCOPE_ACCOUNT_BEGIN) != 0;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < ledger.ends.size(); ++i) {
    sum += account.ends[i];
    ledger.ends[i] += static_cast<std::int64_t>(at_begin ? 0 - account.ends[i] : account.ends[i]);
  }
  ledger.has_ends = ledger.has_ends && sum == account.slices;
  const timeline::ThreadIndex index = setup().timeline->find(account.tid);
  if (index == timeline::no_index || account.state == SCHEDSCOPE_STATE_EXITED) return;
  if (setup().timeline->threads()[index].start_ns != account.start_ns) return;
  const auto number = static_cast<std::uint32_t>(account.switches);
  EndsBetween& ends = at(rows_, index).ends;
  at_begin ? ends.begin_at(number) : ends.end_at(number);
}

void Agreement::say(Report& report, std::string sentence) {
  if (report.agreement_details.size() < most_details) {
    report.agreement_details.push_back(std::move(sentence));
  } else if (report.agreement_details.size() == most_details) {
    report.agreement_details.emplace_back("More threads do not agree; these are the first.");
  }
}

std::string title_of(const timeline::Thread& thread) {
  return fmt::format("thread {} ({})", thread.tid, printable(thread.comm));
}

// The kernel's own counters; true when they agree.
bool Agreement::judge(const Row& row, ThreadReport& thread, Report& report) const {
  const std::uint64_t kernel = row.end.switches - row.begin.switches;
  const auto recorded = row.numbers.count(row.begin.switches, row.end.switches);
  thread.judge = ThreadReport::Judge{
      .kernel_switches = kernel,
      .recorded_switches = recorded.value_or(0),
      .kernel_run_ns = row.end.kernel_run_ns - row.begin.kernel_run_ns,
      .recorded_run_ns = row.end.recorded.ns - row.begin.recorded.ns,
      .clock_ns = row.end.recorded.clock_ns - row.begin.recorded.clock_ns,
      .within_ns = row.end.recorded.clock_off_ns - row.begin.recorded.clock_off_ns +
                   row.left_off_ns + slack_per_slice_ns};
  if (gaps_) return true;
  ++report.kernel_counts.threads;
  if (!recorded || *recorded > kernel || *recorded + row.untold < kernel) {
    say(report, fmt::format("{}: the kernel counted {} switches, {} were recorded.",
                            title_of(thread.who), kernel, recorded.value_or(0)));
    return false;
  }
  if (run_agrees(row, *thread.judge, report.kernel_counts)) return true;
  const auto charged =
      static_cast<std::int64_t>(thread.judge->recorded_run_ns) - thread.judge->clock_ns;
  say(report,
      fmt::format("{}: the kernel counted {} of run time, {} were recorded, {} by its clock.",
                  title_of(thread.who), human_ns(thread.judge->kernel_run_ns),
                  human_ns(thread.judge->recorded_run_ns),
                  human_ns(static_cast<std::uint64_t>(std::max<std::int64_t>(charged, 0)))));
  return false;
}

bool Agreement::run_agrees(const Row& row, const ThreadReport::Judge& judge,
                           KernelCounts& compared) const {
  if (judge.kernel_run_ns < least_run_ns) {
    ++compared.run_times_short;
    return true;
  }
  // What it ran until a switch that is not told is not known either.
  if (!row.run.clock_known || !row.begin.known || !row.end.known || row.untold != 0) {
    ++compared.run_times_unknown;
    return true;
  }
  ++compared.run_times;
  const auto charged = static_cast<std::int64_t>(judge.recorded_run_ns) - judge.clock_ns;
  const std::int64_t more = static_cast<std::int64_t>(judge.kernel_run_ns) - charged;
  const auto bound = static_cast<std::int64_t>(judge.within_ns);
  // The kernel may charge less than its clock went, where a CPU stands still in the midst of it.
  // Time that is recorded of the wrong thread is missing from another's.
  return more <= bound && (setup().machine.virtual_machine || more >= -bound);
}

// The module's ledger; nothing when there are no two readings to compare.
std::optional<bool> Agreement::compare_ledger(const Row& row, ThreadReport& thread,
                                              Report& report) const {
  if (thread.who.start_ns == 0 || thread.who.partial) return std::nullopt;
  const std::uint32_t index = ledger_of_.find({thread.who.tid, thread.who.start_ns});
  if (index == timeline::no_index) return std::nullopt;
  const Ledger& ledger = ledgers_[index];
  // Without a first reading the account has to begin with the thread.
  if (ledger.shared || !ledger.end || (!ledger.begin && !thread.who.announced)) return std::nullopt;
  const auto recorded = row.numbers.count(ledger.begin_switches, ledger.end_switches);
  if (!recorded) return std::nullopt;
  const std::uint64_t module = ledger.end_slices - ledger.begin_slices;
  thread.module = ThreadReport::Module{.module_slices = module, .recorded_slices = *recorded};
  if (ledger.slice_max_ns != 0 && ledger.slice_max_at_ns >= ledger.begin_ns) {
    thread.module->slice_max_ns = ledger.slice_max_ns;
  }
  if (ledger.wait_max_ns != 0 && ledger.wait_max_at_ns >= ledger.begin_ns) {
    thread.module->wait_max_ns = ledger.wait_max_ns;
  }
  if (gaps_) return std::nullopt;
  if (*recorded == module) {
    compare_ends(row, ledger, *thread.module, report);
    return true;
  }
  say(report, fmt::format("{}: the ledger counted {} slices, {} were recorded.",
                          title_of(thread.who), module, *recorded));
  return false;
}

// Both go by the same rules; but each finds out for itself who asked for a switch.
void Agreement::compare_ends(const Row& row, const Ledger& ledger, ThreadReport::Module& module,
                             Report& report) {
  const bool bounded =
      (row.ends.has_begin() || !ledger.begin) && (row.ends.has_end() || ledger.exited);
  if (!ledger.has_ends || !bounded || !row.ends.certain()) return;
  const auto& recorded = row.ends.counts();
  std::uint64_t slices = 0, off = 0;
  for (std::size_t i = 0; i < recorded.size(); ++i) {
    const std::int64_t difference = ledger.ends[i] - static_cast<std::int64_t>(recorded[i]);
    slices += recorded[i];
    if (difference > 0) off += static_cast<std::uint64_t>(difference);
  }
  module.recorded_ends.assign(recorded.begin(), recorded.end());
  module.module_ends.assign(ledger.ends.begin(), ledger.ends.end());
  report.ledger_ends += slices;
  report.ledger_other_ends += off;
}

void Agreement::finish(Report& report) {
  resolve_pending();
  rows_.resize(report.threads.size());
  std::optional<bool> kernel, module;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    Row& row = rows_[i];
    ThreadReport& thread = report.threads[i];
    if (thread.who.bystander) continue;
    // A thread that was born in the capture began with all counters at 0, before all else.
    const bool from_birth = !row.begin.taken && thread.who.announced;
    if (from_birth) row.begin.taken = row.begin.known = true;
    if (row.begin.taken && row.end.taken && row.end.switches >= row.begin.switches) {
      const bool agrees = judge(row, thread, report);
      if (!gaps_) kernel = kernel.value_or(true) && agrees;
    }
    if (const auto agrees = compare_ledger(row, thread, report)) {
      module = module.value_or(true) && *agrees;
    }
  }
  report.kernel_counts_agree = kernel;
  report.ledger_agrees = module;
  const auto& streams = setup().machine.streams;
  if (streams.empty() || streams.front() == "bpf") report.bpf_module_agree = module;
}

}  // namespace

std::unique_ptr<Pass> make_agreement(const Setup& setup) {
  return Pass::make<Agreement>(setup);
}

}  // namespace schedscope::analysis
