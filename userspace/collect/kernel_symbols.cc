// SPDX-License-Identifier: GPL-2.0-only
#include "collect/kernel_symbols.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/file.h"

namespace schedscope::collect {
namespace {

constexpr std::uint64_t page_bytes = 4096;

struct Line {
  std::uint64_t address = 0;
  std::string_view name, module;
};

// "ffffffff81000000 T name	[module]"; only what may be executed.
std::optional<Line> parse_line(std::string_view text) {
  Line line;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), line.address, 16);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (error != std::errc() || line.address == 0 || text.size() < 4) return {};
  if (std::string_view("tTwW").find(text[1]) == std::string_view::npos) return {};
  text.remove_prefix(3);
  const std::size_t tab = text.find('\t');
  line.name = text.substr(0, tab);
  if (tab != std::string_view::npos) {
    text.remove_prefix(tab + 1);
    if (text.size() < 3 || text.front() != '[') return {};
    line.module = text.substr(1, text.size() - 2);
  }
  return line;
}

}  // namespace

KernelSymbols::KernelSymbols(std::string_view kallsyms) : names_(1, '\0') {
  std::uint32_t module = 0;  // of the line before
  while (!kallsyms.empty()) {
    const std::size_t end = std::min(kallsyms.find('\n'), kallsyms.size());
    const auto line = parse_line(kallsyms.substr(0, end));
    kallsyms.remove_prefix(std::min(end + 1, kallsyms.size()));
    if (!line) continue;
    const auto name = static_cast<std::uint32_t>(names_.size());
    names_.append(line->name) += '\0';
    if (names_.c_str() + module != line->module) {
      module = line->module.empty() ? 0 : static_cast<std::uint32_t>(names_.size());
      if (module != 0) names_.append(line->module) += '\0';
    }
    functions_.push_back({line->address, name, module});
  }
  std::ranges::sort(functions_, {}, [](const Function& f) { return std::pair(f.address, f.name); });
}

KernelSymbols KernelSymbols::read() {
  return KernelSymbols(read_text("/proc/kallsyms").value_or(""));
}

std::optional<KernelSymbols::Symbol> KernelSymbols::find(std::uint64_t address) const {
  const auto next = std::ranges::upper_bound(functions_, address, {}, &Function::address);
  if (next == functions_.begin()) return std::nullopt;
  // Of several names of one place the first.
  const auto at = std::ranges::lower_bound(functions_, (next - 1)->address, {}, &Function::address);
  const std::string_view module = names_.c_str() + at->module;
  const bool is_last = next == functions_.end() || names_.c_str() + next->module != module;
  const std::uint64_t page_end = at->address / page_bytes * page_bytes + page_bytes;
  if (is_last && address >= page_end) return std::nullopt;
  return Symbol{names_.c_str() + at->name, module, address - at->address};
}

}  // namespace schedscope::collect
