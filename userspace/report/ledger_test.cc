// SPDX-License-Identifier: GPL-2.0-only
#include "report/ledger.h"

#include <cstring>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace schedscope::report {
namespace {

constexpr std::uint64_t ms = 1'000'000;

schedscope_account account_of(std::uint32_t tid, const char* comm, std::uint64_t run_ns) {
  schedscope_account account{};
  account.rec.time_ns = 1000 * ms;
  account.tid = account.pid = tid;
  account.start_ns = tid * 10;
  account.since_ns = 200 * ms;
  account.run_ns = run_ns;
  account.wait_ns = 800 * ms - run_ns;
  account.state = SCHEDSCOPE_STATE_WAIT;
  std::strncpy(reinterpret_cast<char*>(account.comm), comm, SCHEDSCOPE_COMM_LEN - 1);
  return account;
}

LedgerReading reading() {
  LedgerReading reading;
  reading.info.loaded_ns = 200 * ms;
  reading.info.switches = 12345;
  reading.info.accounts = 2;
  reading.info.exited = 1;
  reading.read_ns = 1000 * ms;
  reading.accounts = {account_of(7, "idler", 1 * ms), account_of(8, "hog\x1b[2J", 300 * ms),
                      account_of(9, "gone", 2 * ms)};
  reading.accounts[2].state = SCHEDSCOPE_STATE_EXITED;
  schedscope_account& hog = reading.accounts[1];
  hog.slices = 12;
  hog.ends[SCHEDSCOPE_END_PREEMPTED] = 7;
  hog.ends[SCHEDSCOPE_END_OUTRANKED] = 2;
  hog.ends[SCHEDSCOPE_END_BLOCKED] = 3;
  hog.slice_ns = 3 * ms;
  hog.longest_slice_ns = 40 * ms;
  hog.longest_slice_at_ns = 900 * ms;
  hog.longest_wait_ns = 50 * ms;
  hog.longest_wait_at_ns = 600 * ms;
  hog.slice_hist[20] = 12;
  // The one that came most is not the first.
  hog.preemptor_tid[0] = 7;
  hog.preemptor_start_ns[0] = 70;
  hog.preemptor_count[0] = 1;
  hog.preemptor_missed_max[0] = 2;
  hog.preemptor_tid[1] = 9;
  hog.preemptor_start_ns[1] = 91;  // a later thread of that tid
  hog.preemptor_count[1] = 5;
  hog.preemptor_wait_ns[1] = 11 * ms;
  return reading;
}

TEST(Ledger, JsonHasEveryAccountThatRanMostFirst) {
  const auto json = nlohmann::json::parse(ledger_json(reading()));
  EXPECT_EQ(json["alive"], 2);
  EXPECT_EQ(json["accounts"].size(), 3U);
  const auto& hog = json["accounts"][0];
  EXPECT_EQ(hog["tid"], 8);
  EXPECT_EQ(hog["comm"], "hog\\x1b[2J");
  EXPECT_EQ(hog["state"], "wait");
  EXPECT_EQ(hog["wall_ns"], 800 * ms);
  EXPECT_EQ(hog["ends"].size(), 10U);
  EXPECT_EQ(hog["ends"]["preempted"], 7);
  EXPECT_EQ(hog["nominal_slice_ns"], 3 * ms);
  EXPECT_EQ(hog["slice_max_ns"], 40 * ms);
  EXPECT_EQ(hog["wait_max_at_ns"], 600 * ms);
  EXPECT_EQ(hog["slice_hist"].size(), 21U);
  EXPECT_EQ(json["accounts"][1]["state"], "exited");
  EXPECT_FALSE(json["accounts"][1].contains("nominal_slice_ns"));
}

TEST(Ledger, WhoPreemptedHasBoundsAndARest) {
  const auto hog = nlohmann::json::parse(ledger_json(reading()))["accounts"][0];
  ASSERT_EQ(hog["preempted_by"].size(), 2U);
  const auto& most = hog["preempted_by"][0];
  EXPECT_EQ(most["tid"], 9);
  EXPECT_EQ(most["count_at_least"], 5);
  EXPECT_EQ(most["count_at_most"], 5);
  EXPECT_EQ(most["wait_ns"], 11 * ms);
  EXPECT_FALSE(most.contains("comm"));  // that account is an earlier thread's
  const auto& other = hog["preempted_by"][1];
  EXPECT_EQ(other["comm"], "idler");
  EXPECT_EQ(other["count_at_least"], 1);
  EXPECT_EQ(other["count_at_most"], 3);
  EXPECT_EQ(hog["preempted_by_others"], 3);
}

TEST(Ledger, TextTellsWhatItLeavesOut) {
  LedgerReading all = reading();
  all.info.exited_dropped = 1;
  all.info.threads_missed = 4;
  TextOptions options;
  options.top = 2;
  const std::string text = ledger_text(all, options);
  EXPECT_NE(text.find("12,345 switches"), std::string::npos) << text;
  EXPECT_NE(text.find("1 account of exited threads"), std::string::npos) << text;
  EXPECT_NE(text.find("4 threads had no account"), std::string::npos) << text;
  EXPECT_NE(text.find("and 1 more"), std::string::npos) << text;
  EXPECT_LT(text.find("hog"), text.find("gone"));
  EXPECT_EQ(text.find("idler"), std::string::npos) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(Ledger, OneThreadIsShownInFull) {
  TextOptions options;
  options.thread = "8";
  const std::string text = ledger_text(reading(), options);
  EXPECT_EQ(text.find("gone/9"), std::string::npos) << text;
  for (const char* part : {"preempted", "outranked", "nominal slice 3", "longest slice 40",
                           "longest wait 50", "tid 9", "idler/7", "others, or not known"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
  }
}

}  // namespace
}  // namespace schedscope::report
