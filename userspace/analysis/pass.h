// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "analysis/report.h"
#include "capture/machine.h"
#include "timeline/sink.h"
#include "timeline/timeline.h"

namespace schedscope::analysis {

// What all analyses share; outlives them.
struct Setup {
  const capture::Machine& machine;
  std::uint64_t start_ns = 0, end_ns = 0;  // the capture; the end is 0 until it is known
  std::uint64_t from_ns = 0;               // the reported span
  std::uint64_t to_ns = 0;  // ~0 until the end is known, when it is the capture's own
  bool whole = true;        // the reported span is the whole capture
  const timeline::Timeline* timeline = nullptr;

  [[nodiscard]] std::uint64_t clip(std::uint64_t t) const {
    return t < from_ns ? from_ns : t > to_ns ? to_ns : t;
  }
};

// One analysis: takes part in the one pass over the records and then fills its part of the
// report. Until all have finished, report.threads[i] is the thread of index i, and
// report.user_threads[i] the user thread of index i.
class Pass : public timeline::Sink {
 public:
  explicit Pass(const Setup& setup) : setup_(setup) {}

  // record() and second_record() are called only for those that ask for it: most need no records.
  [[nodiscard]] virtual bool wants_records() const { return false; }
  // Stretches come clipped to the reported span, unless the analysis judges the whole capture.
  [[nodiscard]] virtual bool wants_whole_capture() const { return false; }
  virtual void finish(Report& report) = 0;

 protected:
  [[nodiscard]] const Setup& setup() const { return setup_; }

  // The entry of a thread in a vector by index, made when it is the first of its thread.
  template <typename T>
  [[nodiscard]] static T& at(std::vector<T>& rows, std::uint32_t index) {
    if (index >= rows.size()) rows.resize(index + 1U);
    return rows[index];
  }

 private:
  const Setup& setup_;
};

// All analyses, in the order in which they finish (passes.cc).
[[nodiscard]] std::vector<std::unique_ptr<Pass>> make_passes(const Setup& setup);

}  // namespace schedscope::analysis
