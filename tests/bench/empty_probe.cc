// SPDX-License-Identifier: GPL-2.0-only
//
// empty-probe [--three] COMMAND…: runs it while an empty BPF program sits on sched_switch, or one
// on each tracepoint that a switch and its wakeup pass.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string_view>

#include "tests/bench/empty.skel.h"

namespace {

using Empty = std::unique_ptr<empty_bpf, void (*)(empty_bpf*)>;

}  // namespace

int main(int count, char** arguments) {
  const bool three = count > 1 && std::string_view(arguments[1]) == "--three";
  if (three) ++arguments;
  if (count < (three ? 3 : 2)) {
    std::fputs("usage: empty-probe [--three] COMMAND [ARGUMENT...]\n", stderr);
    return 2;
  }
  const Empty empty(empty_bpf__open(), empty_bpf__destroy);
  if (empty && !three) {
    bpf_program__set_autoload(empty->progs.on_waking, false);
    bpf_program__set_autoload(empty->progs.on_wakeup, false);
  }
  if (!empty || empty_bpf__load(empty.get()) != 0 || empty_bpf__attach(empty.get()) != 0) {
    std::fputs("empty-probe: cannot attach an empty program; it takes root and BTF\n", stderr);
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
