// SPDX-License-Identifier: GPL-2.0-only
//
// Slices against what the scheduler had granted: how long they were, in quarters of their nominal
// slice, of each thread and of each policy.
#include <algorithm>
#include <functional>

#include "analysis/passes.h"

namespace schedscope::analysis {
namespace {

class Nominal final : public Pass {
 public:
  using Pass::Pass;

  void slice(const timeline::Slice& slice) override {
    if (slice.begin_cut || slice.end_cut) return;
    const std::uint64_t ns = slice.end_ns - slice.begin_ns;
    const bool expired = slice.end == timeline::SliceEnd::expired;
    Class& of_policy = at(classes_, slice.policy);
    if (of_policy.last_thread != slice.thread) {
      of_policy.threads.resize(std::max<std::size_t>(of_policy.threads.size(), slice.thread + 1U));
      of_policy.threads[slice.thread] = true;
      of_policy.last_thread = slice.thread;
    }
    ++of_policy.slices;
    of_policy.ns += ns;
    if (slice.nominal_ns == 0) return;
    of_policy.least_ns = std::min<std::uint64_t>(of_policy.least_ns, slice.nominal_ns);
    of_policy.most_ns = std::max<std::uint64_t>(of_policy.most_ns, slice.nominal_ns);
    const std::size_t quarter =
        std::min<std::uint64_t>(4 * ns / slice.nominal_ns, nominal_quarters - 1);
    of_policy.against.add(quarter, expired);
    at(threads_, slice.thread).add(quarter, expired);
  }

  void finish(Report& report) override {
    threads_.resize(report.threads.size());
    for (std::size_t i = 0; i < threads_.size(); ++i)
      report.threads[i].against_nominal = threads_[i];
    for (std::size_t policy = 0; policy < classes_.size(); ++policy) {
      const Class& of_policy = classes_[policy];
      if (of_policy.slices == 0) continue;
      const auto threads = std::ranges::count(of_policy.threads, true);
      report.policies.push_back({.policy = static_cast<std::uint32_t>(policy),
                                 .threads = static_cast<std::uint64_t>(threads),
                                 .slices = of_policy.slices,
                                 .ns = of_policy.ns,
                                 .nominal_min_ns = of_policy.most_ns == 0 ? 0 : of_policy.least_ns,
                                 .nominal_max_ns = of_policy.most_ns,
                                 .against_nominal = of_policy.against});
    }
    std::ranges::stable_sort(report.policies, std::greater{}, &PolicyReport::ns);
  }

 private:
  struct Class {
    std::vector<bool> threads;  // by index: had a slice in it
    timeline::ThreadIndex last_thread = timeline::no_index;
    std::uint64_t slices = 0, ns = 0;
    std::uint64_t least_ns = ~0ULL, most_ns = 0;
    AgainstNominal against;
  };
  std::vector<AgainstNominal> threads_;
  std::vector<Class> classes_;  // by policy
};

}  // namespace

std::unique_ptr<Pass> make_nominal(const Setup& setup) {
  return Pass::make<Nominal>(setup);
}

}  // namespace schedscope::analysis
