// SPDX-License-Identifier: GPL-2.0-only
#include "report/json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "report/testing.h"

namespace schedscope::report {
namespace {

using nlohmann::json;

TEST(Json, HasTheKeysThatScriptsRelyOn) {
  const json out = json::parse(json_report(testing::report()));
  EXPECT_EQ(out["schema"], 1);
  EXPECT_EQ(out["capture"]["file"], "made-up.schedscope");
  EXPECT_EQ(out["capture"]["complete"], true);
  EXPECT_EQ(out["capture"]["cpus"], 2);
  EXPECT_EQ(out["records"]["produced"], 1234);
  EXPECT_EQ(out["records"]["lost"], json::object());
  EXPECT_EQ(out["records"]["switches"], 1000);
  EXPECT_EQ(out["conservation"]["records"], true);
  EXPECT_EQ(out["agreement"]["details"], json::array());
  const json& victim = out["threads"][1];
  for (const char* key : {"tid",
                          "pid",
                          "comm",
                          "policy",
                          "nice",
                          "run_ns",
                          "wait_ns",
                          "sleep_ns",
                          "block_ns",
                          "unknown_ns",
                          "wall_ns",
                          "slices",
                          "nominal_slice_ns",
                          "ends",
                          "wait_p50_ns",
                          "wait_p99_ns",
                          "wait_max_ns",
                          "migrations",
                          "preempted_by",
                          "woken_by"}) {
    EXPECT_TRUE(victim.contains(key)) << key;
  }
  EXPECT_EQ(victim["ends"].size(), timeline::slice_end_count);
  EXPECT_EQ(victim["ends"]["preempted"], 5);
  EXPECT_EQ(victim["preempted_by"][0]["tid"], 100);
  EXPECT_EQ(out["syscalls_known"], false);
  EXPECT_EQ(out["cpus"][0]["idle_ns"], 299'000'000);
  EXPECT_EQ(out["user_threads"][0]["hostage_ns"], 250'000'000);
  EXPECT_EQ(out["user_threads"][0]["id"], 0x1f);
  EXPECT_EQ(out["user_threads"][0]["level"], "told");
  EXPECT_EQ(out["findings"][0]["thread"], 101);
  EXPECT_EQ(out["findings"][0]["severity"], "warning");
}

TEST(Json, WhatTracingCostAndWhatItLost) {
  analysis::Report report = testing::report();
  report.agent_cpu_ns = 7;
  report.agent_core_percent = 0.5;
  report.bytes = 30;
  report.recorded_switches = 10;
  report.gaps = {{.begin_ns = 1, .end_ns = 2, .count = 3, .cause = "ring_full", .cpu = 1},
                 {.begin_ns = 4, .end_ns = 5, .count = 6, .cause = "overrun"}};
  const json out = json::parse(json_report(report));
  EXPECT_EQ(out["overhead"]["agent_cpu_ns"], 7);
  EXPECT_EQ(out["overhead"]["agent_core_percent"], 0.5);
  EXPECT_EQ(out["overhead"]["bytes_per_switch"], 3.0);
  EXPECT_EQ(out["records"]["gaps"][0]["count"], 3);
  EXPECT_EQ(out["records"]["gaps"][0]["cause"], "ring_full");
  EXPECT_EQ(out["records"]["gaps"][0]["cpu"], 1);
  EXPECT_FALSE(out["records"]["gaps"][1].contains("cpu"));
}

TEST(Json, CgroupsAndNamespaces) {
  analysis::Report report = testing::report();
  EXPECT_FALSE(json::parse(json_report(report)).contains("cgroups"));
  report.cgroups = {{.id = 5, .path = "/one", .threads = 2, .run_ns = 3}, {.threads = 1}};
  report.threads[0].who.ns_tid = 7;
  report.threads[0].who.ns_pid = 6;
  report.threads[0].who.ns_id = 4026531836;
  const json out = json::parse(json_report(report));
  EXPECT_EQ(out["cgroups"][0]["path"], "/one");
  EXPECT_EQ(out["cgroups"][0]["run_ns"], 3);
  EXPECT_FALSE(out["cgroups"][1].contains("path"));
  EXPECT_FALSE(out["cgroups"][1].contains("cgroup_id"));
  EXPECT_EQ(out["threads"][0]["namespace"]["tid"], 7);
  EXPECT_EQ(out["threads"][0]["namespace"]["pid"], 6);
  EXPECT_FALSE(out["threads"][1].contains("namespace"));
}

TEST(Json, SlicesAgainstTheNominalOne) {
  analysis::Report report = testing::report();
  report.threads[1].against_nominal.add(4, true);
  report.policies = {
      {.policy = 0, .threads = 1, .slices = 5, .ns = 9, .nominal_min_ns = 2, .nominal_max_ns = 3},
      {.policy = 1, .threads = 2, .slices = 7, .ns = 8}};
  report.policies[0].against_nominal = report.threads[1].against_nominal;
  const json out = json::parse(json_report(report));
  EXPECT_FALSE(out["threads"][0].contains("against_nominal"));
  EXPECT_EQ(out["threads"][1]["against_nominal"]["all"].size(), analysis::nominal_quarters);
  EXPECT_EQ(out["threads"][1]["against_nominal"]["expired"][4], 1);
  EXPECT_EQ(out["policies"][0]["policy"], "other");
  EXPECT_EQ(out["policies"][0]["nominal_min_ns"], 2);
  EXPECT_EQ(out["policies"][0]["against_nominal"]["all"][4], 1);
  EXPECT_EQ(out["policies"][1]["slices"], 7);
  EXPECT_FALSE(out["policies"][1].contains("nominal_max_ns"));
  EXPECT_FALSE(out["policies"][1].contains("against_nominal"));
}

TEST(Json, WhatIsNotKnownIsAbsent) {
  const json out = json::parse(json_report(testing::report()));
  EXPECT_FALSE(out["capture"].contains("hz"));
  EXPECT_FALSE(out["capture"].contains("scheduler"));
  EXPECT_FALSE(out["conservation"].contains("cpus"));
  EXPECT_FALSE(out["agreement"].contains("bpf_module"));
  EXPECT_FALSE(out.contains("overhead"));
  EXPECT_FALSE(out["threads"][0].contains("nominal_slice_ns"));
  EXPECT_FALSE(out["user_threads"][0].contains("name"));
  EXPECT_FALSE(out["findings"][0].contains("for_ns"));
}

TEST(Json, NamesAreEscapedBytes) {
  const json out = json::parse(json_report(testing::report()));
  EXPECT_EQ(out["threads"][1]["comm"], "bad\\xff\\x1b[31m");
}

}  // namespace
}  // namespace schedscope::report
