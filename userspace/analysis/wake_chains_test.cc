// SPDX-License-Identifier: GPL-2.0-only
#include <deque>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "analysis/analysis.h"
#include "timeline/simulation.h"

namespace schedscope::analysis {
namespace {

using namespace timeline::testing;

constexpr std::uint64_t us = 1'000;

std::vector<Finding> chains(const Script& s, std::uint64_t end_ns, Window window = {}) {
  Analysis analysis({}, window);
  for (std::size_t i = 0; i < s.size(); ++i) analysis.add(s[i]);
  std::vector<Finding> found = analysis.finish(end_ns).findings;
  std::erase_if(found, [](const Finding& f) { return f.kind != "wake_chain"; });
  return found;
}

bool says(const Finding& finding, std::string_view text) {
  return finding.text.find(text) != std::string::npos;
}

// Each on its CPU, 10 (client) waits for 20 (server), that one for 30 (store), whose CPU 40 (hog)
// takes for so long: from `t` on. All in us.
void request(Script& s, std::uint64_t t, std::uint64_t hog) {
  const auto at = [&](std::uint64_t us_after) { return (t + us_after) * us; };
  s.wake(at(0), 10, 0, SCHEDSCOPE_WAKING_TIMER);
  s.to(at(0), 0, 10);
  s.wake(at(10), 20, 10);
  s.to(at(10), 1, 20);
  s.to(at(20), 0, 0, sleeps);
  s.wake(at(30), 30, 20);
  s.to(at(30), 2, 30);
  s.to(at(40), 1, 0, sleeps);
  if (hog != 0) {
    s.wake(at(50), 40, 30);
    s.to(at(50), 2, 40, preempted_by(40));
    s.to(at(50 + hog), 2, 30, sleeps);
  }
  s.wake(at(100 + hog), 20, 30);
  s.to(at(100 + hog), 1, 20);
  s.to(at(110 + hog), 2, 0, sleeps);
  s.wake(at(120 + hog), 10, 20);
  s.to(at(120 + hog), 0, 10);
  s.to(at(130 + hog), 1, 0, sleeps);
  s.to(at(140 + hog), 0, 0, sleeps);
}

Script threads() {
  Script s;
  for (const auto& [tid, comm] : {std::pair(10U, "client"), std::pair(20U, "server"),
                                  std::pair(30U, "store"), std::pair(40U, "hog")}) {
    s.task(0, tid, SCHEDSCOPE_TASK_BEGIN, 1, comm);
  }
  return s;
}

TEST(WakeChains, WaitOfTheLastLinkIsTold) {
  Script s = threads();
  request(s, 1000, 5000);
  const auto found = chains(s, 10'000 * us);
  ASSERT_EQ(found.size(), 1U);  // the server's own sleep is the same chain, without its begin
  EXPECT_TRUE(says(found[0], "client (10) <- server (20) <- store (30)")) << found[0].text;
  EXPECT_TRUE(says(found[0], "slept for 5.100 ms")) << found[0].text;
  EXPECT_EQ(found[0].for_ns, 5000 * us);
  EXPECT_EQ(found[0].at_ns, 1050 * us);
}

TEST(WakeChains, SilentWhereNothingWaited) {
  Script s = threads();
  for (std::uint64_t t = 1000; t < 20'000; t += 1000) request(s, t, 0);
  EXPECT_TRUE(chains(s, 30'000 * us).empty());
  request(s, 20'000, 90);
  EXPECT_TRUE(chains(s, 30'000 * us).empty());  // less than 100 us
  request(s, 21'000, 110);
  EXPECT_EQ(chains(s, 30'000 * us).size(), 1U);
}

TEST(WakeChains, OneFindingForAllOfOneChain) {
  Script s = threads();
  for (std::uint64_t i = 1; i <= 7; ++i) request(s, 10'000 * i, 1000 * (i == 4 ? 5 : 1));
  const auto found = chains(s, 90'000 * us);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].for_ns, 5000 * us);
  EXPECT_EQ(found[0].at_ns, 40'050 * us);
  EXPECT_TRUE(says(found[0], "The worst of 7 such sleeps, with 11.00 ms together"))
      << found[0].text;
}

// A sleep that is hardly longer for it, unless it is much in itself.
TEST(WakeChains, NotATenthOfTheSleep) {
  struct Case {
    std::uint64_t slept_us, waited_us;
    bool told;
  };
  for (const Case& c : {Case{1'500, 200, true}, Case{9'000, 200, false},
                        Case{300'000, 9'900, false}, Case{300'000, 10'000, true}}) {
    Script s = threads();
    s.wake(1 * us, 10);
    s.to(1 * us, 0, 10);
    s.to(2 * us, 0, 0, sleeps);
    s.wake(c.slept_us * us, 20);
    s.to((c.slept_us + c.waited_us) * us, 1, 20);
    s.wake((c.slept_us + c.waited_us + 10) * us, 10, 20);
    s.to((c.slept_us + c.waited_us + 10) * us, 0, 10);
    s.to((c.slept_us + c.waited_us + 20) * us, 0, 0, sleeps);
    s.to((c.slept_us + c.waited_us + 30) * us, 1, 0, sleeps);
    EXPECT_EQ(chains(s, 500'000 * us).size(), c.told ? 1U : 0U) << c.slept_us << " " << c.waited_us;
  }
}

// The last link's records come only when it leaves its CPU, which it does not.
TEST(WakeChains, WakerThatRunsOn) {
  Script s = threads();
  request(s, 1000, 5000);
  for (int i = 0; i < 4; ++i) s.drop_last();
  // 30 and 20 never left; 10 did.
  s.to(9000 * us, 0, 10);
  s.to(9010 * us, 0, 0, sleeps);
  EXPECT_EQ(chains(s, 10'000 * us).size(), 1U);
}

TEST(WakeChains, InversionIsToldOnce) {
  Script s;
  s.set_prio(10, 89);
  s.set_prio(20, 79);
  s.set_prio(30, 69);
  for (const std::uint32_t tid : {10U, 20U, 30U}) s.task(0, tid, SCHEDSCOPE_TASK_BEGIN, 1);
  s.wake(1000 * us, 10);
  s.to(1000 * us, 0, 10);
  s.wake(2000 * us, 30, 10);
  s.to(2000 * us, 0, 30, preempted_by(30));
  s.to(3000 * us, 0, 10, sleeps);
  s.wake(4000 * us, 20, 10);
  s.to(4000 * us, 0, 20, preempted_by(20));
  s.to(54'000 * us, 0, 10, sleeps);
  s.wake(60'000 * us, 30, 10);
  s.to(60'000 * us, 0, 30, preempted_by(30));
  s.to(61'000 * us, 0, 10, sleeps);
  s.to(62'000 * us, 0, 0, sleeps);
  // The middle one slept, too, while the low one waited for the high one.
  const auto found = chains(s, 70'000 * us);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(says(found[0], "thread (20) <- thread (10)")) << found[0].text;
  EXPECT_EQ(found[0].for_ns, 1000 * us);
}

TEST(WakeChains, NotAcrossAGap) {
  Script s = threads();
  request(s, 1000, 5000);
  Script with_gap;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const RecordView r = s[i];
    // 40 leaves CPU 2 unseen.
    if (r.kind() == SCHEDSCOPE_REC_SWITCH && r.as<schedscope_switch>().prev_tid == 40) {
      with_gap.lost(2, 5000 * us, r.time_ns() + 1);
    } else if (r.kind() == SCHEDSCOPE_REC_SWITCH) {
      with_gap.add(r.as<schedscope_switch>());
    } else if (r.kind() == SCHEDSCOPE_REC_TASK) {
      with_gap.add(r.as<schedscope_task>());
    } else {
      with_gap.add(r.as<schedscope_waking>());
    }
  }
  EXPECT_TRUE(chains(with_gap, 10'000 * us).empty());
}

// 20 could run from 500 us on and does so at 6 ms, and wakes 10 at 9 ms, which sleeps from 1 ms on.
// Without its waking, what 20 did between two slices is unknown.
TEST(WakeChains, OnlyWhatTheSleepSawAndIsKnown) {
  for (const bool woken : {true, false}) {
    Script s = threads();
    s.wake(500 * us, 20);
    s.wake(900 * us, 10);
    s.to(900 * us, 0, 10);
    s.to(1000 * us, 0, 0, sleeps);
    s.to(6000 * us, 1, 20);
    s.to(7000 * us, 1, 0, sleeps);
    if (woken) s.wake(8000 * us, 20, 0, SCHEDSCOPE_WAKING_TIMER);
    s.to(8000 * us, 1, 20);
    s.wake(9000 * us, 10, 20);
    s.to(9000 * us, 0, 10);
    s.to(9100 * us, 0, 0, sleeps);
    s.to(9100 * us, 1, 0, sleeps);
    const auto found = chains(s, 10'000 * us);
    ASSERT_EQ(found.size(), woken ? 1U : 0U);
    if (!woken) continue;
    EXPECT_EQ(found[0].for_ns, 5000 * us);
  }
}

// A random schedule, as if its ns were so many us.
Script slow(const Simulation& truth) {
  Script s;
  for (std::size_t i = 0; i < truth.script.size(); ++i) {
    const RecordView r = truth.script[i];
    if (r.kind() == SCHEDSCOPE_REC_SWITCH) {
      s.add(r.as<schedscope_switch>()).rec.time_ns *= 10 * us;
    } else if (r.kind() == SCHEDSCOPE_REC_FORK) {
      s.add(r.as<schedscope_fork>()).rec.time_ns *= 10 * us;
    } else {
      s.add(r.as<schedscope_waking>()).rec.time_ns *= 10 * us;
    }
  }
  return s;
}

// Wakers that sleep, wake themselves or each other: it ends, and is bounded.
TEST(WakeChains, AnySchedule) {
  for (unsigned seed = 1; seed <= 100; ++seed) {
    const Simulation truth(seed, 400, seed % 2 == 0);
    const auto found = chains(slow(truth), truth.end() * 10 * us);
    EXPECT_LE(found.size(), 5U);
    for (const Finding& f : found) {
      EXPECT_GE(f.for_ns, 100 * us);
    }
  }
}

// 200 threads on a CPU, nearly all of them asleep; each turn wakes one of those, at random.
TEST(WakeChains, WhatIsTooMuchToLookAtIsTold) {
  Script s;
  std::vector<std::uint32_t> asleep;
  std::deque<std::uint32_t> ready;
  for (std::uint32_t tid = 10; tid < 210; ++tid) {
    s.task(0, tid, SCHEDSCOPE_TASK_BEGIN, 1, "crowd");
    if (tid % 20 == 0) s.wake(10 * us, tid, 0, SCHEDSCOPE_WAKING_TIMER);
    tid % 20 == 0 ? ready.push_back(tid) : asleep.push_back(tid);
  }
  std::mt19937 random(1);
  std::uint64_t t = 20 * us;
  s.to(t, 0, ready.front());
  for (int turn = 0; turn < 20'000; ++turn, t += 20 * us) {
    std::uint32_t& woken = asleep[random() % asleep.size()];
    s.wake(t + 10 * us, woken, ready.front());
    ready.push_back(std::exchange(woken, ready.front()));
    ready.pop_front();
    s.to(t + 20 * us, 0, ready.front(), sleeps);
  }
  Analysis analysis({}, {});
  for (std::size_t i = 0; i < s.size(); ++i) analysis.add(s[i]);
  const Report report = analysis.finish(t + 100 * us);
  EXPECT_GT(report.sleeps_passed_over, 0U);
  EXPECT_GT(report.sleeps, report.sleeps_passed_over);
}

}  // namespace
}  // namespace schedscope::analysis
