// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "collect/kernel_btf.h"
#include "schema/record.h"

struct record_bpf;

namespace schedscope::collect {

// The BPF programs that sum what interrupts take (bpf/interrupts.bpf.h), from outside.
class InterruptSums {
 public:
  // Before the programs are loaded. Returns what this kernel cannot tell, a sentence each.
  [[nodiscard]] static std::vector<std::string> choose_programs(record_bpf& skeleton,
                                                                const KernelBtf& btf);

  explicit InterruptSums(const record_bpf& skeleton, std::uint32_t cpus)
      : skeleton_(skeleton), cpus_(cpus) {}
  // What is summed is from here on; before recording starts.
  [[nodiscard]] Result<void> begin(std::uint64_t now_ns) const;
  // What was summed and not told when recording stopped: a record of each CPU, also of one that
  // lost nothing: all is told of it until `stopped_ns`.
  void rest(std::uint64_t stopped_ns, const std::function<void(RecordView)>& take) const;

 private:
  const record_bpf& skeleton_;
  std::uint32_t cpus_;
};

}  // namespace schedscope::collect
