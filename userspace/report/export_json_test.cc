// SPDX-License-Identifier: GPL-2.0-only
#include "report/export_json.h"

#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "capture/layout.h"

namespace schedscope::report {
namespace {

using nlohmann::json;

TEST(ExportJson, ARecordIsAnObjectWithNamedFields) {
  auto record = make_record<schedscope_task>(SCHEDSCOPE_REC_TASK, 77, 3, SCHEDSCOPE_TASK_BEGIN);
  record.tid = 5;
  record.nice = -20;
  record.start_ns = UINT64_MAX;
  for (const char byte : {'"', '\\', '\x01'}) record.comm[record.comm[0] == 0 ? 0 : 1] = byte;
  const json out = json::parse(record_json(view_of(record)));
  EXPECT_EQ(out["kind"], "task");
  EXPECT_EQ(out["time_ns"], 77);
  EXPECT_EQ(out["cpu"], 3);
  EXPECT_EQ(out["flags"], SCHEDSCOPE_TASK_BEGIN);
  EXPECT_EQ(out["nice"], -20);
  EXPECT_EQ(out["start_ns"], UINT64_MAX);
  EXPECT_EQ(out["comm"], "\"\\x01");
}

TEST(ExportJson, EveryFieldOfEveryKind) {
  for (std::uint16_t number = 1; number <= SCHEDSCOPE_REC_MAX; ++number) {
    if (record_bytes(number) == 0) continue;  // a number that no kind has
    std::vector<schedscope_rec> room(record_bytes(number) / sizeof(schedscope_rec) + 1);
    room[0] = make_record<schedscope_exec>(number, 1).rec;
    room[0].size = static_cast<__u16>(record_bytes(number));
    const json out = json::parse(record_json(RecordView(room.data())));
    for (const capture::Field& field : capture::own_layout().find(number)->fields) {
      const bool shown = field.name != "flags" && field.name != "reserved";
      EXPECT_EQ(out.contains(field.name), shown) << record_kind_name(number) << '.' << field.name;
    }
  }
}

TEST(ExportJson, WhatAFieldHolds) {
  auto eevdf = make_record<schedscope_eevdf>(SCHEDSCOPE_REC_EEVDF, 1);
  eevdf.lag = -7;
  EXPECT_EQ(json::parse(record_json(view_of(eevdf)))["lag"], -7);
  auto frame = make_record<schedscope_frame>(SCHEDSCOPE_REC_FRAME, 1);
  frame.build_id[0] = 0xab;
  frame.symbol[0] = 'f';
  const json out = json::parse(record_json(view_of(frame)));
  EXPECT_EQ(out["build_id"].get<std::string>().substr(0, 4), "ab00");
  EXPECT_EQ(out["symbol"], "f");
}

TEST(ExportJson, ListsAndAbsentCpu) {
  auto stats = make_record<schedscope_cpu_stats>(SCHEDSCOPE_REC_CPU_STATS, 1);
  stats.lost[2] = 9;
  const json out = json::parse(record_json(view_of(stats)));
  EXPECT_FALSE(out.contains("cpu"));
  EXPECT_EQ(out["lost"], (json{0, 0, 9, 0, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace schedscope::report
