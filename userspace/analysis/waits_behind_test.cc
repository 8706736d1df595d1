// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include <random>

#include "analysis/analysis.h"
#include "timeline/testing.h"

namespace schedscope::analysis {
namespace {

using namespace timeline::testing;

Report analyse(const Script& s, std::uint64_t end_ns, Window window = {},
               const capture::Machine& machine = {}) {
  Analysis analysis(machine, window);
  for (std::size_t i = 0; i < s.size(); ++i) analysis.add(s[i]);
  return analysis.finish(end_ns);
}

// "8:30 9:10 (idle):5 ?:2", the last one unknown.
std::string behind(const Report& report, std::uint32_t tid) {
  std::string text;
  for (const ThreadReport& thread : report.threads) {
    if (thread.who.tid != tid) continue;
    for (const Peer& peer : thread.waited_behind) {
      text +=
          fmt::format("{}:{} ", peer.tid != 0 ? fmt::format("{}", peer.tid) : peer.comm, peer.ns);
    }
    text += fmt::format("?:{}", thread.waited_behind_unknown_ns);
  }
  return text;
}

void migrate(Script& s, std::uint64_t t, std::uint32_t tid, std::uint32_t from, std::uint32_t to) {
  auto record = make_record<schedscope_migrate>(SCHEDSCOPE_REC_MIGRATE, t, 0);
  record.tid = tid;
  record.from_cpu = from;
  record.to_cpu = to;
  s.add(record);
}

// 7 is preempted at 20 by 8, which 9 follows at 50; at 60 the CPU idles, at 65 it is 7's again.
Script three() {
  Script s;
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.wake(20, 8, 7);
  s.to(20, 0, 8, preempted_by(8));
  s.wake(50, 9, 8);
  s.to(50, 0, 9, sleeps);
  s.to(60, 0, 0, sleeps);
  s.to(65, 0, 7);
  s.to(70, 0, 0, sleeps);
  return s;
}

TEST(WaitsBehind, EachThatRanThereMeanwhile) {
  EXPECT_EQ(behind(analyse(three(), 100), 7), "8:30 9:10 (idle):5 ?:0");
  EXPECT_EQ(behind(analyse(three(), 100, {40, 62}), 7), "8:10 9:10 (idle):2 ?:0");
}

TEST(WaitsBehind, WhereItIsMovedTo) {
  Script s = three();
  s.wake(75, 8);
  s.to(75, 1, 8);
  s.wake(80, 9);
  s.to(80, 0, 9);
  s.wake(90, 7, 9);         // behind 9, where it was last,
  migrate(s, 93, 7, 0, 1);  // and then behind 8, which is still there
  s.to(97, 1, 7, ticked);
  s.to(99, 1, 8, sleeps);
  EXPECT_EQ(behind(analyse(s, 100, {71, 100}), 7), "8:4 9:3 ?:0");
}

// The one in front has not left yet when the wait is over elsewhere.
TEST(WaitsBehind, WhoIsStillThere) {
  Script s = three();
  s.wake(80, 9);
  s.to(80, 0, 9);
  s.wake(90, 7, 9);
  migrate(s, 95, 7, 0, 1);
  s.to(95, 1, 7);
  s.to(97, 1, 0, sleeps);
  EXPECT_EQ(behind(analyse(s, 100, {71, 100}), 7), "9:5 ?:0");
}

TEST(WaitsBehind, NotAcrossAGap) {
  Script s;
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.to(20, 0, 8, ticked);
  s.lost(0, 30, 40);
  s.to(50, 0, 7, ticked);
  s.to(60, 0, 0, sleeps);
  const Report report = analyse(s, 100);
  for (const ThreadReport& thread : report.threads) {
    std::uint64_t sum = thread.waited_behind_unknown_ns;
    for (const Peer& peer : thread.waited_behind) sum += peer.ns;
    EXPECT_EQ(sum, thread.wait_ns);
  }
}

TEST(WaitsBehind, OfASelectionOnlyWhatIsRecorded) {
  Script s;
  s.task(0, 7, SCHEDSCOPE_TASK_BEGIN, 1);
  s.task(5, 8, SCHEDSCOPE_TASK_BYSTANDER, 0);
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.to(20, 0, 8, ticked);
  s.to(50, 0, 7, ticked);
  s.to(60, 0, 0, sleeps);
  EXPECT_EQ(behind(analyse(s, 100), 7), "8:30 ?:0");
  capture::Machine machine;
  machine.filter = "comm x";
  EXPECT_EQ(behind(analyse(s, 100, {}, machine), 7), "?:30");
}

TEST(WaitsBehind, EachOfThousands) {
  Script s;
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.wake(20, 8, 7);
  s.wake(20, 9, 7);
  s.to(20, 0, 8, preempted_by(8));
  std::uint64_t t = 20;
  for (int i = 0; i < 1000; ++i) {
    s.to(t += 2, 0, 9, ticked);
    s.to(t += 3, 0, 8, ticked);
  }
  s.to(t += 2, 0, 7, ticked);
  s.to(t += 4, 0, 8, ticked);
  s.to(t += 5, 0, 7, ticked);
  s.to(t += 6, 0, 0, sleeps);
  EXPECT_EQ(behind(analyse(s, t + 1), 7), "9:3000 8:2007 ?:0");
}

// 200 threads, 100 to 299, take turns of 10; 7 waits for 1,000 of them. Who had a long one, or
// many, is told of, exactly; of the rest most are others.
TEST(WaitsBehind, AQueueOfHundreds) {
  for (const bool gap : {false, true}) {
    Script s;
    s.wake(10, 7);
    s.to(10, 0, 7);
    s.wake(20, 100, 7);
    s.to(20, 0, 100, preempted_by(100));
    std::uint64_t t = 20;
    for (std::uint32_t i = 1; i <= 1000; ++i) {
      t += i == 500 ? 2000 : 10;
      if (gap && i == 700) s.lost(0, t - 15, t - 1);
      s.to(t, 0, i % 4 == 3 ? 8 : 100 + i % 200, ticked);
    }
    s.to(t += 10, 0, 7, ticked);
    s.to(t += 10, 0, 0, sleeps);
    const Report report = analyse(s, t + 1);
    const auto text = behind(report, 7);
    if (!gap) {
      EXPECT_TRUE(text.starts_with("8:4490 ")) << text;  // one of 2,000 among them
      EXPECT_NE(text.find("(others):"), std::string::npos) << text;
      EXPECT_TRUE(text.ends_with("?:0")) << text;
    }
    for (const ThreadReport& thread : report.threads) {
      std::uint64_t sum = thread.waited_behind_unknown_ns, count = 0;
      for (const Peer& peer : thread.waited_behind) sum += peer.ns, count += peer.count;
      EXPECT_EQ(sum, thread.wait_ns) << thread.who.tid;
      if (thread.who.tid == 7 && !gap) {
        EXPECT_EQ(count, 1001U);
      }
    }
  }
}

// However long the wait: two threads, and a third that seldom comes.
TEST(WaitsBehind, TensOfThousandsOfTwo) {
  Script s;
  s.wake(10, 7);
  s.to(10, 0, 7);
  s.wake(20, 8, 7);
  s.to(20, 0, 8, preempted_by(8));
  std::uint64_t t = 20;
  for (int i = 0; i < 40'000; ++i) {
    s.to(t += 100, 0, i % 2 == 0 ? 9 : 8, ticked);
    if (i % 1000 == 0) s.to(t += 1, 0, 10, ticked);
  }
  s.to(t += 100, 0, 7, ticked);
  s.to(t += 10, 0, 0, sleeps);
  const auto text = behind(analyse(s, t + 1), 7);
  EXPECT_TRUE(text.starts_with("8:20")) << text;
  EXPECT_NE(text.find(" 9:199"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("?:0")) << text;
}

TEST(WaitsBehind, AlwaysAddsUpToTheWait) {
  std::mt19937_64 rng(5);
  for (int round = 0; round < 200; ++round) {
    Script s;
    std::map<std::uint16_t, std::uint32_t> on;
    std::uint64_t t = 1;
    for (int i = 0; i < 200; ++i) {
      t += rng() % 20;
      const auto cpu = static_cast<std::uint16_t>(rng() % 3);
      const auto tid = static_cast<std::uint32_t>(1 + rng() % 9);
      const bool running = std::ranges::any_of(on, [&](const auto& e) { return e.second == tid; });
      switch (rng() % 8) {
        case 0:
          s.wake(t, tid, on[cpu]);
          break;
        case 1:
          if (!running) migrate(s, t, tid, cpu, static_cast<std::uint32_t>(rng() % 3));
          break;
        case 2:
          if (rng() % 10 == 0) s.lost(cpu, t - std::min<std::uint64_t>(t, 5), t);
          break;
        default:
          if (running) break;
          s.to(t, cpu, tid, rng() % 2 == 0 ? ticked : sleeps);
          on[cpu] = tid;
      }
    }
    const std::uint64_t from = 1 + rng() % t;
    for (const Window window : {Window{}, Window{from, from + 1 + rng() % t}}) {
      const Report report = analyse(s, t + 10, window);
      for (const ThreadReport& thread : report.threads) {
        std::uint64_t sum = thread.waited_behind_unknown_ns;
        for (const Peer& peer : thread.waited_behind) sum += peer.ns;
        ASSERT_EQ(sum, thread.wait_ns) << round << ": " << thread.who.tid;
      }
    }
  }
}

}  // namespace
}  // namespace schedscope::analysis
