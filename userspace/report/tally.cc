// SPDX-License-Identifier: GPL-2.0-only
#include "report/tally.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/names.h"

namespace schedscope::report {
namespace {

constexpr std::array<std::string_view, SCHEDSCOPE_CLASSES> class_names = {"fair", "realtime",
                                                                          "deadline"};
constexpr std::array<std::string_view, SCHEDSCOPE_TALLIES> things = {"slices", "in a run queue"};
constexpr std::array<std::string_view, SCHEDSCOPE_TALLIES> keys = {"slices", "queued"};

}  // namespace

std::string tally_title(const analysis::Tallies& tallies) {
  return fmt::format("Counted in the kernel for {}",
                     human_ns(tallies.at_ns - std::min(tallies.at_ns, tallies.since_ns)));
}

Table tally_table(const analysis::Tallies& tallies) {
  Table table({{"what", false, 99},
               {"class", false, 98},
               {"count", true, 97},
               {"total", true, 4},
               {"mean", true, 5},
               {"p50 ≤", true, 6},
               {"p90 ≤", true, 3},
               {"p99 ≤", true, 7},
               {"longest", true, 8}});
  for (const auto& row : tallies.rows) {
    table.row({std::string(things[row.what]), std::string(class_names[row.of_class]),
               grouped(row.count), human_ns(row.sum_ns),
               human_ns(row.count == 0 ? 0 : row.sum_ns / row.count), human_ns(row.percentile(500)),
               human_ns(row.percentile(900)), human_ns(row.percentile(990)), human_ns(row.max_ns)});
  }
  return table;
}

nlohmann::ordered_json tally_json(const analysis::Tallies& tallies) {
  using json = nlohmann::ordered_json;
  json out = {{"since_ns", tallies.since_ns}, {"at_ns", tallies.at_ns}};
  for (const std::string_view key : keys) out[key] = json::array();
  for (const auto& row : tallies.rows) {
    json hist = row.hist;
    while (!hist.empty() && hist.back() == 0) hist.erase(hist.size() - 1);
    out[keys[row.what]].push_back({{"class", class_names[row.of_class]},
                                   {"count", row.count},
                                   {"sum_ns", row.sum_ns},
                                   {"p50_ns", row.percentile(500)},
                                   {"p90_ns", row.percentile(900)},
                                   {"p99_ns", row.percentile(990)},
                                   {"max_ns", row.max_ns},
                                   {"hist", std::move(hist)}});
  }
  return out;
}

}  // namespace schedscope::report
