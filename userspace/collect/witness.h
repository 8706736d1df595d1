// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "collect/comm_glob.h"
#include "schema/record.h"

namespace schedscope::collect {

// What selects a thread for as long as it holds.
struct Rules {
  std::vector<std::uint64_t> cgroups;  // ids: in one of them, or below it
  std::vector<CommGlob> comms;         // has a name that one of them matches

  [[nodiscard]] bool empty() const { return cgroups.empty() && comms.empty(); }
};

// A process as long as it runs one program.
struct ProcessImage {
  std::uint64_t start_ns = 0;     // the kernel's start_time of its first thread
  std::uint32_t exec_number = 0;  // how many execve(2) came before it, by the kernel's count
};

struct WitnessOptions {
  std::uint64_t ring_bytes = 0;  // of each CPU: a power of two, at least a page; 0: the default
  bool filtering = false;        // only threads that select() names, their children, and …
  Rules rules{};                 // … those that these select, where the witness follows rules
  std::uint64_t rr_slice_ns = 0;
  bool stacks = false;      // StackSamples, where the witness can
  bool interrupts = false;  // also what they take of slices; only by BPF
  bool eevdf = false;       // also where fair threads stand at each switch; likewise
};

// A source of records, attached: the BPF probes, or the module's event stream. Both see the
// same switches, and say of them the same in the same records.
class Witness {
 public:
  virtual ~Witness() = default;

  // Adds a thread to those that are recorded; its later children are too.
  [[nodiscard]] virtual Result<void> select(std::uint32_t tid) = 0;
  // Finds by itself whom the rules select, in the walk at the start and from then on. Else
  // select() has to name those that are there, and their children stand for who comes later.
  [[nodiscard]] virtual bool follows_rules() const = 0;

  // Nothing is recorded before start() or after stop(); each once.
  [[nodiscard]] virtual Result<void> start() = 0;
  [[nodiscard]] virtual Result<void> stop() = 0;

  using Take = std::function<void(std::uint32_t cpu, RecordView)>;
  // Takes all that the rings hold, a CPU after the other, each in its own order.
  [[nodiscard]] virtual Result<void> drain(const Take& take) = 0;
  // After stop() and the last drain(): a REC_LOST for each gap that ended the stream and was
  // not in it, and what was only told of slices that are over.
  virtual void drain_rest(const Take& take) = 0;
  // All threads as REC_TASK records; flag is SCHEDSCOPE_TASK_BEGIN or _END. What the rings
  // hold meanwhile stays in them.
  [[nodiscard]] virtual Result<void> walk(std::uint16_t flag,
                                          const std::function<void(RecordView)>& take) = 0;

  // Totals so far: one record per CPU, and one without a CPU for what has none.
  [[nodiscard]] virtual Result<std::vector<schedscope_cpu_stats>> stats() = 0;
  // Has the probes timed from now (true), which itself costs; or no longer.
  virtual void measure(bool on) = 0;
  // Switches of the machine while they were.
  [[nodiscard]] virtual std::uint64_t measured_switches() const = 0;

  // Who has this pid now; nothing when nobody has, or the witness takes no stacks.
  [[nodiscard]] virtual std::optional<ProcessImage> image_of(std::uint32_t /*pid*/) {
    return std::nullopt;
  }

  // What this kernel cannot tell, a sentence each.
  [[nodiscard]] virtual const std::vector<std::string>& missing() const = 0;
  // Threads that should have been selected but did not fit.
  [[nodiscard]] virtual std::uint64_t selection_failed() const = 0;

  static constexpr std::uint64_t default_ring_bytes = 8 * 1024 * 1024;
  static constexpr std::uint64_t most_ring_bytes = 1024 * 1024 * 1024;
  // The sentences of missing(), of what a kernel has or has not.
  struct Signals {
    bool timer, need_resched, fair_slice;
  };
  [[nodiscard]] static std::vector<std::string> what_is_missing(Signals has);
  // options.ring_bytes, or the default. Errors: Exit::usage.
  [[nodiscard]] static Result<std::uint64_t> ring_bytes_of(const WitnessOptions& options);
};

}  // namespace schedscope::collect
