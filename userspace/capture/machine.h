// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace schedscope::capture {

// The machine that a capture was made on, as it says itself: kept in the file.
struct Machine {
  std::string kernel;        // uname -r
  std::string kernel_build;  // uname -v
  std::string hostname;
  std::uint32_t cpus = 0;           // possible CPUs
  std::uint32_t cpus_online = 0;    // at the start
  std::uint32_t hz = 0;             // CONFIG_HZ, 0 when not known
  std::string scheduler;            // "cfs" | "eevdf" | "" when not known
  std::string sched_features;       // /sys/kernel/debug/sched/features, "" when not readable
  std::uint64_t base_slice_ns = 0;  // 0 when the kernel has none
  std::uint64_t rr_timeslice_ms = 0;
  std::string preempt_model;  // "none" | "voluntary" | "full" | "lazy" | ""
  int autogroup = -1;         // 0, 1, -1 when the kernel has none
  bool virtual_machine = false;
  std::string clocksource;
  std::uint64_t recorder_pid = 0;
  std::string command;                 // the recorded command line, "" for a whole machine
  std::vector<std::string> witnesses;  // "bpf", "module": by its stream or by its ledger
  // Whose records are in it: "bpf" or "module"; of two the second's bear SCHEDSCOPE_REC_SECOND.
  std::vector<std::string> streams;
  std::vector<std::string> extras;   // recorded on demand only: "interrupts", "eevdf"
  std::vector<std::string> missing;  // what this kernel could not tell, a sentence each
  std::uint64_t start_ns = 0;        // CLOCK_MONOTONIC when recording began
  std::uint64_t ring_bytes = 0;      // of each CPU's ring
  std::string trigger;               // why the last part of a longer recording was kept, or ""
  std::string filter;                // what was selected, in words; "" for the whole machine
  std::uint64_t agent_cpu_ns = 0;    // CPU time that the recorder itself used, 0 when cut off
  std::uint64_t measured_ns = 0;     // how long the kernel timed the probes, 0 when cut off
};

}  // namespace schedscope::capture
