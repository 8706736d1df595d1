// SPDX-License-Identifier: GPL-2.0-only
#include "schedscope/boost_fiber.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/fiber/all.hpp>
#include <memory>
#include <thread>

#include "runtimes/ring_text_test.h"

namespace schedscope {
namespace {

namespace fibers = boost::fibers;
using Lines = std::vector<std::string>;

// Runs `body` on a carrier of its own and returns what its ring says.
template <typename F>
Lines told(F body) {
  Lines lines;
  std::thread([&] {
    fibers::use_scheduling_algorithm<observed<fibers::algo::round_robin>>();
    body();
    lines = test::ring_text();
  }).join();
  return lines;
}

auto named(const char* name, int yields) {
  return [=] {
    name_fiber(name);
    for (int i = 0; i < yields; i++) boost::this_fiber::yield();
  };
}

// The lines in which `word` and `who` come.
Lines only(const Lines& lines, const std::string& who) {
  Lines mine;
  for (const auto& line : lines)
    if (line.ends_with(" " + who)) mine.push_back(line.substr(0, line.find(' ')));
  return mine;
}

TEST(boost_fiber, a_fiber_from_its_start_to_its_end) {
  const Lines lines = told([] {
    fibers::fiber fiber(named("f", 1));
    fiber.join();
    // Its end is told when it ends, not when the last handle goes.
    EXPECT_EQ(only(test::ring_text(), "f").back(), "end");
  });
  // It had no name until it ran.
  EXPECT_EQ(only(lines, "f"), (Lines{"ready", "switch", "end"}));
  EXPECT_EQ(only(lines, "main"), (Lines{"switch", "park", "ready", "switch"}));
}

TEST(boost_fiber, a_yield_is_ready_at_once) {
  const Lines lines = told([] {
    fibers::fiber a(named("a", 0)), b(named("b", 0));
    a.join();
    b.join();
    fibers::fiber c(named("c", 3));
    boost::this_fiber::yield();
    c.join();
  });
  EXPECT_EQ(only(lines, "c"),
            (Lines{"ready", "switch", "ready", "switch", "ready", "switch", "end"}))
      << "told once, and no park";
}

TEST(boost_fiber, parks_in_mutex_condition_and_sleep) {
  const Lines lines = told([] {
    fibers::mutex mutex;
    fibers::condition_variable changed;
    bool go = false;
    fibers::fiber waits([&] {
      name_fiber("waits");
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return go; });
      boost::this_fiber::sleep_for(std::chrono::milliseconds(1));
    });
    boost::this_fiber::yield();
    go = true;
    changed.notify_one();
    waits.join();
  });
  EXPECT_EQ(only(lines, "waits"),
            (Lines{"park", "ready", "switch", "park", "ready", "switch", "end"}));
  EXPECT_NE(std::find(lines.begin(), lines.end(), "switch 0"), lines.end());
}

TEST(boost_fiber, an_unbuffered_channel) {
  const Lines lines = told([] {
    fibers::unbuffered_channel<int> channel;
    fibers::fiber taker([&] {
      name_fiber("taker");
      for (int value : channel) EXPECT_GT(value, 0);
    });
    fibers::fiber giver([&] {
      name_fiber("giver");
      for (int i = 1; i <= 3; i++) channel.push(i);
      channel.close();
    });
    taker.join();
    giver.join();
  });
  for (const char* who : {"taker", "giver"}) {
    const Lines mine = only(lines, who);
    // Between two switches to it the last word on it is that it is ready.
    std::string last = "ready";
    int parks = 0;
    for (const auto& word : mine) {
      EXPECT_TRUE(word != "switch" || last == "ready") << last;
      parks += word == "park";
      last = word;
    }
    EXPECT_GT(parks, 0);
    EXPECT_EQ(mine.back(), "end");
  }
}

TEST(boost_fiber, launch_dispatch_is_seen) {
  const Lines lines = told([] {
    fibers::fiber eager(fibers::launch::dispatch, named("eager", 0));
    eager.join();
  });
  // main is left as ready; then it need not wait.
  EXPECT_EQ(only(lines, "main"), (Lines{"switch", "ready", "switch"}));
  EXPECT_EQ(only(lines, "eager").back(), "end");
}

TEST(boost_fiber, without_an_observed_algorithm_nothing_happens) {
  std::thread([] {
    fibers::fiber fiber(named("plain", 2));
    fiber.join();
    EXPECT_EQ(test::ring_text(), Lines{"no ring"});
  }).join();
}

// Carriers that share a run queue: everything told of a fiber, from all rings, in time order, is
// a possible life.
TEST(boost_fiber, carriers_that_share) {
  constexpr int carriers = 3, count = 50, yields = 200;
  struct Told {
    std::uint64_t stamp, kind, id;
  };
  std::vector<std::vector<Told>> rings(carriers);
  std::atomic<int> done{0};
  fibers::barrier all(carriers);
  const auto carrier = [&](int number) {
    fibers::use_scheduling_algorithm<observed<fibers::algo::shared_work>>(true);
    fibers::mutex mutex;
    fibers::condition_variable over;
    if (number == 0) {
      for (int i = 0; i < count; i++) {
        fibers::fiber([&] {
          for (int k = 0; k < yields; k++) boost::this_fiber::yield();
          done++;
        }).detach();
      }
    }
    while (done < count) boost::this_fiber::sleep_for(std::chrono::microseconds(100));
    all.wait();
    const auto* header =
        static_cast<const schedscope_uthread_header*>(schedscope_uthread_mine_.ring);
    ASSERT_EQ(header->run_queue, (1ULL << 32) + 1);
    ASSERT_LE(header->head, header->capacity);
    const auto* records = reinterpret_cast<const schedscope_uthread_record*>(
        reinterpret_cast<const char*>(header) + header->header_bytes);
    for (std::uint64_t n = 0; n < header->head; n++)
      rings[number].push_back({records[n].stamp, records[n].word & 0xff, records[n].word >> 8});
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < carriers; i++) threads.emplace_back(carrier, i);
  std::thread(carrier, 0).join();
  for (auto& thread : threads) thread.join();

  std::multimap<std::uint64_t, Told> all_told;  // ties in the order of each ring
  for (const auto& ring : rings)
    for (const auto& one : ring)
      if (one.kind < SCHEDSCOPE_UTHREAD_NAME) all_told.emplace(one.stamp, one);
  std::map<std::uint64_t, bool> ended;
  std::map<std::uint64_t, int> switches;
  for (const auto& [stamp, one] : all_told) {
    if (one.id == 0) continue;
    EXPECT_FALSE(ended[one.id]) << "told of after its end";
    if (one.kind == SCHEDSCOPE_UTHREAD_END) ended[one.id] = true;
    if (one.kind == SCHEDSCOPE_UTHREAD_SWITCH) switches[one.id]++;
  }
  int workers = 0;
  for (const auto& [id, over] : ended) {
    if (!over) continue;
    workers++;
    EXPECT_EQ(switches[id], yields + 1);
  }
  EXPECT_EQ(workers, count);
}

}  // namespace
}  // namespace schedscope
