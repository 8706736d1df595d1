// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <signal.h>

#include "base/error.h"
#include "base/fd.h"

namespace schedscope::collect {

// Blocks SIGINT and SIGTERM, which end a recording, and if wanted SIGUSR1, which has what a
// flight recorder keeps written, and reads them from a descriptor instead. As before when dropped.
class EndSignals {
 public:
  [[nodiscard]] static Result<EndSignals> create(bool with_usr1);
  EndSignals(EndSignals&& other) noexcept;
  EndSignals& operator=(EndSignals&&) = delete;
  ~EndSignals();

  [[nodiscard]] int fd() const { return fd_.get(); }
  // The next one that came; 0: none.
  [[nodiscard]] int next();

 private:
  EndSignals() = default;
  Fd fd_;
  sigset_t before_{};
  bool armed_ = false;
};

}  // namespace schedscope::collect
