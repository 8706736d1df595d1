// SPDX-License-Identifier: GPL-2.0-only
//
// The time identities, computed anew from what the report says: a thread's times add up to its
// wall time, a CPU's to the reported span, a user thread's to its wall time. Exactly.
#include <numeric>

#include "analysis/passes.h"

namespace schedscope::analysis {
namespace {

class Identities final : public Pass {
 public:
  using Pass::Pass;

  void finish(Report& report) override {
    bool threads = true;
    for (const ThreadReport& t : report.threads) {
      threads =
          threads && t.run_ns + t.wait_ns + t.sleep_ns + t.block_ns + t.unknown_ns == t.wall_ns;
    }
    bool cpus = true;
    const std::uint64_t span = setup().to_ns - setup().from_ns;
    for (const CpuReport& c : report.cpus) {
      cpus = cpus && c.run_ns + c.idle_ns + c.off_ns + c.unknown_ns == span;
    }
    bool users = true;
    for (const UserReport& u : report.user_threads) {
      const std::uint64_t sum =
          std::accumulate(u.state_ns.begin(), u.state_ns.end(), std::uint64_t{0});
      users = users && sum == u.wall_ns;
    }
    if (!report.threads.empty()) report.threads_conserved = threads;
    if (!report.cpus.empty()) report.cpus_conserved = cpus;
    if (!report.user_threads.empty()) report.user_threads_conserved = users;
  }
};

}  // namespace

std::unique_ptr<Pass> make_identities(const Setup& setup) {
  return Pass::make<Identities>(setup);
}

}  // namespace schedscope::analysis
