// SPDX-License-Identifier: GPL-2.0-only
#include "schema/syscalls.h"

#include <algorithm>
#include <array>
#include <span>

namespace schedscope {
namespace {

struct Name {
  std::uint32_t number;
  std::string_view name;
};

// From asm/unistd_64.h and _32.h, by the Makefile: in the order of their numbers.
constexpr auto names = std::to_array<Name>({
#include "schema/syscalls_64.inc"
});
constexpr auto compat_names = std::to_array<Name>({
#include "schema/syscalls_32.inc"
});
static_assert(std::ranges::is_sorted(names, {}, &Name::number));
static_assert(std::ranges::is_sorted(compat_names, {}, &Name::number));

}  // namespace

std::string_view syscall_name(std::uint32_t number, bool compat) {
  const std::span<const Name> table = compat ? std::span<const Name>(compat_names) : names;
  const auto found = std::ranges::lower_bound(table, number, {}, &Name::number);
  return found != table.end() && found->number == number ? found->name : std::string_view();
}

}  // namespace schedscope
