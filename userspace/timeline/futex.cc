// SPDX-License-Identifier: GPL-2.0-only
#include "timeline/futex.h"

#include <linux/futex.h>

namespace schedscope::timeline {
namespace {

// What glibc locks a plain mutex with when others wait for it.
constexpr std::uint32_t locked_with_waiters = 2;
// Bits of a mutex's kind: robust, shared between processes, elision; the two lowest are its type.
// Those with priority inheritance or protection sleep in other ways.
constexpr std::uint32_t robust = 0x10;
constexpr std::uint32_t shared = 0x80;
constexpr std::uint32_t elision = 0x300;
constexpr std::uint32_t types = 0x3;

bool in_word(std::uint32_t op) {
  return op == FUTEX_LOCK_PI || op == FUTEX_LOCK_PI2;
}

bool is_wait(std::uint32_t op) {
  return op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET;
}

}  // namespace

std::uint32_t owner_tid(const schedscope_futex& record) {
  const std::uint16_t flags = record.rec.flags;
  const std::uint32_t op = record.op & FUTEX_CMD_MASK;
  if (in_word(op)) {
    return (flags & SCHEDSCOPE_FUTEX_VALUE) != 0 ? record.value & FUTEX_TID_MASK : 0;
  }
  if (!is_wait(op) || (flags & SCHEDSCOPE_FUTEX_MUTEX) == 0 || record.users == 0) return 0;
  if ((record.type & ~(robust | shared | elision | types)) != 0) return 0;
  if ((record.type & robust) != 0) {
    const bool owned = record.value == record.expected && (record.value & FUTEX_WAITERS) != 0 &&
                       (record.value & FUTEX_TID_MASK) == record.owner;
    return owned ? record.owner : 0;
  }
  const bool locked = record.expected == locked_with_waiters && record.value == locked_with_waiters;
  return locked ? record.owner : 0;
}

}  // namespace schedscope::timeline
