// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace schedscope::collect {

// A child process that waits before its exec until it is let go, so that nothing of the
// command runs before recording does. Killed and reaped when dropped.
class Command {
 public:
  // `stdout_fd`: where its standard output goes; -1: ours.
  [[nodiscard]] static Result<Command> prepare(const std::vector<std::string>& arguments,
                                               int stdout_fd);
  Command(Command&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)),
        pid_fd_(std::move(other.pid_fd_)),
        gate_(std::move(other.gate_)),
        verdict_(std::move(other.verdict_)),
        name_(std::move(other.name_)) {}
  Command& operator=(Command&&) = delete;
  ~Command();

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Becomes readable when the process is over.
  [[nodiscard]] int pid_fd() const { return pid_fd_.get(); }
  // Lets it go. Errors: the program cannot be executed (Exit::usage).
  [[nodiscard]] Result<void> go();
  [[nodiscard]] bool is_going() const { return !gate_.valid(); }
  // Asks it to end, and makes it two seconds later: its status.
  [[nodiscard]] std::optional<int> end(int signal);
  // Its status as from waitpid, once it is over.
  [[nodiscard]] std::optional<int> status();

 private:
  Command() = default;

  pid_t pid_ = -1;
  Fd pid_fd_;
  Fd gate_;     // closing it lets the child go
  Fd verdict_;  // the errno of a failed exec comes here
  std::string name_;
};

}  // namespace schedscope::collect
