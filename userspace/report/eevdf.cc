// SPDX-License-Identifier: GPL-2.0-only
#include "report/eevdf.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/names.h"

namespace schedscope::report {
namespace {

using analysis::EevdfReport;
using analysis::LagReport;
using json = nlohmann::ordered_json;

std::string signed_ns(std::int64_t ns) {
  const auto size = static_cast<std::uint64_t>(ns);
  return ns < 0 ? "-" + human_ns(0 - size) : human_ns(size);
}

std::string range_of(const LagReport& lag) {
  if (lag.count == 0) return "";
  return fmt::format("{} … {}", signed_ns(lag.least_ns), signed_ns(lag.most_ns));
}

std::string slice_of(const EevdfReport& eevdf) {
  if (eevdf.slice_max_ns == 0) return "";
  std::string text = human_ns(eevdf.slice_max_ns);
  if (eevdf.slice_min_ns != eevdf.slice_max_ns) text = human_ns(eevdf.slice_min_ns) + " … " + text;
  return eevdf.custom_slice ? text + " own" : text;
}

std::string number(std::uint64_t n) {
  return n == 0 ? "" : grouped(n);
}

json lag_json(const LagReport& lag) {
  return {{"count", lag.count},
          {"p50_ns", lag.p50_ns},
          {"p99_ns", lag.p99_ns},
          {"least_ns", lag.least_ns},
          {"most_ns", lag.most_ns}};
}

}  // namespace

Table eevdf_table(std::span<const analysis::ThreadReport* const> threads) {
  Table table({{"thread", false, 99},
               {"virtual", true, 9},
               {"slice", true, 90},
               {"lag in p99 ≤", true, 85},
               {"lag in", true, 80},
               {"lag out p99 ≤", true, 40},
               {"lag out", true, 70},
               {"past deadline", true, 60},
               {"before", true, 50},
               {"protected", true, 30},
               {"delayed", true, 20}});
  const auto p99 = [](const LagReport& lag) { return lag.count == 0 ? "" : human_ns(lag.p99_ns); };
  for (const auto* thread : threads) {
    const EevdfReport& eevdf = *thread->eevdf;
    table.row({label(thread->who), human_ns(eevdf.vruntime_ns), slice_of(eevdf), p99(eevdf.lag_in),
               range_of(eevdf.lag_in), p99(eevdf.lag_out), range_of(eevdf.lag_out),
               number(eevdf.past_deadline), number(eevdf.before_deadline),
               number(eevdf.left_protected), number(eevdf.delayed)});
  }
  return table;
}

json eevdf_json(const EevdfReport& eevdf) {
  json out = {{"vruntime_ns", eevdf.vruntime_ns}};
  if (eevdf.lag_in.count != 0) out["lag_in"] = lag_json(eevdf.lag_in);
  if (eevdf.lag_out.count != 0) out["lag_out"] = lag_json(eevdf.lag_out);
  if (eevdf.slice_max_ns == 0) return out;  // CFS: it has none of the rest
  out["slice_min_ns"] = eevdf.slice_min_ns;
  out["slice_max_ns"] = eevdf.slice_max_ns;
  out["custom_slice"] = eevdf.custom_slice;
  out["before_deadline"] = eevdf.before_deadline;
  out["past_deadline"] = eevdf.past_deadline;
  out["left_protected"] = eevdf.left_protected;
  out["delayed"] = eevdf.delayed;
  return out;
}

}  // namespace schedscope::report
