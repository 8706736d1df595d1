// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <memory>

#include "analysis/pass.h"

namespace schedscope::analysis {

// Each is made in the file of its name.
std::unique_ptr<Pass> make_times(const Setup& setup);
std::unique_ptr<Pass> make_nominal(const Setup& setup);
std::unique_ptr<Pass> make_waits(const Setup& setup);
std::unique_ptr<Pass> make_preemptors(const Setup& setup);
std::unique_ptr<Pass> make_wakers(const Setup& setup);
std::unique_ptr<Pass> make_waits_behind(const Setup& setup);
std::unique_ptr<Pass> make_off_cpu(const Setup& setup);
std::unique_ptr<Pass> make_off_cpu_stacks(const Setup& setup);
std::unique_ptr<Pass> make_futexes(const Setup& setup);
std::unique_ptr<Pass> make_cpus(const Setup& setup);
std::unique_ptr<Pass> make_interrupts(const Setup& setup);  // nullptr: not recorded
std::unique_ptr<Pass> make_eevdf(const Setup& setup);       // likewise
std::unique_ptr<Pass> make_users(const Setup& setup);
std::unique_ptr<Pass> make_cgroups(const Setup& setup);
std::unique_ptr<Pass> make_identities(const Setup& setup);
std::unique_ptr<Pass> make_conservation(const Setup& setup);
std::unique_ptr<Pass> make_overhead(const Setup& setup);
std::unique_ptr<Pass> make_agreement(const Setup& setup);
std::unique_ptr<Pass> make_second_witness(const Setup& setup);
std::unique_ptr<Pass> make_inversions(const Setup& setup);
std::unique_ptr<Pass> make_wake_chains(const Setup& setup);
std::unique_ptr<Pass> make_tallies(const Setup& setup);
std::unique_ptr<Pass> make_critical_path(const Setup& setup);  // nullptr: not asked for
std::unique_ptr<Pass> make_findings(const Setup& setup);

}  // namespace schedscope::analysis
