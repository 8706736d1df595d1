// SPDX-License-Identifier: GPL-2.0-only
#include "collect/ledger.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <vector>

#include <fmt/format.h>

namespace schedscope::collect {

Result<Ledger> Ledger::open() {
  Fd fd(::open(device, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return fail_errno("open /dev/schedscope", errno == ENOENT
                                                  ? "load the module: insmod schedscope.ko"
                                                  : "run as root, or with CAP_PERFMON");
  }
  Ledger ledger(std::move(fd));
  const auto info = ledger.info();
  if (!info) return std::unexpected(info.error());
  if (info->abi_major != SCHEDSCOPE_ABI_MAJOR ||
      info->account_bytes != sizeof(schedscope_account)) {
    return fail("read the module's ledger",
                fmt::format("the module speaks ABI {}.{}, this program {}.{}", info->abi_major,
                            info->abi_minor, SCHEDSCOPE_ABI_MAJOR, SCHEDSCOPE_ABI_MINOR),
                "load the module that belongs to this program");
  }
  return ledger;
}

Result<schedscope_info> Ledger::info() const {
  schedscope_info info{};
  info.info_bytes = sizeof(info);
  if (::ioctl(fd_.get(), SCHEDSCOPE_IOC_INFO, &info) != 0) {
    return fail_errno("ask the module what it is", "load the module that belongs to this program");
  }
  return info;
}

Result<void> Ledger::read(std::uint16_t flag, const std::function<void(RecordView)>& take) const {
  if (::lseek(fd_.get(), 0, SEEK_SET) != 0) return fail_errno("rewind the module's ledger");
  std::vector<schedscope_account> accounts(256);
  for (;;) {
    const ssize_t got =
        ::read(fd_.get(), accounts.data(), accounts.size() * sizeof(schedscope_account));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read the module's ledger");
    if (got == 0) return {};
    const std::size_t count = static_cast<std::size_t>(got) / sizeof(schedscope_account);
    for (std::size_t i = 0; i < count; ++i) {
      accounts[i].rec.flags |= flag;
      take(view_of(accounts[i]));
    }
  }
}

}  // namespace schedscope::collect
