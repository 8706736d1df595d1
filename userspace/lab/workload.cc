// SPDX-License-Identifier: GPL-2.0-only
#include "lab/workload.h"

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>

#include "lab/lab.h"

namespace schedscope::lab {

std::uint64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

void name_thread(const char* name) {
  ::pthread_setname_np(::pthread_self(), name);
}

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof(set), &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ::sched_setaffinity(0, sizeof(set), &set);
}

void work() {
  volatile std::uint64_t x = 1;
  for (int i = 0; i < 2000; i++) x = x * 6364136223846793005ULL + 1;
}

std::uint64_t spin_until(std::uint64_t deadline_ns) {
  std::uint64_t units = 0;
  for (; now_ns() < deadline_ns; units++) work();
  return units;
}

pid_t child(const char* name, const std::function<void()>& body) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  name_thread(name);
  body();
  std::fflush(stdout);
  ::_exit(0);
}

void wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
}

// One write a line: children share the pipe.
void tell(std::string_view name, double value) {
  const std::string line = nlohmann::json{{std::string(name), value}}.dump() + "\n";
  (void)!::write(STDOUT_FILENO, line.data(), line.size());
}

int run_workload(std::string_view id) {
  const Experiment* experiment = find(id);
  if (experiment == nullptr) return static_cast<int>(Exit::usage);
  // One session, so one autogroup, for all that follows; fails where we lead one already.
  ::setsid();
  return experiment->workload();
}

}  // namespace schedscope::lab
