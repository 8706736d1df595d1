// SPDX-License-Identifier: GPL-2.0-only
//
// Where each user thread's time went.
#include <algorithm>

#include "analysis/passes.h"

namespace schedscope::analysis {
namespace {

class Users final : public Pass {
 public:
  using Pass::Pass;

  // The timeline's own sums cover the whole capture; a part of it needs the spans.
  [[nodiscard]] bool wants_user_spans() const override { return !setup().whole; }

  void user_span(const timeline::UserSpan& span) override {
    at(rows_, span.user).state_ns[static_cast<std::size_t>(span.state)] +=
        span.end_ns - span.begin_ns;
  }

  void user_switch(timeline::UserIndex user, std::uint64_t at_ns) override {
    if (!setup().whole && at_ns >= setup().from_ns && at_ns <= setup().to_ns) {
      ++at(rows_, user).switches;
    }
  }

  void finish(Report& report) override {
    rows_.resize(report.user_threads.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      UserReport& user = report.user_threads[i];
      const auto& sums = setup().whole ? user.who.state_ns : rows_[i].state_ns;
      user.state_ns.assign(sums.begin(), sums.end());
      user.switches = setup().whole ? user.who.switches : rows_[i].switches;
      user.wall_ns = setup().clip(user.who.gone_ns) - setup().clip(user.who.born_ns);
    }
  }

 private:
  struct Row {
    std::array<std::uint64_t, timeline::user_state_count> state_ns{};
    std::uint64_t switches = 0;
  };
  std::vector<Row> rows_;
};

}  // namespace

std::unique_ptr<Pass> make_users(const Setup& setup) {
  return Pass::make<Users>(setup);
}

}  // namespace schedscope::analysis
