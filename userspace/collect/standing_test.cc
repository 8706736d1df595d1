// SPDX-License-Identifier: GPL-2.0-only
#include "collect/standing.h"

#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "capture/writer.h"

namespace schedscope::collect {
namespace {

constexpr std::uint64_t carrier = capture::Writer::carrier_source;

class StandingTest : public ::testing::Test {
 protected:
  void user(std::uint64_t source, std::uint16_t kind, std::uint64_t at_ns, std::uint64_t id) {
    auto record = make_record<schedscope_user>(kind, at_ns);
    record.tid = static_cast<std::uint32_t>(100 + source - carrier);
    record.pid = 100;
    record.id = id;
    standing_.see(source, view_of(record));
  }
  void name(std::uint64_t source, std::uint16_t kind, std::uint64_t at_ns, std::uint64_t id,
            char letter) {
    auto record = make_record<schedscope_user_name>(kind, at_ns);
    record.tid = static_cast<std::uint32_t>(100 + source - carrier);
    record.pid = 100;
    record.id = id;
    record.name[0] = static_cast<std::uint8_t>(letter);
    standing_.see(source, view_of(record));
  }
  void task(std::uint32_t tid, std::uint16_t flags) {
    auto record = make_record<schedscope_task>(SCHEDSCOPE_REC_TASK, 5, 1, flags);
    record.tid = tid;
    standing_.see(1, view_of(record));
  }
  void ns(std::uint32_t tid) {
    auto record = make_record<schedscope_namespace>(SCHEDSCOPE_REC_NAMESPACE, 5, 1);
    record.tid = tid;
    standing_.see(1, view_of(record));
  }
  // A line each: source, time, kind and whom it is about.
  std::vector<std::string> told(std::uint64_t now_ns = 1000) {
    std::vector<std::string> lines;
    const auto alive = [this](std::uint32_t tid) { return !dead_.contains(tid); };
    standing_.tell(now_ns, alive, [&](std::uint64_t source, RecordView record) {
      const std::string from = source == capture::Writer::agent_source
                                   ? "agent"
                                   : fmt::format("carrier {}", source - carrier);
      std::uint64_t whom = 0;
      if (record.kind() == SCHEDSCOPE_REC_TASK) whom = record.as<schedscope_task>().tid;
      if (record.kind() == SCHEDSCOPE_REC_NAMESPACE) whom = record.as<schedscope_namespace>().tid;
      if (record.kind() == SCHEDSCOPE_REC_CGROUP) whom = record.as<schedscope_cgroup>().at;
      if (from != "agent") whom = record.as<schedscope_user>().id;
      EXPECT_EQ(record.cpu(), SCHEDSCOPE_CPU_NONE);
      lines.push_back(fmt::format("{} {} {} {}", from, record.time_ns(),
                                  record_kind_name(record.kind()), whom));
    });
    return lines;
  }
  using Lines = std::vector<std::string>;

  Standing standing_;
  std::set<std::uint32_t> dead_;
};

TEST_F(StandingTest, UserThreadsOfACarrier) {
  name(carrier, SCHEDSCOPE_REC_USER_CARRIER, 10, 1, 'r');
  name(carrier, SCHEDSCOPE_REC_USER_NAME, 11, 7, 'a');
  user(carrier, SCHEDSCOPE_REC_USER_READY, 12, 7);
  user(carrier, SCHEDSCOPE_REC_USER_READY, 13, 8);
  user(carrier, SCHEDSCOPE_REC_USER_SWITCH, 14, 7);
  user(carrier, SCHEDSCOPE_REC_USER_PARK, 15, 7);
  user(carrier, SCHEDSCOPE_REC_USER_SWITCH, 16, 8);
  user(carrier, SCHEDSCOPE_REC_USER_READY, 17, 9);
  user(carrier, SCHEDSCOPE_REC_USER_END, 18, 9);
  EXPECT_EQ(told(), (Lines{"carrier 0 18 user_carrier 1", "carrier 0 18 user_name 7",
                           "carrier 0 18 user_park 7", "carrier 0 18 user_ready 8",
                           "carrier 0 18 user_switch 8"}));
}

// It was told where it is now.
TEST_F(StandingTest, AUserThreadThatMoved) {
  name(carrier, SCHEDSCOPE_REC_USER_CARRIER, 10, 1, 'r');
  name(carrier + 1, SCHEDSCOPE_REC_USER_CARRIER, 10, 1, 'r');
  user(carrier, SCHEDSCOPE_REC_USER_READY, 12, 7);
  user(carrier + 1, SCHEDSCOPE_REC_USER_SWITCH, 14, 7);
  EXPECT_EQ(told(), (Lines{"carrier 0 12 user_carrier 1", "carrier 1 14 user_carrier 1",
                           "carrier 1 14 user_ready 7", "carrier 1 14 user_switch 7"}));
}

// A gap is not bridged: names stay, states do not.
TEST_F(StandingTest, ARingThatLostRecords) {
  name(carrier, SCHEDSCOPE_REC_USER_CARRIER, 10, 1, 'r');
  name(carrier, SCHEDSCOPE_REC_USER_NAME, 11, 7, 'a');
  user(carrier, SCHEDSCOPE_REC_USER_READY, 12, 7);
  user(carrier, SCHEDSCOPE_REC_USER_SWITCH, 14, 8);
  const auto lost = make_record<schedscope_lost>(SCHEDSCOPE_REC_LOST, 20);
  standing_.see(carrier, view_of(lost));
  EXPECT_EQ(told(), (Lines{"carrier 0 14 user_carrier 1", "carrier 0 14 user_name 7"}));
  user(carrier, SCHEDSCOPE_REC_USER_PARK, 21, 7);
  EXPECT_EQ(told(), (Lines{"carrier 0 21 user_carrier 1", "carrier 0 21 user_name 7",
                           "carrier 0 21 user_park 7"}));
}

// It is over, and its user threads are still there: another one tells of them.
TEST_F(StandingTest, ACarrierThatIsOver) {
  user(carrier, SCHEDSCOPE_REC_USER_SWITCH, 11, 0);
  user(carrier + 1, SCHEDSCOPE_REC_USER_PARK, 14, 7);
  user(carrier + 1, SCHEDSCOPE_REC_USER_SWITCH, 15, 0);
  dead_ = {101};
  EXPECT_EQ(told(), (Lines{"carrier 0 11 user_park 7", "carrier 0 11 user_switch 0"}));
}

TEST_F(StandingTest, TheDeadAreForgotten) {
  name(carrier, SCHEDSCOPE_REC_USER_CARRIER, 10, 1, 'r');
  user(carrier, SCHEDSCOPE_REC_USER_SWITCH, 14, 7);
  task(50, SCHEDSCOPE_TASK_BYSTANDER);
  dead_ = {50, 100};
  EXPECT_EQ(told(), Lines{});
  dead_.clear();
  EXPECT_EQ(told(), Lines{});
}

TEST_F(StandingTest, NeighboursOfWhomIsRecorded) {
  task(50, SCHEDSCOPE_TASK_BYSTANDER);
  ns(50);
  task(51, SCHEDSCOPE_TASK_BYSTANDER);
  task(52, 0);
  ns(52);
  EXPECT_EQ(told(), (Lines{"agent 1000 task 50", "agent 1000 namespace 50", "agent 1000 task 51"}));
  // It is recorded itself now: each walk tells of it.
  task(50, SCHEDSCOPE_TASK_MOVED);
  EXPECT_EQ(told(), (Lines{"agent 1000 task 51"}));
}

TEST_F(StandingTest, PathsOfCgroupsInAllTheirParts) {
  for (const std::uint32_t at : {0U, std::uint32_t{SCHEDSCOPE_CGROUP_PART_LEN}}) {
    auto record = make_record<schedscope_cgroup>(SCHEDSCOPE_REC_CGROUP, 5);
    record.cgroup_id = 3;
    record.at = at;
    standing_.see(capture::Writer::agent_source, view_of(record));
  }
  EXPECT_EQ(told(), (Lines{"agent 1000 cgroup 0", "agent 1000 cgroup 224"}));
}

}  // namespace
}  // namespace schedscope::collect
