// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include "analysis/report.h"

// A report made by hand for the tests beside this file: two threads, one user thread, one finding,
// and names that nobody would choose who means well.
namespace schedscope::report::testing {

inline analysis::ThreadReport thread(std::uint32_t index, std::uint32_t tid, const char* comm) {
  analysis::ThreadReport thread;
  thread.who.index = index;
  thread.who.tid = thread.who.pid = tid;
  thread.who.comm = comm;
  thread.who.identified = true;
  thread.wall_ns = 1'000'000'000;
  thread.ends.assign(timeline::slice_end_count, 0);
  return thread;
}

inline analysis::Report report() {
  analysis::Report report;
  report.file = "made-up.schedscope";
  report.bytes = 4096;
  report.complete = true;
  report.start_ns = 5'000'000'000;
  report.end_ns = 6'000'000'000;
  report.machine.kernel = "6.12.0-test";
  report.machine.cpus = report.machine.cpus_online = 2;
  report.machine.witnesses = {"bpf"};
  report.produced = report.kept = 1234;
  report.switches = 1000;
  report.records_conserved = report.threads_conserved = true;

  analysis::ThreadReport hog = thread(0, 100, "</script><img>");
  hog.run_ns = 700'000'000;
  hog.wait_ns = 300'000'000;
  hog.slices = 10;
  hog.ends[static_cast<std::size_t>(timeline::SliceEnd::expired)] = 10;
  hog.wait_p50_ns = 1023;
  hog.wait_p99_ns = 4095;
  hog.wait_max_ns = 4000;
  hog.slice_hist = {0, 0, 10};
  analysis::ThreadReport victim = thread(1, 101, "bad\xff\x1b[31m");
  victim.run_ns = 1'000'000;
  victim.wait_ns = 900'000'000;
  victim.sleep_ns = 99'000'000;
  victim.slices = 5;
  victim.who.slice_ns = 3'000'000;
  victim.ends[static_cast<std::size_t>(timeline::SliceEnd::preempted)] = 5;
  victim.preempted_by = {{.thread = 0, .tid = 100, .comm = hog.who.comm, .count = 5, .ns = 800}};
  report.threads = {hog, victim};
  report.cpus = {{.cpu = 0, .run_ns = 701'000'000, .idle_ns = 299'000'000, .switches = 1000}};

  analysis::UserReport user;
  user.who.index = 0;
  user.who.id = 0x1f;
  user.who.pid = 100;
  user.state_ns.assign(timeline::user_state_count, 0);
  user.state_ns[static_cast<std::size_t>(timeline::UserState::hostage)] = 250'000'000;
  user.wall_ns = 1'000'000'000;
  report.user_threads = {user};
  report.findings = {{.kind = "starved",
                      .text = "a thread waited",
                      .severity = analysis::Severity::warning,
                      .thread = 1,
                      .at_ns = 5'500'000'000}};
  return report;
}

}  // namespace schedscope::report::testing
