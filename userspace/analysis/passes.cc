// SPDX-License-Identifier: GPL-2.0-only
#include "analysis/passes.h"

#include <array>

namespace schedscope::analysis {
namespace {

// A new analysis is a file with a make_ function and a line here. Findings read what the others
// wrote, so they come last.
constexpr std::array makers = {
    make_times,         make_nominal,   make_waits,          make_preemptors,     make_wakers,
    make_waits_behind,  make_off_cpu,   make_futexes,        make_cpus,           make_interrupts,
    make_eevdf,         make_users,     make_cgroups,        make_identities,     make_conservation,
    make_overhead,      make_agreement, make_second_witness, make_inversions,     make_wake_chains,
    make_critical_path, make_tallies,   make_findings,       make_off_cpu_stacks,
};

}  // namespace

std::vector<std::unique_ptr<Pass>> make_passes(const Setup& setup) {
  std::vector<std::unique_ptr<Pass>> passes;
  for (const auto make : makers) {
    if (auto pass = make(setup)) passes.push_back(std::move(pass));
  }
  return passes;
}

}  // namespace schedscope::analysis
