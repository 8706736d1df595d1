// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "schema/record.h"

namespace schedscope::collect {

struct ProbeOptions {
  std::uint64_t ring_bytes = 0;  // of each CPU: a power of two, at least a page
  bool filtering = false;        // only threads that select() names, and their children
  std::uint64_t rr_slice_ns = 0;
};

// The BPF witness: loaded, attached, and read through one ring per CPU.
class Probes {
 public:
  // Loads and attaches; nothing is recorded before start(). Errors: Exit::machine.
  [[nodiscard]] static Result<Probes> create(const ProbeOptions& options);
  Probes(Probes&&) noexcept;
  Probes& operator=(Probes&&) noexcept;
  ~Probes();

  // Adds a thread to those that are recorded; its later children are too.
  [[nodiscard]] Result<void> select(std::uint32_t tid);

  void start();
  void stop();

  using Take = std::function<void(std::uint32_t cpu, RecordView)>;
  // Takes all that the rings hold, a CPU after the other, each in its own order.
  void drain(const Take& take);
  // After stop() and the last drain(): a REC_LOST for each gap that ended the stream.
  void drain_gaps(const Take& take);
  // All threads as REC_TASK records; flag is SCHEDSCOPE_TASK_BEGIN or _END.
  [[nodiscard]] Result<void> walk(std::uint16_t flag, const std::function<void(RecordView)>& take);

  // Totals so far: one record per CPU, and one without a CPU for what has none.
  [[nodiscard]] std::vector<schedscope_cpu_stats> stats() const;
  // Lets the kernel time the probes from now (true), which itself costs; or no longer.
  void measure(bool on);
  // Switches of the machine while it did.
  [[nodiscard]] std::uint64_t measured_switches() const;

  // What this kernel cannot tell, a sentence each.
  [[nodiscard]] const std::vector<std::string>& missing() const;
  // Threads that should have been selected but did not fit.
  [[nodiscard]] std::uint64_t selection_failed() const;
  [[nodiscard]] static std::uint64_t default_ring_bytes();

 private:
  struct State;
  explicit Probes(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace schedscope::collect
