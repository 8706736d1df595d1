// SPDX-License-Identifier: GPL-2.0-only
#include "report/load.h"

#include <algorithm>
#include <string_view>

#include <gtest/gtest.h>

#include "capture/test_files.h"

namespace schedscope::report {
namespace {

using capture::Writer;

constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t second = 1000 * ms;
constexpr std::uint64_t start = 10 * second;
constexpr std::uint32_t worker = 100, sleeper = 200;

class LoadTest : public ::testing::Test {
 protected:
  // A hundred seconds: every 10 ms a worker is woken, waits 1 ms and runs 2 ms; a sleeper sleeps.
  LoadTest() {
    capture::Machine machine;
    machine.cpus = machine.cpus_online = 1;
    machine.start_ns = start;
    auto writer = Writer::create(path_, machine);
    for (const std::uint32_t tid : {worker, sleeper}) {
      auto task = make_record<schedscope_task>(SCHEDSCOPE_REC_TASK, start, SCHEDSCOPE_CPU_NONE,
                                               SCHEDSCOPE_TASK_BEGIN);
      task.tid = task.pid = tid;
      task.state = 1;
      task.start_ns = 1;
      writer->add(Writer::agent_source, view_of(task));
    }
    for (std::uint32_t i = 0; i < 10'000; ++i) {
      const std::uint64_t t = start + i * 10 * ms;
      writer->add(0, view_of(capture::test::waking(t + ms, 0, worker)));
      add_switch(*writer, t + 2 * ms, 0, worker, 0, i + 1);
      add_switch(*writer, t + 4 * ms, worker, 0, 1, i + 1);
      if (i % 100 == 99) {
        EXPECT_TRUE(writer->flush(t + 4 * ms));
      }
    }
    EXPECT_TRUE(writer->finish(machine, start + 100 * second));
  }

  static void add_switch(Writer& writer, std::uint64_t t, std::uint32_t prev, std::uint32_t next,
                         std::uint32_t state, std::uint32_t number) {
    auto record = make_record<schedscope_switch>(SCHEDSCOPE_REC_SWITCH, t, 0);
    record.prev_tid = prev;
    record.next_tid = next;
    record.prev_state = state;
    record.prev_switches = number;
    record.prev_prio = record.next_prio = 120;
    writer.add(0, view_of(record));
  }

  static const analysis::ThreadReport& thread(const analysis::Report& report, std::uint32_t tid) {
    return *std::ranges::find(report.threads, tid, [](const auto& t) { return t.who.tid; });
  }

  capture::test::Directory directory_;
  std::filesystem::path path_ = directory_ / "capture";
};

TEST_F(LoadTest, AWindowReadAloneSaysTheSameOfWhoDidSomething) {
  const analysis::Window window{.from_ns = start + 50 * second, .to_ns = start + 51 * second};
  const auto whole = load(path_, window);
  const auto alone = load(path_, window, {}, Extent::window);
  ASSERT_TRUE(whole && alone);
  for (const auto* report : {&*whole, &*alone}) {
    const auto& busy = thread(*report, worker);
    EXPECT_EQ(busy.run_ns, 200 * ms);
    EXPECT_EQ(busy.wait_ns, 100 * ms);
    EXPECT_EQ(busy.sleep_ns, 700 * ms);
    EXPECT_EQ(busy.slices, 100U);
    EXPECT_EQ(busy.wait_max_ns, ms);
    EXPECT_EQ(report->threads_conserved, true);
    EXPECT_EQ(report->cpus_conserved, true);
    EXPECT_EQ(report->discontinuities, 0U);
    EXPECT_TRUE(report->gaps.empty());
    EXPECT_TRUE(report->complete);
    ASSERT_EQ(report->cpus.size(), 1U);
    EXPECT_EQ(report->cpus[0].run_ns, 200 * ms);
    EXPECT_EQ(report->cpus[0].unknown_ns, 0U);
  }
  EXPECT_TRUE(whole->skipped.empty());
  EXPECT_EQ(alone->skipped.size(), 2U);
  EXPECT_LT(alone->kept, 2'000U);
  EXPECT_FALSE(alone->records_conserved.has_value());
  // That it slept through is known only to who has read all of it.
  EXPECT_EQ(thread(*whole, sleeper).sleep_ns, second);
  EXPECT_EQ(thread(*alone, sleeper).unknown_ns, second);
  EXPECT_EQ(thread(*alone, sleeper).wall_ns, second);
}

TEST_F(LoadTest, AWindowWithoutEndIsReadToTheEnd) {
  const auto alone = load(path_, {.from_ns = start + 99 * second, .to_ns = 0}, {}, Extent::window);
  ASSERT_TRUE(alone);
  EXPECT_EQ(thread(*alone, worker).run_ns, 200 * ms);
  EXPECT_EQ(alone->skipped.size(), 1U);
}

}  // namespace
}  // namespace schedscope::report
