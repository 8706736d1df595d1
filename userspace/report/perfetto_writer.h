// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "capture/machine.h"
#include "schema/record.h"
#include "timeline/sink.h"
#include "timeline/timeline.h"

namespace schedscope::report {

// What the first pass over a capture finds out.
struct PerfettoNames {
  struct Task {
    std::uint32_t pid = 0;
    std::uint32_t ppid = 0;
    std::string comm;  // printable
    int prio = 120;
  };
  void add(RecordView record);

  std::unordered_map<std::uint32_t, Task> tasks;  // by tid, as first told
  std::optional<schedscope_clock> clock;          // the first
};

// The kernel's task state bits as sched_switch prints them: at most one bit, 0x100 for a thread
// that was preempted.
[[nodiscard]] std::uint32_t ftrace_state(std::uint32_t task_state, std::uint16_t switch_flags);

// Turns records and user-thread spans into packets. `emit` takes the bytes of whole packets.
class PerfettoWriter final : public timeline::Sink {
 public:
  using Emit = std::function<void(std::string_view)>;

  PerfettoWriter(const capture::Machine& machine, PerfettoNames names, Emit emit);

  // Where the sink looks up the threads that spans name; set before the first record.
  void follow(const timeline::Timeline* timeline) { timeline_ = timeline; }
  void record(RecordView record) override;
  void user_span(const timeline::UserSpan& span) override;
  [[nodiscard]] bool wants_user_spans() const override { return true; }
  // What is still held back.
  void finish();

 private:
  struct Bundle {
    std::string events;
    bool lost = false;
  };
  void begin(const capture::Machine& machine);
  void clock(const schedscope_clock& clock);
  void task(const schedscope_task& task);
  void lost(const schedscope_lost& lost);
  void switched(const schedscope_switch& record);
  void waking(const schedscope_waking& record, std::uint32_t event);
  void event(std::uint16_t cpu, std::uint64_t time_ns, std::uint32_t tid, std::uint32_t field,
             std::string_view body);
  void flush(std::uint16_t cpu);
  void process_track(std::uint32_t pid);
  void user_track(const timeline::UserThread& user);
  void user_event(std::uint64_t time_ns, std::string_view event);
  void user_packet(std::string_view fields);
  [[nodiscard]] const PerfettoNames::Task& who(std::uint32_t tid) const;
  [[nodiscard]] std::uint64_t boot(std::uint64_t time_ns) const;
  void packet(std::string_view body);

  PerfettoNames names_;
  Emit emit_;
  const timeline::Timeline* timeline_ = nullptr;
  std::int64_t boot_offset_ns_ = 0;  // BOOTTIME - MONOTONIC
  std::vector<Bundle> bundles_;      // by CPU
  std::set<std::uint32_t> processes_with_track_;
  std::vector<bool> users_with_track_;
  bool user_packets_dropped_ = false;
  bool user_packets_begun_ = false;
};

}  // namespace schedscope::report
