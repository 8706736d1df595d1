// SPDX-License-Identifier: GPL-2.0-only
#include "collect/end_signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <utility>

namespace schedscope::collect {

Result<EndSignals> EndSignals::create(bool with_usr1) {
  EndSignals signals;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  if (with_usr1) sigaddset(&set, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &set, &signals.before_);
  signals.armed_ = true;
  signals.fd_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.fd_.valid()) return fail_errno("watch for Ctrl-C");
  return signals;
}

EndSignals::EndSignals(EndSignals&& other) noexcept
    : fd_(std::move(other.fd_)),
      before_(other.before_),
      armed_(std::exchange(other.armed_, false)) {}

EndSignals::~EndSignals() {
  if (!armed_) return;
  while (fd_.valid() && next() != 0) {
  }
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

int EndSignals::next() {
  signalfd_siginfo signal{};
  if (::read(fd_.get(), &signal, sizeof(signal)) != sizeof(signal)) return 0;
  return static_cast<int>(signal.ssi_signo);
}

}  // namespace schedscope::collect
