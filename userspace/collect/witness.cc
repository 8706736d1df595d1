// SPDX-License-Identifier: GPL-2.0-only
#include "collect/witness.h"

#include <unistd.h>

#include <bit>

#include <fmt/format.h>

namespace schedscope::collect {

Result<std::uint64_t> Witness::ring_bytes_of(const WitnessOptions& options) {
  if (options.ring_bytes == 0) return default_ring_bytes;
  if (std::has_single_bit(options.ring_bytes) && options.ring_bytes <= most_ring_bytes &&
      options.ring_bytes >= static_cast<std::uint64_t>(::getpagesize())) {
    return options.ring_bytes;
  }
  return fail(fmt::format("make rings of {} bytes", options.ring_bytes),
              "that is no power of two from 4096 bytes to 1 GiB", "give --ring another size",
              Exit::usage);
}

std::vector<std::string> Witness::what_is_missing(Signals has) {
  std::vector<std::string> missing;
  if (!has.timer) {
    missing.emplace_back(
        "no local_timer_entry tracepoint: a slice that the tick ended shows as unknown");
  }
  if (!has.need_resched) {
    missing.emplace_back(
        "who asks for a switch is not told (to BPF by no kernel, to the module from Linux 6.17 "
        "on): "
        "expired and preempted are inferred, see metrics");
  }
  if (!has.fair_slice) {
    missing.emplace_back("no nominal slice: this kernel's fair scheduler (CFS) grants none");
  }
  return missing;
}

}  // namespace schedscope::collect
