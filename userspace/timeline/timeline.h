// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "schema/record.h"
#include "timeline/sink.h"
#include "timeline/types.h"

namespace schedscope::timeline {

// Turns records in time order into slices, waits, sleeps and blocks of every thread, idle time
// of every CPU and states of every user thread. Pure: no I/O, knows no witness.
//
// A lost record ends every open stretch that it may have touched as unknown; a gap is never
// bridged. Time that goes backwards between CPUs (clock differences of ns) is clamped, and
// counted in clock_reversals().
class Timeline {
 public:
  // What the records are of. With `selected` the probes left out what no selected thread took
  // part in: what came before a thread's first record is then not inferred from silence, and a
  // switch that does not follow the last one is no sign of loss.
  enum class Scope : std::uint8_t { whole_machine, selected };

  // `sinks` live longer than the timeline. `start_ns`: when recording began. `cpus`: possible CPUs.
  Timeline(std::uint64_t start_ns, std::uint32_t cpus, std::span<Sink* const> sinks,
           Scope scope = Scope::whole_machine);
  Timeline(Timeline&&) noexcept;
  ~Timeline();

  void add(RecordView record);
  // Ends every open stretch at `end_ns`, or at the last record when that is later. Nothing is
  // added after it.
  void finish(std::uint64_t end_ns);
  // The time of the latest record; after finish() the end.
  [[nodiscard]] std::uint64_t end_ns() const;

  // Valid at any time; index is the position.
  [[nodiscard]] std::span<const Thread> threads() const;
  [[nodiscard]] std::span<const UserThread> user_threads() const;
  // The thread that has this tid now, no_index when none is known.
  [[nodiscard]] ThreadIndex find(std::uint32_t tid) const;
  [[nodiscard]] std::uint64_t clock_reversals() const;
  // Switches whose prev was not the thread that was on the CPU, or whose number did not follow
  // the thread's last one: records that were lost without a count. 0 in a sound capture.
  [[nodiscard]] std::uint64_t discontinuities() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace schedscope::timeline
