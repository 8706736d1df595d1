// SPDX-License-Identifier: GPL-2.0-only
#include "lab/lab.h"

#include <gtest/gtest.h>

#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "lab/experiments.h"
#include "lab/print.h"
#include "lab/switch_ladder.h"
#include "lab/trial.h"

namespace schedscope::lab {
namespace {

using timeline::SliceEnd;

analysis::ThreadReport thread(timeline::ThreadIndex index, const char* comm, std::uint64_t born_ns,
                              std::uint64_t gone_ns) {
  analysis::ThreadReport report;
  report.who.index = index;
  report.who.pid = index < 10 ? 1 : 2;
  report.who.comm = comm;
  report.who.identified = true;
  report.who.born_ns = born_ns;
  report.who.gone_ns = gone_ns;
  return report;
}

void add_slice(Trial& trial, timeline::ThreadIndex of, std::uint64_t begin_ns, std::uint64_t end_ns,
               SliceEnd end = SliceEnd::expired, timeline::ThreadIndex next = timeline::no_index) {
  timeline::Slice slice;
  slice.thread = of;
  slice.begin_ns = begin_ns;
  slice.end_ns = end_ns;
  slice.end = end;
  slice.next = next;
  trial.stretches.slices.push_back(slice);
}

TEST(lab, ids_are_unique_and_found) {
  std::set<std::string_view> ids;
  for (const Experiment* experiment : experiments()) {
    EXPECT_TRUE(ids.insert(experiment->id).second);
    EXPECT_EQ(find(experiment->id), experiment);
    EXPECT_FALSE(experiment->claim.empty() || experiment->ran.empty() || experiment->rule.empty());
  }
  EXPECT_EQ(find("no-such"), nullptr);
}

TEST(lab, how_many_at_once) {
  const Window window{.from_ns = 10, .to_ns = 100};
  EXPECT_EQ(count_at_once({{0, 50}, {40, 60}, {60, 70}, {90, 200}}, window, 2),
            (std::vector<std::uint64_t>{20, 60, 10}));
  EXPECT_EQ(count_at_once({}, window, 1), (std::vector<std::uint64_t>{90, 0}));
}

// Three threads of one process and one of another, on one CPU, sharing as the ratio says.
Trial shares(std::uint64_t session_ratio) {
  Trial trial;
  timeline::ThreadIndex index = 0;
  std::uint64_t now = 0;
  for (const std::uint64_t ratio : {std::uint64_t{3}, session_ratio}) {
    const char* one = index == 0 ? "group-one" : "session-one";
    const char* three = index == 0 ? "group-three" : "session-three";
    trial.report.threads.push_back(thread(index, one, now, now + 1'000'000'000));
    add_slice(trial, index++, now, now + 150'000'000);
    for (int i = 0; i < 3; i++) {
      trial.report.threads.push_back(thread(index, three, now, now + 1'000'000'000));
      add_slice(trial, index++, now + 150'000'000, now + 150'000'000 + ratio * 150'000'000 / 3);
    }
    now += 2'000'000'000;
  }
  return trial;
}

TEST(lab, share_grows_with_threads) {
  Answer answer;
  kernel_share.judge(shares(3), answer);
  EXPECT_EQ(answer.verdict, Verdict::holds);
  Trial trial = shares(1);
  trial.report.machine.autogroup = 1;
  kernel_share.judge(trial, answer);
  EXPECT_EQ(answer.verdict, Verdict::holds_with_caveat);
  EXPECT_NE(answer.caveat.find("autogroup is on"), std::string::npos);
  trial = shares(3);
  for (auto& slice : trial.stretches.slices) slice.end_ns = slice.begin_ns + 1000;
  answer = {};
  kernel_share.judge(trial, answer);
  EXPECT_EQ(answer.verdict, Verdict::unsupported) << "nobody ran enough";
  trial.report.threads.pop_back();
  answer = {};
  kernel_share.judge(trial, answer);
  EXPECT_EQ(answer.verdict, Verdict::unsupported);
}

TEST(lab, who_is_next_after_a_block) {
  const auto trial_with = [](timeline::ThreadIndex next_of_first) {
    Trial trial;
    trial.report.threads = {thread(0, "block-sibling", 0, 1000), thread(1, "block-other", 0, 1000),
                            thread(2, "block-alone", 0, 1000), thread(3, "spin-sibling", 0, 1000),
                            thread(11, "spin-other", 0, 1000)};
    add_slice(trial, 0, 0, 10, SliceEnd::blocked, next_of_first);
    add_slice(trial, 1, 20, 30, SliceEnd::blocked, 11);
    add_slice(trial, 2, 40, 50, SliceEnd::blocked);
    add_slice(trial, 2, 75, 80, SliceEnd::exited);
    return trial;
  };
  Answer answer;
  kernel_block.judge(trial_with(3), answer);
  EXPECT_EQ(answer.verdict, Verdict::holds) << answer.caveat;
  EXPECT_NE(answer.headline.find("sibling 1 times, to another process 1 times, idle 1"),
            std::string::npos)
      << answer.headline;
  kernel_block.judge(trial_with(timeline::no_index), answer);
  EXPECT_EQ(answer.verdict, Verdict::fails_here);
}

// A carrier that made a million fiber switches in 1,000 ns, and one slice of it that ended in them.
Answer no_kernel_after(SliceEnd end, bool end_cut) {
  Trial trial;
  trial.report.threads = {thread(0, "hop-carrier", 0, 1000)};
  for (timeline::UserIndex i = 0; i < 10; i++) {
    analysis::UserReport user;
    user.who.index = i;
    user.who.name = fmt::format("hop-{}", i);
    trial.report.user_threads.push_back(user);
    trial.stretches.user_switches.push_back({.count = 100'000, .first_ns = 0, .last_ns = 1000});
  }
  add_slice(trial, 0, 0, 500, end);
  trial.stretches.slices.back().end_cut = end_cut;
  Answer answer;
  user_switch_no_kernel.judge(trial, answer);
  return answer;
}

TEST(lab, the_kernel_took_the_cpu_whoever_asked_for_it) {
  EXPECT_EQ(no_kernel_after(SliceEnd::expired, false).verdict, Verdict::holds);
  EXPECT_EQ(no_kernel_after(SliceEnd::unknown, false).verdict, Verdict::holds);
  EXPECT_EQ(no_kernel_after(SliceEnd::unknown, true).verdict, Verdict::unsupported);
  EXPECT_EQ(no_kernel_after(SliceEnd::yielded, false).verdict, Verdict::fails_here);
}

TEST(lab, median_lies_in_its_interval) {
  EXPECT_EQ(median_interval({}).middle, 0);
  const Interval five = median_interval({5, 1, 4, 2, 3});
  EXPECT_EQ(five.low, 1);
  EXPECT_EQ(five.middle, 3);
  EXPECT_EQ(five.high, 5);
  // Of nine, one may be left out at each end: 2 * (1 + 9) / 2^9 = 3.9 %; of 25, seven.
  std::vector<double> values{9, 8, 7, 6, 5, 4, 3, 2, 1};
  EXPECT_EQ(median_interval(values).low, 2);
  EXPECT_EQ(median_interval(values).high, 8);
  while (values.size() < 25) values.push_back(static_cast<double>(values.size() + 1));
  EXPECT_EQ(median_interval(values).low, 8);
  EXPECT_EQ(median_interval(values).high, 18);
}

// Threads that pass a turn in 100 ns, processes in `process_ns`; a third thread cuts in on each.
Trial ladder_of(const std::vector<std::uint64_t>& process_ns) {
  Trial trial;
  timeline::ThreadIndex index = 0;
  std::uint64_t now = 0;
  const auto pair = [&](const char* name, std::uint64_t each_ns) {
    for (int i = 0; i < 2; i++) trial.report.threads.push_back(thread(index + i, name, now, now));
    for (int i = 0; i < 10; i++, now += each_ns) {
      add_slice(trial, index + i % 2, now, now + each_ns, SliceEnd::blocked, index + (i + 1) % 2);
    }
    add_slice(trial, index, now, now + 1'000'000, SliceEnd::preempted, 9999);
    now += 1'000'000;
    index += 2;
  };
  for (const std::uint64_t one : process_ns) {
    pair("pipe-thread", 100);
    pair("pipe-process", one);
  }
  return trial;
}

TEST(lab, threads_as_slow_as_processes) {
  const auto verdict_of = [](std::vector<std::uint64_t> process_ns) {
    Answer answer;
    kernel_switch_cost.judge(ladder_of(process_ns), answer);
    return answer.verdict;
  };
  const std::vector<std::uint64_t> same(25, 100);
  EXPECT_EQ(verdict_of(same), Verdict::holds);
  EXPECT_EQ(verdict_of(std::vector<std::uint64_t>(25, 130)), Verdict::holds_with_caveat);
  EXPECT_EQ(verdict_of(std::vector<std::uint64_t>(25, 200)), Verdict::fails_here);
  EXPECT_EQ(verdict_of(std::vector<std::uint64_t>(3, 100)), Verdict::unsupported);
  // Seven rounds that say otherwise may be chance, eight may not.
  auto mixed = same;
  std::fill_n(mixed.begin(), 17, 200);
  EXPECT_EQ(verdict_of(mixed), Verdict::holds);
  std::fill_n(mixed.begin(), 18, 200);
  EXPECT_EQ(verdict_of(mixed), Verdict::fails_here);
}

TEST(lab, json_as_promised) {
  Answer answer;
  answer.verdict = Verdict::holds_with_caveat;
  answer.caveat = "c";
  answer.evidence = {{"run_ns", 12.0}, {"ratio", 1.5}};
  answer.witnesses = {"bpf"};
  capture::Machine machine;
  machine.kernel = "6.1";
  const auto json = nlohmann::json::parse(to_json(machine, {{&user_block, answer}}));
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["machine"]["kernel"], "6.1");
  const auto& claim = json["claims"][0];
  EXPECT_EQ(claim["id"], "user-block");
  EXPECT_EQ(claim["verdict"], "holds-with-caveat");
  EXPECT_TRUE(claim["evidence"]["run_ns"].is_number_integer());
  EXPECT_EQ(claim["evidence"]["ratio"], 1.5);
  EXPECT_EQ(claim["witnesses"][0], "bpf");
  for (const char* key : {"claim", "caveat", "rule", "workload", "capture"})
    EXPECT_TRUE(claim.contains(key)) << key;
}

}  // namespace
}  // namespace schedscope::lab
