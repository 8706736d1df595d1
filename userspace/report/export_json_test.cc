// SPDX-License-Identifier: GPL-2.0-only
#include "report/export_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "report/record_fields.h"

namespace schedscope::report {
namespace {

using nlohmann::json;

// A field that is added to a struct and forgotten in the table would be lost in silence.
TEST(RecordFields, CoverEveryByteOfEveryKind) {
  for (std::uint16_t kind = 1; kind <= SCHEDSCOPE_REC_MAX; ++kind) {
    if (record_bytes(kind) == 0) continue;  // a number that no kind has
    std::size_t at = sizeof(schedscope_rec);
    for (const Field& field : fields_of(kind)) {
      EXPECT_EQ(field.offset, at) << record_kind_name(kind) << '.' << field.name;
      at = field.offset + field.bytes;
    }
    const bool reserved = kind == SCHEDSCOPE_REC_WAKING || kind == SCHEDSCOPE_REC_WAKEUP_NEW ||
                          kind == SCHEDSCOPE_REC_FORK || kind == SCHEDSCOPE_REC_MIGRATE ||
                          kind == SCHEDSCOPE_REC_FUTEX || kind == SCHEDSCOPE_REC_COUNTS ||
                          kind == SCHEDSCOPE_REC_HOTPLUG || kind == SCHEDSCOPE_REC_EEVDF ||
                          kind == SCHEDSCOPE_REC_STACK;
    EXPECT_EQ(at + (reserved ? sizeof(__u32) : 0), record_bytes(kind)) << record_kind_name(kind);
  }
}

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

TEST(ExportJson, ListsAndAbsentCpu) {
  auto stats = make_record<schedscope_cpu_stats>(SCHEDSCOPE_REC_CPU_STATS, 1);
  stats.lost[2] = 9;
  const json out = json::parse(record_json(view_of(stats)));
  EXPECT_FALSE(out.contains("cpu"));
  EXPECT_EQ(out["lost"], (json{0, 0, 9, 0, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace schedscope::report
