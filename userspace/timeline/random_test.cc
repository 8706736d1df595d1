// SPDX-License-Identifier: GPL-2.0-only
//
// Schedules whose every decision is known, against what the timeline makes of their records: exact
// when all of them are there, never wrong when some are lost.
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "timeline/simulation.h"

namespace schedscope::timeline {
namespace {

using namespace testing;

constexpr std::uint16_t cpus = Simulation::cpus;

struct Checked {
  std::uint64_t known = 0, unknown = 0, wrong = 0;  // ns
  std::string first;                                // that is wrong
};

// Holds every stretch that is not unknown against the truth.
Checked check(const Simulation& truth, const Told& told) {
  Checked sum;
  for (const Thread& thread : told.timeline.threads()) {
    const auto it = told.kept.threads.find(thread.index);
    if (it == told.kept.threads.end()) continue;
    for (const Stretch& s : it->second) {
      const std::uint64_t ns = s.end - s.begin;
      if (s.what == "unknown") {
        sum.unknown += ns;
        continue;
      }
      sum.known += ns;
      const std::string_view state = s.what.ends_with("run") ? "run" : std::string_view(s.what);
      if (truth.truly(thread.tid, s, state)) continue;
      sum.wrong += ns;
      if (sum.first.empty()) {
        sum.first =
            fmt::format("thread {} was not {} {}-{}: {}\nin truth {}", thread.tid, s.what, s.begin,
                        s.end, told.kept.of_thread(thread.index), truth.story(thread.tid));
      }
    }
  }
  return sum;
}

TEST(RandomSchedule, IsExactWhenNothingIsLost) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    const Simulation truth(seed, 400, true);
    const Told told(truth.script, truth.end(), Timeline::Scope::whole_machine, cpus);
    const Checked checked = check(truth, told);
    EXPECT_EQ(checked.wrong, 0U) << checked.first;
    // Only who was woken on the way to sleep and has not been seen again is not known.
    for (const Span& span : told.kept.spans) {
      EXPECT_TRUE(span.state != State::unknown || span.end_ns == truth.end());
    }
    EXPECT_EQ(identities(told, 0, truth.end()), "");
    EXPECT_EQ(told.timeline.discontinuities(), 0U);
    if (HasFailure()) return;
  }
}

// What is given out can only be wrong while the gap that would show it has not been told of:
// gaps of several CPUs that overlap, one of them told of much later. Here they are dense.
TEST(RandomSchedule, IsHardlyEverWrongWhenRecordsAreLost) {
  Checked sum;
  for (unsigned seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE(seed);
    Simulation truth(seed, 400, false);
    const Told told(truth.with_losses(1 + static_cast<int>(seed % 8)), truth.end(),
                    Timeline::Scope::whole_machine, cpus);
    const Checked checked = check(truth, told);
    // One gap alone is never bridged.
    EXPECT_TRUE(seed % 8 != 0 || checked.wrong == 0) << checked.first;
    sum.known += checked.known;
    sum.unknown += checked.unknown;
    sum.wrong += checked.wrong;
    EXPECT_EQ(identities(told, 0, truth.end()), "");
    EXPECT_EQ(told.timeline.discontinuities(), 0U);
    if (HasFailure()) return;
  }
  EXPECT_LT(sum.wrong * 10'000, sum.known);
  EXPECT_LT(sum.unknown * 2, sum.known);  // else all that it says may be "unknown"
  RecordProperty("wrong_ppm", static_cast<int>(sum.wrong * 1'000'000 / sum.known));
}

// Records that vanish without a word: the identities hold, and it shows.
TEST(RandomSchedule, SilentLossShowsAsDiscontinuities) {
  std::uint64_t seen = 0;
  for (unsigned seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    Simulation truth(seed, 400, true);
    std::mt19937 rng(seed);
    for (int i = 0; i < 10; ++i) truth.script.remove(rng() % truth.script.size());
    const Told told(truth.script, truth.end(), Timeline::Scope::whole_machine, cpus);
    EXPECT_EQ(identities(told, 0, truth.end()), "");
    seen += told.timeline.discontinuities() != 0 ? 1 : 0;
    if (HasFailure()) return;
  }
  EXPECT_GT(seen, 95U);
}

}  // namespace
}  // namespace schedscope::timeline
