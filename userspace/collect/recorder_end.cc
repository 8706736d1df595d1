// SPDX-License-Identifier: GPL-2.0-only
//
// How a recording ends: the totals of its sources, and what is written last.
#include <algorithm>
#include <filesystem>
#include <ranges>

#include <fmt/format.h>

#include "base/text.h"
#include "collect/recorder.h"

namespace schedscope::collect {

void Recorder::add_user_stats(schedscope_cpu_stats& stats) const {
  const UserRings::Stats user = user_rings_->stats();
  stats.produced += user.produced();
  stats.lost[SCHEDSCOPE_LOST_OVERRUN] = user.overrun;
  stats.lost[SCHEDSCOPE_LOST_INVALID] = user.invalid;
}

// It is in the way of the same switches as the witness's probes.
void Recorder::add_tally_stats(schedscope_cpu_stats& stats) const {
  if (!tally_ || is_tally_alone()) return;
  const Tally::Measured measured = tally_->measured();
  stats.run_ns += measured.run_ns - tally_before_.run_ns;
  stats.runs += measured.runs - tally_before_.runs;
}

void Recorder::keep_stats_of(schedscope_cpu_stats& stats) {
  const RecordView record = view_of(stats);
  if (record.cpu() != SCHEDSCOPE_CPU_NONE) {
    stats.lost[SCHEDSCOPE_LOST_WRITE] = writer_->dropped(source_of(record));
  } else if (!record.second()) {
    // The only losses that leave no record where they happened.
    outcome_.lost += stats.lost[SCHEDSCOPE_LOST_RECURSION] + stats.lost[SCHEDSCOPE_LOST_PREEMPTED];
    add_user_stats(stats);
    add_tally_stats(stats);
  }
  if (flight_) take_off(stats);
  keep(record.second() ? capture::Writer::second_source + SCHEDSCOPE_CPU_NONE
                       : capture::Writer::agent_source,
       record);
}

// After the last chunk of records is written, or could not be.
void Recorder::keep_stats() {
  for (const auto& witness : witnesses_) {
    auto all = witness->stats();
    if (!all) {
      warn(all.error().message());
      continue;
    }
    for (schedscope_cpu_stats& stats : *all) keep_stats_of(stats);
  }
}

// A command that outlives its recording is asked to end, and made to two seconds later.
void Recorder::end_command() {
  if (!command_ || outcome_.command_status || goes_on()) return;
  outcome_.command_status = command_->end(outcome_.interrupted ? SIGINT : SIGTERM);
  command_.reset();
}

Result<void> Recorder::end() {
  // The kernel's own counts are read while switches are still recorded, so that each
  // counted switch has its record.
  if (auto walked = walk(SCHEDSCOPE_TASK_END); !walked) warn(walked.error().message());
  read_ledger(SCHEDSCOPE_ACCOUNT_END);
  const std::uint64_t all_known_ns = Clocks::now_ns();
  for (const auto& witness : std::views::reverse(witnesses_)) {
    if (auto stopped = witness->stop(); !stopped) warn(stopped.error().message());
  }
  stop_measuring();
  drain();
  outcome_.end_ns = Clocks::now_ns();
  for (const auto& witness : witnesses_) {
    witness->drain_rest([this](std::uint32_t, RecordView record) { take(record); });
  }
  if (first().selection_failed() != 0) {
    warn(fmt::format("{} threads were not recorded: more than 131,072 selected at once",
                     first().selection_failed()));
  }
  if (selection_.filtering() && processes_.empty()) {
    tell(fmt::format("no thread matched {}: nothing was recorded", printable(machine_.filter)));
  }
  end_command();
  // What was going on until the end counts too: the command may have ended because of it.
  if (machine_.trigger.empty()) (void)is_triggered(all_known_ns);
  forget_exited(~0ULL);
  if (stacks_) tell_stacks(true);
  flush(true);
  if (flight_) tell_cgroups_again();
  keep_tally();
  if (flight_) {
    // The totals are of what is kept, and must not make any of it go.
    flush(true);
    flight_->hold();
  }
  keep_stats();
  if (flight_) {
    finish_flight();
  } else {
    finish_file();
  }
  return {};
}

void Recorder::finish_file() {
  machine_.agent_cpu_ns = own_cpu_ns() - cpu_before_ns_;
  const auto finished = file_->finish(machine_, outcome_.end_ns);
  outcome_.file = options_.output;
  outcome_.file_bytes = file_->file_bytes();
  if (file_->dropped() != 0) {
    outcome_.lost += file_->dropped();
    outcome_.records -= std::min(outcome_.records, file_->dropped());
  }
  if (!finished) warn(finished.error().message());
}

}  // namespace schedscope::collect
