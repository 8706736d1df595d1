// SPDX-License-Identifier: GPL-2.0-only
#include "collect/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include <fmt/format.h>

#include "base/text.h"

namespace schedscope::collect {
namespace {

struct Pipe {
  Fd read, write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("make a pipe");
  return Pipe{.read = Fd(ends[0]), .write = Fd(ends[1])};
}

// The child's side: between fork and exec only calls that are safe there.
[[noreturn]] void become(const std::vector<char*>& arguments, int gate, int verdict,
                         int stdout_fd) {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Ignored signals outlive an exec; the command is to find the world as it is without us.
  ::signal(SIGPIPE, SIG_DFL);
  ::signal(SIGXFSZ, SIG_DFL);
  char byte = 0;
  // A byte is the word to go; the end of the pipe means that the recorder gave up.
  if (::read(gate, &byte, 1) != 1) ::_exit(127);
  if (stdout_fd >= 0) ::dup2(stdout_fd, STDOUT_FILENO);
  ::execvp(arguments[0], arguments.data());
  const int code = errno;
  (void)!::write(verdict, &code, sizeof(code));
  ::_exit(127);
}

}  // namespace

Result<Command> Command::prepare(const std::vector<std::string>& arguments, int stdout_fd) {
  auto gate = make_pipe();
  if (!gate) return std::unexpected(gate.error());
  auto verdict = make_pipe();
  if (!verdict) return std::unexpected(verdict.error());

  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  Command command;
  command.name_ = arguments.front();
  command.pid_ = ::fork();
  if (command.pid_ < 0) return fail_errno("start the command");
  if (command.pid_ == 0) {
    // The child's own copy of the writing end would keep the gate shut for ever.
    gate->write.reset();
    become(argv, gate->read.get(), verdict->write.get(), stdout_fd);
  }
  command.pid_fd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, command.pid_, 0)));
  if (!command.pid_fd_.valid()) return fail_errno("watch the command");
  command.gate_ = std::move(gate->write);
  command.verdict_ = std::move(verdict->read);
  return command;
}

Result<void> Command::go() {
  const char byte = 1;
  if (::write(gate_.get(), &byte, 1) != 1) return fail_errno("start the command");
  gate_.reset();
  int code = 0;
  // The end of the pipe is the exec's own close: it worked.
  if (::read(verdict_.get(), &code, sizeof(code)) != sizeof(code)) return {};
  return fail_errno(fmt::format("run `{}`", printable(name_)),
                    "give a program that exists and may be executed after --", Exit::usage, code);
}

std::optional<int> Command::status() {
  int status = 0;
  if (pid_ < 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = -1;
  return status;
}

std::optional<int> Command::end(int signal) {
  ::kill(pid_, signal);
  pollfd event{.fd = pid_fd_.get(), .events = POLLIN, .revents = 0};
  ::poll(&event, 1, 2000);
  return status();
}

Command::~Command() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace schedscope::collect
