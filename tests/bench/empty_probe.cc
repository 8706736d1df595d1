// SPDX-License-Identifier: GPL-2.0-only
//
// empty_probe COMMAND…: runs it while an empty BPF program sits on sched_switch.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "tests/bench/empty.skel.h"

namespace {

using Empty = std::unique_ptr<empty_bpf, void (*)(empty_bpf*)>;

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fputs("usage: empty-probe COMMAND [ARGUMENT...]\n", stderr);
    return 2;
  }
  const Empty empty(empty_bpf__open_and_load(), empty_bpf__destroy);
  if (!empty || empty_bpf__attach(empty.get()) != 0) {
    std::fputs(
        "empty-probe: cannot attach an empty program to sched_switch; it takes root and BTF\n",
        stderr);
    return 3;
  }
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::execvp(arguments[1], arguments + 1);
    std::perror(arguments[1]);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
