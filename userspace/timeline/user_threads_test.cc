// SPDX-License-Identifier: GPL-2.0-only
#include "timeline/user_threads.h"

#include <random>

#include <gtest/gtest.h>

#include "timeline/testing.h"

namespace schedscope::timeline {
namespace {

using namespace testing;

constexpr std::uint64_t ms = 1'000'000;

std::uint64_t sum(const Told& told, std::uint64_t id, UserState state) {
  std::uint64_t ns = 0;
  for (const UserThread& u : told.timeline.user_threads()) {
    if (u.id == id) ns += u.state_ns[static_cast<std::size_t>(state)];
  }
  return ns;
}

// GOLDEN fiber-hostage: one fiber in a read of 100 ms, ten ready behind it.
TEST(UserTimeline, OneBlocksTenAreHostages) {
  Script s;
  s.to(1 * ms, 0, 7);
  for (std::uint64_t id = 2; id <= 11; ++id) s.ready(2 * ms, 7, id);
  s.run(2 * ms, 7, 1);
  s.to(10 * ms, 0, 0, sleeps);
  s.wake(110 * ms, 7);
  s.to(110 * ms, 0, 7);
  s.run(112 * ms, 7, 2);
  s.to(120 * ms, 0, 0, sleeps);
  const Told told(s, 120 * ms);
  EXPECT_EQ(sum(told, 1, UserState::blocking), 100 * ms);
  EXPECT_EQ(sum(told, 1, UserState::running), 10 * ms);
  EXPECT_EQ(sum(told, 1, UserState::parked), 8 * ms);
  for (std::uint64_t id = 2; id <= 11; ++id) {
    EXPECT_EQ(sum(told, id, UserState::hostage), 100 * ms);
    EXPECT_EQ(sum(told, id, UserState::queued), (id == 2 ? 10 : 18) * ms);
  }
  ASSERT_EQ(told.kept.hostage_spans.size(), 1U);
  const HostageSpan& span = told.kept.hostage_spans[0];
  EXPECT_EQ(span.hostages, 10U);
  EXPECT_EQ(span.total_ns, 1000 * ms);
  EXPECT_EQ(span.why, State::sleep);
  EXPECT_EQ(told.timeline.user_threads()[span.user].id, 1U);
  EXPECT_EQ(identities(told, 0, 120 * ms), "");
}

// GOLDEN fibers-contended: a spinner has every second slice of the carrier's CPU.
TEST(UserTimeline, PreemptionOfTheCarrierIsNoRunningTime) {
  Script s;
  s.to(0, 0, 7);
  s.run(0, 7, 1);
  for (std::uint64_t t = 4; t < 400; t += 8) {
    s.to(t * ms, 0, 9, ticked);
    s.to((t + 4) * ms, 0, 7, ticked);
    if (t == 196) s.run((t + 5) * ms, 7, 2);
  }
  s.to(404 * ms, 0, 0, sleeps);
  const Told told(s, 404 * ms);
  EXPECT_EQ(sum(told, 1, UserState::running) + sum(told, 2, UserState::running), 204 * ms);
  EXPECT_EQ(sum(told, 1, UserState::preempted) + sum(told, 2, UserState::preempted), 200 * ms);
  EXPECT_EQ(identities(told, 0, 404 * ms), "");
}

TEST(UserTimeline, ReadyBeforeItIsSwitchedAwayStaysReady) {
  Script s;
  s.to(10, 0, 7);
  s.run(20, 7, 1);
  s.ready(25, 7, 1);  // yields
  s.run(30, 7, 2);
  s.run(40, 7, 1);  // 2 said nothing: it is parked
  s.run(50, 7, 0);  // the runtime itself
  s.to(60, 0, 0, sleeps);
  const Told told(s, 70);
  EXPECT_EQ(told.user(1), "running 20-30, queued 30-40, running 40-50, parked 50-70");
  EXPECT_EQ(told.user(2), "running 30-40, parked 40-70");
  EXPECT_EQ(told.timeline.user_threads()[0].switches, 2U);
  EXPECT_EQ(identities(told, 0, 70), "");
}

TEST(UserTimeline, TwoCarriersOfOneQueueServeEachOthersReady) {
  Script s;
  s.to(0, 0, 7);
  s.to(0, 1, 8);
  s.named(1, 7, SCHEDSCOPE_REC_USER_CARRIER, 5, "boost.fiber");
  s.named(1, 8, SCHEDSCOPE_REC_USER_CARRIER, 5, "boost.fiber");
  s.run(10, 7, 1);
  s.ready(10, 7, 2);
  s.to(20, 0, 0, sleeps);  // 1 blocks its carrier; 8 is still there
  s.to(30, 1, 0, sleeps);  // none is
  s.wake(50, 8);
  s.to(50, 1, 8);
  s.run(60, 8, 2);
  s.to(70, 1, 0, sleeps);
  const Told told(s, 80, Timeline::Scope::whole_machine, 2);
  EXPECT_EQ(told.user(1), "running 10-20, blocking 20-80");
  EXPECT_EQ(told.user(2),
            "queued 10-30, hostage 30-50, queued 50-60, running 60-70, blocking 70-80");
  EXPECT_EQ(told.timeline.user_threads()[0].runtime, "boost.fiber");
  EXPECT_EQ(identities(told, 0, 80), "");
}

TEST(UserTimeline, IdThatEndedAndComesAgainIsAnotherOne) {
  Script s;
  s.to(0, 0, 7);
  s.run(10, 7, 1);
  s.named(10, 7, SCHEDSCOPE_REC_USER_NAME, 1, "first");
  s.user(20, 7, SCHEDSCOPE_REC_USER_END, 1);
  s.run(30, 7, 1);
  s.to(40, 0, 0, sleeps);
  const Told told(s, 50);
  EXPECT_EQ(told.user(1, 0), "running 10-20");
  EXPECT_EQ(told.user(1, 1), "running 30-40, blocking 40-50");
  EXPECT_EQ(told.timeline.user_threads()[0].name, "first");
  EXPECT_TRUE(told.timeline.user_threads()[0].ended);
  EXPECT_EQ(told.timeline.user_threads()[1].name, "");
}

TEST(UserTimeline, GapOfTheCarriersRingMakesItsUserThreadsUnknown) {
  Script s;
  s.to(0, 0, 7);
  s.ready(10, 7, 2);
  s.ready(10, 7, 3);
  s.run(10, 7, 1);
  s.run(20, 7, 2);  // 1 is parked
  s.lost(SCHEDSCOPE_CPU_NONE, 30, 50, 4, 7);
  s.ready(60, 7, 1);
  s.run(70, 7, 3);
  s.to(80, 0, 0, sleeps);
  const Told told(s, 80);
  EXPECT_EQ(told.user(1), "running 10-20, parked 20-30, unknown 30-60, queued 60-80");
  EXPECT_EQ(told.user(2), "queued 10-20, running 20-30, unknown 30-80");
  EXPECT_EQ(told.user(3), "queued 10-30, unknown 30-70, running 70-80");
  EXPECT_EQ(identities(told, 0, 80), "");
}

TEST(UserTimeline, KernelGapMakesTheCarrierUnknown) {
  Script s;
  s.to(0, 0, 7);
  s.run(10, 7, 1);
  s.ready(10, 7, 2);
  s.lost(0, 20, 30);
  s.to(40, 0, 0, sleeps);
  s.wake(50, 7);
  s.to(50, 0, 7);
  s.to(60, 0, 0, sleeps);
  const Told told(s, 60);
  EXPECT_EQ(told.user(1),
            "running 10-20, unknown 20-30, running 30-40, blocking 40-50, running 50-60");
  EXPECT_EQ(told.user(2), "queued 10-20, unknown 20-30, queued 30-40, hostage 40-50, queued 50-60");
  EXPECT_EQ(identities(told, 0, 60), "");
}

TEST(UserTimeline, CarrierThatExitsLeavesItsUserThreadsUnknown) {
  Script s;
  s.to(0, 0, 7);
  s.ready(10, 7, 2);
  s.run(10, 7, 1);
  s.to(20, 0, 0, dies);
  s.run(21, 7, 2);  // its clock is a little behind: no new carrier comes of it
  const Told told(s, 30);
  EXPECT_EQ(told.timeline.threads().size(), 1U);
  EXPECT_EQ(told.user(1).substr(0, 26), "running 10-20, unknown 20-");
  EXPECT_EQ(identities(told, 0, 30), "");
}

TEST(UserTimeline, WithoutTheKernelNothingButParkedIsKnown) {
  Script s;
  s.run(10, 7, 1);
  s.run(20, 7, 2);
  const Told told(s, 30);
  EXPECT_EQ(told.user(1), "unknown 10-20, parked 20-30");
  EXPECT_EQ(told.user(2), "unknown 20-30");
}

// A carrier that sleeps while another one tells a lot: what is held back stays bounded, and
// the sums are the same as when it can be held.
TEST(UserTimeline, SleepingCarrierDoesNotHoldBackForEver) {
  Script s;
  s.to(0, 0, 7);
  s.to(0, 1, 8);
  s.run(1, 8, 99);
  s.to(5, 1, 0, sleeps);
  for (std::uint64_t t = 10; t < 300'000; ++t) s.run(t, 7, 1 + t % 2);
  s.wake(300'000, 8);
  s.to(300'010, 1, 8);
  s.to(300'020, 1, 0, sleeps);
  s.to(300'020, 0, 0, sleeps);
  const Told told(s, 300'020, Timeline::Scope::whole_machine, 2);
  EXPECT_EQ(told.user(99),
            "running 1-5, blocking 5-300000, preempted 300000-300010, "
            "running 300010-300020");
  EXPECT_EQ(sum(told, 1, UserState::running) + sum(told, 2, UserState::running), 300'010U);
  EXPECT_EQ(identities(told, 0, 300'020), "");
}

// Spans and sums are computed in two ways; random runtimes on a random schedule, with gaps.
TEST(UserTimeline, SumsAgreeWithSpansOnRandomRuntimes) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 rng(seed);
    const auto below = [&](std::uint64_t n) { return static_cast<std::uint32_t>(rng() % n); };
    Script s;
    bool on[3] = {};
    std::uint64_t t = 1;
    for (std::uint32_t c = 0; c < 3; ++c) {
      s.named(t, 7 + c, SCHEDSCOPE_REC_USER_CARRIER, below(2), "x");
    }
    for (int i = 0; i < 3000; ++i) {
      t += below(3);
      const std::uint32_t c = below(3), carrier = 7 + c, user = 1 + below(12);
      const std::uint32_t what = below(20);
      if (what < 8) {
        const auto cpu = static_cast<std::uint16_t>(c);
        if (on[c]) {
          s.to(t, cpu, 0, below(2) ? sleeps : ticked);
        } else {
          s.wake(t, carrier);
          s.to(t, cpu, carrier);
        }
        on[c] = !on[c];
      } else if (what < 13) {
        s.run(t, carrier, below(8) == 0 ? 0 : user);
      } else if (what < 17) {
        s.ready(t, carrier, user);
      } else if (what < 18) {
        s.user(t, carrier, SCHEDSCOPE_REC_USER_PARK, user);
      } else if (what < 19) {
        s.user(t, carrier, SCHEDSCOPE_REC_USER_END, user);
      } else if (below(10) == 0) {
        s.lost(SCHEDSCOPE_CPU_NONE, t - std::min<std::uint64_t>(t, below(20)), t, 1, carrier);
      } else if (below(10) == 0) {
        s.lost(static_cast<std::uint16_t>(c), t - std::min<std::uint64_t>(t, below(20)), t);
      }
    }
    const Told told(s, t + 5, Timeline::Scope::whole_machine, 3);
    EXPECT_EQ(identities(told, 0, t + 5), "");
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace schedscope::timeline
