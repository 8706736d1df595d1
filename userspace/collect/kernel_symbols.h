// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace schedscope::collect {

// The kernel's functions, as /proc/kallsyms has them.
class KernelSymbols {
 public:
  struct Symbol {
    std::string_view name;    // valid as long as the table
    std::string_view module;  // "" for the kernel itself
    std::uint64_t offset;     // behind its begin
  };

  // Of the text of /proc/kallsyms; addresses that the kernel hides are none.
  explicit KernelSymbols(std::string_view kallsyms);
  // Of this machine; empty when it cannot be read.
  [[nodiscard]] static KernelSymbols read();

  [[nodiscard]] bool empty() const { return functions_.empty(); }
  // kallsyms knows no sizes: a function ends where the next one of its module begins, the last one
  // with its page.
  [[nodiscard]] std::optional<Symbol> find(std::uint64_t address) const;

 private:
  struct Function {
    std::uint64_t address;
    std::uint32_t name, module;  // in names_
  };
  std::vector<Function> functions_;  // by address
  std::string names_;                // each ends with a NUL; "" at 0
};

}  // namespace schedscope::collect
