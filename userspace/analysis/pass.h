// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "analysis/report.h"
#include "capture/machine.h"
#include "timeline/sink.h"
#include "timeline/timeline.h"

namespace schedscope::analysis {

// How many records there were of each kind, by CPU: several analyses want to know, and none needs
// to see each of them for it.
class RecordCounts {
 public:
  using Kinds = std::array<std::uint64_t, SCHEDSCOPE_REC_MAX + 1>;

  void add(RecordView record) {
    Kinds& kinds = record.cpu() == SCHEDSCOPE_CPU_NONE ? no_cpu_ : of(record.cpu());
    ++kinds[record.kind()];
  }
  [[nodiscard]] const std::vector<Kinds>& cpus() const { return cpus_; }
  [[nodiscard]] const Kinds& no_cpu() const { return no_cpu_; }

 private:
  Kinds& of(std::uint16_t cpu) {
    if (cpu >= cpus_.size()) cpus_.resize(cpu + 1U);
    return cpus_[cpu];
  }
  std::vector<Kinds> cpus_;
  Kinds no_cpu_{};
};

// What all analyses share; outlives them.
struct Setup {
  const capture::Machine& machine;
  std::uint64_t start_ns = 0, end_ns = 0;  // the capture; the end is 0 until it is known
  std::uint64_t from_ns = 0;               // the reported span
  std::uint64_t to_ns = 0;  // ~0 until the end is known, when it is the capture's own
  bool whole = true;        // the reported span is the whole capture
  std::string path_of{};    // whose critical path is asked for: a tid or part of a name; "" none
  const timeline::Timeline* timeline = nullptr;
  const RecordCounts* records = nullptr;

  [[nodiscard]] std::uint64_t clip(std::uint64_t t) const {
    return t < from_ns ? from_ns : t > to_ns ? to_ns : t;
  }
};

// Which of a sink's calls an analysis overrides. It gets no others: most need few of them, and
// there are several for each switch.
struct Takes {
  bool slice = false, span = false, cpu_span = false, futex = false;
  bool user_span = false, hostages = false, user_switch = false, in_cgroup = false;

  template <typename T>
  [[nodiscard]] static constexpr Takes of() {
    using timeline::Sink;
    return {.slice = differ(&T::slice, &Sink::slice),
            .span = differ(&T::span, &Sink::span),
            .cpu_span = differ(&T::cpu_span, &Sink::cpu_span),
            .futex = differ(&T::futex_wait, &Sink::futex_wait),
            .user_span = differ(&T::user_span, &Sink::user_span),
            .hostages = differ(&T::hostages, &Sink::hostages),
            .user_switch = differ(&T::user_switch, &Sink::user_switch),
            .in_cgroup = differ(&T::in_cgroup, &Sink::in_cgroup)};
  }

 private:
  // A function that is not overridden is still a member of the sink.
  template <typename A, typename B>
  [[nodiscard]] static constexpr bool differ(A, B) {
    return !std::is_same_v<A, B>;
  }
};

// One analysis: takes part in the one pass over the records and then fills its part of the
// report. Until all have finished, report.threads[i] is the thread of index i, and
// report.user_threads[i] the user thread of index i.
class Pass : public timeline::Sink {
 public:
  explicit Pass(const Setup& setup) : setup_(setup) {}

  // Made by make<T>(), which sees what it overrides.
  template <typename T>
  [[nodiscard]] static std::unique_ptr<Pass> make(const Setup& setup) {
    auto pass = std::make_unique<T>(setup);
    pass->takes_ = Takes::of<T>();
    return pass;
  }
  [[nodiscard]] const Takes& takes() const { return takes_; }

  // record() is called for records of these kinds, a bit each, and with any of them
  // second_record(): most need no records.
  [[nodiscard]] virtual std::uint64_t wants_records() const { return 0; }
  // span() is called for stretches in these states, a bit each.
  [[nodiscard]] virtual unsigned wants_spans() const { return ~0U; }
  // Stretches come clipped to the reported span, unless the analysis judges the whole capture.
  [[nodiscard]] virtual bool wants_whole_capture() const { return false; }
  virtual void finish(Report& report) = 0;

 protected:
  static constexpr std::uint64_t all_kinds = ~0ULL;
  template <typename... Kind>
  [[nodiscard]] static constexpr std::uint64_t kinds(Kind... kind) {
    return ((1ULL << kind) | ...);
  }
  template <typename... State>
  [[nodiscard]] static constexpr unsigned states(State... state) {
    return ((1U << static_cast<unsigned>(state)) | ...);
  }

  [[nodiscard]] const Setup& setup() const { return setup_; }

  // The entry of a thread in a vector by index, made when it is the first of its thread.
  template <typename T>
  [[nodiscard]] static T& at(std::vector<T>& rows, std::uint32_t index) {
    if (index >= rows.size()) rows.resize(index + 1U);
    return rows[index];
  }

 private:
  const Setup& setup_;
  Takes takes_;
};

// All analyses that are asked for, in the order in which they finish (passes.cc).
[[nodiscard]] std::vector<std::unique_ptr<Pass>> make_passes(const Setup& setup);

}  // namespace schedscope::analysis
