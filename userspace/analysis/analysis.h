// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "analysis/report.h"
#include "schema/record.h"
#include "timeline/sink.h"
#include "timeline/timeline.h"

namespace schedscope::analysis {

// A stretch of the capture, CLOCK_MONOTONIC; 0 stands for the capture's own start or end.
// Stretches that cross its border count with the part inside.
struct Window {
  std::uint64_t from_ns = 0;
  std::uint64_t to_ns = 0;
};

// Records in time order in, a report out. Pure: no I/O. Memory grows with threads; with the
// critical path of one (`path_of`: its tid, or a part of its name), also with the window.
class Analysis {
 public:
  // `extra` sinks see the same pass (unclipped) and live longer than the analysis.
  Analysis(const capture::Machine& machine, Window window,
           std::span<timeline::Sink* const> extra = {}, std::string path_of = {});
  Analysis(Analysis&&) noexcept;
  ~Analysis();

  void add(RecordView record);
  // Ends the timeline at `end_ns` and computes the report; the fields that only the file
  // knows (file, bytes, complete, damage, late and unknown records) are left to the caller.
  [[nodiscard]] Report finish(std::uint64_t end_ns);

  [[nodiscard]] const timeline::Timeline& timeline() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace schedscope::analysis
