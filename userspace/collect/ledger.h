// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <functional>

#include "base/error.h"
#include "base/fd.h"
#include "schema/record.h"

namespace schedscope::collect {

// The module's ledger, read through /dev/schedscope.
class Ledger {
 public:
  // Errors: the module is not loaded, may not be opened, or speaks another ABI.
  [[nodiscard]] static Result<Ledger> open();

  [[nodiscard]] Result<schedscope_info> info() const;
  // Every account as a REC_ACCOUNT with `flag` (SCHEDSCOPE_ACCOUNT_BEGIN or _END) set.
  [[nodiscard]] Result<void> read(std::uint16_t flag,
                                  const std::function<void(RecordView)>& take) const;

  [[nodiscard]] int fd() const { return fd_.get(); }

  static constexpr const char* device = "/dev/schedscope";

 private:
  explicit Ledger(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace schedscope::collect
