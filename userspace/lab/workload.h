// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

// What workloads are made of. They run in the process that is recorded, not in the recorder.
namespace schedscope::lab {

[[nodiscard]] std::uint64_t now_ns();

// Names the calling thread as the trace shows it: 15 bytes.
void name_thread(const char* name);

// CPUs that this process may run on, lowest first.
[[nodiscard]] std::vector<int> allowed_cpus();
// Binds the calling thread, and what it makes from now on, to one CPU.
void pin(int cpu);

// A bit of work without a system call: some microseconds.
void work();
// Works until `deadline_ns`; returns how much it has worked.
std::uint64_t spin_until(std::uint64_t deadline_ns);

// A child process that is named, runs `body` and exits.
pid_t child(const char* name, const std::function<void()>& body);
void wait_for(pid_t child);

// A number of the workload's own, beside what the trace shows.
void tell(std::string_view name, double value);

}  // namespace schedscope::lab
