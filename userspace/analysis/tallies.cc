// SPDX-License-Identifier: GPL-2.0-only
//
// What the kernel counted by itself: the last of what each CPU's histograms were told to be.
#include <algorithm>
#include <map>
#include <tuple>

#include "analysis/passes.h"

namespace schedscope::analysis {
namespace {

class TalliesPass final : public Pass {
 public:
  using Pass::Pass;

  [[nodiscard]] std::uint64_t wants_records() const override { return kinds(SCHEDSCOPE_REC_TALLY); }
  void record(RecordView record) override {
    const auto& tally = record.as<schedscope_tally>();
    if (tally.what >= SCHEDSCOPE_TALLIES || tally.of_class >= SCHEDSCOPE_CLASSES) return;
    if (record.cpu() >= setup().machine.cpus) return;
    last_[{tally.what, tally.of_class, record.cpu()}] = tally;
  }

  void finish(Report& report) override {
    if (last_.empty()) return;
    Tallies& tallies = report.tallies.emplace();
    tallies.since_ns = ~0ULL;
    for (const auto& [key, tally] : last_) {
      const auto& [what, of_class, cpu] = key;
      if (tallies.rows.empty() || tallies.rows.back().what != what ||
          tallies.rows.back().of_class != of_class) {
        tallies.rows.push_back({.what = what, .of_class = of_class});
      }
      add(tallies.rows.back(), tally);
      tallies.since_ns = std::min<std::uint64_t>(tallies.since_ns, tally.since_ns);
      tallies.at_ns = std::max<std::uint64_t>(tallies.at_ns, tally.rec.time_ns);
    }
  }

 private:
  using Key = std::tuple<std::uint32_t, std::uint32_t, std::uint16_t>;  // what, class, CPU

  static void add(TallyReport& row, const schedscope_tally& tally) {
    row.count += tally.count;
    row.sum_ns += tally.sum_ns;
    row.max_ns = std::max<std::uint64_t>(row.max_ns, tally.max_ns);
    for (std::size_t i = 0; i < row.hist.size(); ++i) row.hist[i] += tally.hist[i];
  }

  std::map<Key, schedscope_tally> last_;
};

}  // namespace

std::uint64_t TallyReport::percentile(unsigned permille) const {
  const std::uint64_t wanted = count / 1000 * permille + (count % 1000 * permille + 999) / 1000;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i + 1 < hist.size(); ++i) {
    seen += hist[i];
    if (seen >= wanted) return std::min<std::uint64_t>(max_ns, (2ULL << i) - 1);
  }
  return max_ns;
}

std::unique_ptr<Pass> make_tallies(const Setup& setup) {
  return Pass::make<TalliesPass>(setup);
}

}  // namespace schedscope::analysis
