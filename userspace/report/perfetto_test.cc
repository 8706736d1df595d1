// SPDX-License-Identifier: GPL-2.0-only
#include "report/perfetto_writer.h"

#include <gtest/gtest.h>
#include <protozero/pbf_reader.hpp>

#include "report/perfetto_fields.h"

namespace schedscope::report {
namespace {

using namespace perfetto;
using protozero::pbf_reader;

TEST(Perfetto, TaskStatesAreThoseOfSchedSwitch) {
  EXPECT_EQ(ftrace_state(0, 0), 0);                              // R
  EXPECT_EQ(ftrace_state(0, SCHEDSCOPE_SWITCH_PREEMPT), 0x100);  // R+
  EXPECT_EQ(ftrace_state(1, SCHEDSCOPE_SWITCH_PREEMPT), 0x100);  // about to sleep, but preempted
  EXPECT_EQ(ftrace_state(1, 0), 1);                              // S
  EXPECT_EQ(ftrace_state(2, 0), 2);                              // D
  EXPECT_EQ(ftrace_state(0x402, 0), 0x80);                       // I
  EXPECT_EQ(ftrace_state(0x102, 0), 2);                          // killable is D
  EXPECT_EQ(ftrace_state(4, 0), 4);                              // T
  EXPECT_EQ(ftrace_state(0x80, 0), 0x10);                        // dead is X
  EXPECT_EQ(ftrace_state(0x40, 0), 0x40);                        // P
}

class Writing : public ::testing::Test {
 protected:
  Writing() {
    auto clock = make_record<schedscope_clock>(SCHEDSCOPE_REC_CLOCK, 1000);
    clock.boot_ns = 6000;
    auto task = make_record<schedscope_task>(SCHEDSCOPE_REC_TASK, 1000);
    task.tid = task.pid = 42;
    task.comm[0] = 'a';
    task.comm[1] = 0xff;
    names_.add(view_of(clock));
    names_.add(view_of(task));
    capture::Machine machine;
    machine.kernel = "6.1.0-56-amd64";
    writer_.emplace(machine, names_, [this](std::string_view bytes) { trace_ += bytes; });
  }

  static schedscope_switch switched(std::uint64_t at, std::uint16_t cpu) {
    auto record =
        make_record<schedscope_switch>(SCHEDSCOPE_REC_SWITCH, at, cpu, SCHEDSCOPE_SWITCH_PREEMPT);
    record.prev_tid = 42;
    record.prev_prio = 120;
    return record;
  }

  // The packets' messages of one field.
  std::vector<std::string> packets(std::uint32_t field) {
    std::vector<std::string> out;
    pbf_reader trace(trace_);
    while (trace.next(trace_packet)) {
      pbf_reader packet = trace.get_message();
      while (packet.next()) {
        if (packet.tag() == field) {
          out.push_back(packet.get_string());
        } else {
          packet.skip();
        }
      }
    }
    return out;
  }

  PerfettoNames names_;
  std::optional<PerfettoWriter> writer_;
  std::string trace_;
};

TEST_F(Writing, SaysTheKernelSoThatStatesDecode) {
  const auto info = packets(packet_system_info);
  ASSERT_EQ(info.size(), 1);
  pbf_reader system(info[0]);
  ASSERT_TRUE(system.next(system_utsname));
  pbf_reader uts = system.get_message();
  ASSERT_TRUE(uts.next(uts_release));
  EXPECT_EQ(uts.get_string(), "6.1.0-56-amd64");
}

TEST_F(Writing, ASwitchIsAnEventOfItsCpuInBoottime) {
  writer_->record(view_of(switched(2000, 3)));
  writer_->finish();
  const auto bundles = packets(packet_ftrace_events);
  ASSERT_EQ(bundles.size(), 1);
  pbf_reader bundle(bundles[0]);
  ASSERT_TRUE(bundle.next(bundle_cpu));
  EXPECT_EQ(bundle.get_uint32(), 3);
  ASSERT_TRUE(bundle.next(bundle_event));
  pbf_reader event = bundle.get_message();
  ASSERT_TRUE(event.next(event_timestamp));
  EXPECT_EQ(event.get_uint64(), 7000);
  ASSERT_TRUE(event.next(event_sched_switch));
  pbf_reader body = event.get_message();
  ASSERT_TRUE(body.next(switch_prev_comm));
  EXPECT_EQ(body.get_string(), "a\\xff");
  ASSERT_TRUE(body.next(switch_prev_state));
  EXPECT_EQ(body.get_int64(), 0x100);
}

TEST_F(Writing, AGapIsToldToTheNextBundleOfThatCpuOnly) {
  writer_->record(view_of(switched(2000, 0)));
  auto lost = make_record<schedscope_lost>(SCHEDSCOPE_REC_LOST, 2500, 0);
  lost.count = 3;
  writer_->record(view_of(lost));
  writer_->record(view_of(switched(3000, 0)));
  writer_->record(view_of(switched(3000, 1)));
  writer_->finish();
  std::vector<bool> flags;
  for (const auto& bytes : packets(packet_ftrace_events)) {
    pbf_reader bundle(bytes);
    flags.push_back(bundle.next(bundle_lost_events) && bundle.get_bool());
  }
  EXPECT_EQ(flags, (std::vector<bool>{false, true, false}));
}

TEST_F(Writing, OnlyASuspendMovesTheClock) {
  auto clock = make_record<schedscope_clock>(SCHEDSCOPE_REC_CLOCK, 10'000);
  clock.boot_ns = 15'200;  // read 200 ns apart: no reason to shift every event
  writer_->record(view_of(clock));
  writer_->record(view_of(switched(11'000, 0)));
  clock.rec.time_ns = 20'000;
  clock.boot_ns = 9'000'025'000;
  writer_->record(view_of(clock));
  writer_->record(view_of(switched(21'000, 0)));
  writer_->finish();
  std::vector<std::uint64_t> times;
  const std::string bytes = packets(packet_ftrace_events).at(0);
  for (pbf_reader bundle(bytes); bundle.next(bundle_event);) {
    pbf_reader event = bundle.get_message();
    ASSERT_TRUE(event.next(event_timestamp));
    times.push_back(event.get_uint64());
  }
  EXPECT_EQ(times, (std::vector<std::uint64_t>{16'000, 9'000'026'000}));
}

}  // namespace
}  // namespace schedscope::report
