// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "capture/flight.h"
#include "capture/writer.h"
#include "collect/cgroup_paths.h"
#include "collect/clocks.h"
#include "collect/command.h"
#include "collect/end_signals.h"
#include "collect/ledger.h"
#include "collect/record.h"
#include "collect/selection.h"
#include "collect/stacks.h"
#include "collect/standing.h"
#include "collect/tally.h"
#include "collect/trigger.h"
#include "collect/user_rings.h"
#include "collect/witness.h"

namespace schedscope::collect {

// One recording, from attached probes to a finished file.
class Recorder {
 public:
  // A flight recorder makes one recording after the other. What they share: the signals, the
  // command, if there is one, who was selected by the end of the one before, and the tally, which
  // goes on; nullptr: none is wanted.
  Recorder(const Options& options, Selection selection, EndSignals& signals,
           std::optional<Command>& command, std::set<std::uint32_t>& selected,
           std::shared_ptr<Tally> tally)
      : options_(options),
        selection_(std::move(selection)),
        signals_(signals),
        command_(command),
        selected_(selected),
        tally_(std::move(tally)) {}

  [[nodiscard]] Result<Outcome> run();

 private:
  Result<void> check_namespace();
  Result<void> prepare();
  Result<void> begin();
  Result<void> loop();
  Result<void> end();

  Result<void> add_witnesses();
  Result<void> start_witnesses();
  Result<void> open_file();
  Result<void> open_recording();
  void tell_cpus_off();
  [[nodiscard]] Witness& first() { return *witnesses_.front(); }
  [[nodiscard]] static std::uint64_t source_of(RecordView record);
  void drain();
  void flush(bool even_if_small);
  [[nodiscard]] std::uint64_t most_pending_bytes() const;
  void read_clocks();
  void keep_stats();
  void keep_tally();
  void keep_stats_of(schedscope_cpu_stats& stats);
  void add_user_stats(schedscope_cpu_stats& stats) const;
  void add_tally_stats(schedscope_cpu_stats& stats) const;
  Result<void> walk(std::uint16_t flag);
  void open_ledger();
  void read_ledger(std::uint16_t flag);
  [[nodiscard]] bool is_over();
  [[nodiscard]] bool is_signalled();
  void end_command();
  void stop_measuring();
  void prepare_stacks();
  void tell_stacks(bool all);
  void finish_file();
  void warn(const std::string& text) {
    if (outcome_.warning.empty()) outcome_.warning = text;
  }
  void tell(const std::string& text) const {
    if (options_.tell) options_.tell(text);
  }
  void keep(std::uint64_t source, RecordView record);
  void take(RecordView record);  // a witness's
  void note_selected(RecordView record);

  // Of a flight recorder: recorder_flight.cc.
  [[nodiscard]] Result<void> try_flight_file() const;
  void begin_piece();
  void look_at_piece();
  [[nodiscard]] bool has_found();
  void not_looked(const Error& error);
  void select(std::uint32_t tid, std::uint64_t time_ns);
  void forget_exited(std::uint64_t before_ns);
  void tell_again(std::uint64_t source, RecordView record);
  void tell_cgroups_again();
  void take_off(schedscope_cpu_stats& stats);
  void finish_flight();
  [[nodiscard]] bool is_triggered(std::uint64_t certain_ns);
  [[nodiscard]] bool is_all_told();
  // No event is recorded.
  [[nodiscard]] bool is_tally_alone() const { return tally_ && !options_.flight; }
  [[nodiscard]] bool goes_on() const { return !machine_.trigger.empty() && !outcome_.interrupted; }

  const Options& options_;
  Selection selection_;
  EndSignals& signals_;
  std::optional<Command>& command_;
  std::set<std::uint32_t>& selected_;              // threads that are; only of a flight recorder
  std::map<std::uint32_t, std::uint64_t> exited_;  // of them, and when
  std::shared_ptr<Tally> tally_;
  Tally::Measured tally_before_;  // it goes on from one recording to the next
  Outcome outcome_;
  capture::Machine machine_;
  std::vector<std::unique_ptr<Witness>> witnesses_;  // one or two
  std::optional<Ledger> ledger_;
  std::optional<UserRings> user_rings_;
  std::optional<capture::Writer> file_;
  std::optional<capture::Flight> flight_;
  std::optional<Trigger> trigger_;
  std::stop_source stop_looking_;
  std::future<Result<std::string>> looking_;  // FlightOptions::look
  std::uint64_t not_looked_at_ = 0;           // pieces
  capture::Writer* writer_ = nullptr;         // of the file, or of the flight
  Standing standing_;
  CgroupPaths cgroup_paths_;
  std::optional<Stacks> stacks_;  // only when they are asked for
  Clocks clocks_;
  Fd timer_;
  std::set<std::uint32_t> processes_;  // that selected threads were seen in; only when filtering
  std::uint64_t last_drain_ns_ = 0;
  // No record from before that comes any more. What a CPU of the module's has on its stage, it was
  // called for in the drain before the last.
  std::uint64_t certain_ns_ = 0;
  std::uint64_t flushed_ns_ = 0;
  std::uint64_t tallied_ns_ = 0;
  std::uint64_t cpu_before_ns_ = 0;
  std::uint64_t told_lost_ = 0, untold_lost_ = 0;  // of the first witness's records
  bool measuring_ = false;
};

// CPU time of this process.
[[nodiscard]] std::uint64_t own_cpu_ns();
// Records reach a ring, and rings of user threads the recorder, a moment after their stamp: a
// virtual CPU may be stopped in between.
inline constexpr std::uint64_t settled_after_ns = 200'000'000;

}  // namespace schedscope::collect
