// SPDX-License-Identifier: GPL-2.0-only
#include "report/ledger.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/names.h"
#include "report/table.h"
#include "timeline/types.h"

namespace schedscope::report {
namespace {

using json = nlohmann::ordered_json;
using Account = schedscope_account;

static_assert(timeline::slice_end_count == SCHEDSCOPE_ENDS);

constexpr std::array<std::string_view, SCHEDSCOPE_STATE_EXITED + 1> state_names = {
    "run", "wait", "sleep", "block", "unknown", "exited"};

std::string_view state_of(const Account& account) {
  return account.state < state_names.size() ? state_names[account.state] : "unknown";
}

std::string_view end_name(std::size_t end) {
  return name_of(static_cast<timeline::SliceEnd>(end));
}

std::uint64_t wall_ns(const Account& account) {
  return account.rec.time_ns - account.since_ns;
}

// What none of the four preemptors did for certain.
std::uint64_t other_preemptions(const Account& account) {
  std::uint64_t all =
      account.ends[SCHEDSCOPE_END_PREEMPTED] + account.ends[SCHEDSCOPE_END_OUTRANKED];
  for (const std::uint64_t count : account.preemptor_count) all -= std::min(all, count);
  return all;
}

// Indexes of the preemptors that there are, the one that came most first.
std::vector<std::size_t> preemptors_of(const Account& account) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < SCHEDSCOPE_PREEMPTORS; ++i) {
    if (account.preemptor_tid[i] != 0) order.push_back(i);
  }
  std::ranges::sort(order, std::greater{},
                    [&](std::size_t i) { return account.preemptor_count[i]; });
  return order;
}

// Its name, when it has an account.
const Account* find(const LedgerReading& reading, std::uint32_t tid, std::uint64_t start_ns) {
  const auto found = std::ranges::find_if(reading.accounts, [&](const Account& account) {
    return account.tid == tid && account.start_ns == start_ns;
  });
  return found == reading.accounts.end() ? nullptr : &*found;
}

std::string title(const Account& account) {
  return fmt::format("{}/{}", printable(account.comm), account.tid);
}

void sort_by_run(LedgerReading& reading) {
  std::ranges::sort(reading.accounts, [](const Account& a, const Account& b) {
    if (a.run_ns != b.run_ns) return a.run_ns > b.run_ns;
    return a.tid != b.tid ? a.tid < b.tid : a.start_ns < b.start_ns;
  });
}

json histogram(std::span<const std::uint32_t> buckets) {
  while (!buckets.empty() && buckets.back() == 0) buckets = buckets.first(buckets.size() - 1);
  return json(std::vector<std::uint32_t>(buckets.begin(), buckets.end()));
}

json account_json(const LedgerReading& reading, const Account& account) {
  json out = {{"tid", account.tid},
              {"pid", account.pid},
              {"comm", printable(account.comm)},
              {"kernel_start_ns", account.start_ns},
              {"state", state_of(account)},
              {"since_ns", account.since_ns},
              {"read_ns", account.rec.time_ns},
              {"run_ns", account.run_ns},
              {"wait_ns", account.wait_ns},
              {"sleep_ns", account.sleep_ns},
              {"block_ns", account.block_ns},
              {"unknown_ns", account.unknown_ns},
              {"wall_ns", wall_ns(account)},
              {"slices", account.slices},
              {"voluntary", account.voluntary},
              {"involuntary", account.involuntary},
              {"migrations", account.migrations},
              {"wakeups", account.wakeups},
              {"kernel_switches", account.switches}};
  if (account.cpu != SCHEDSCOPE_CPU_NONE) out["cpu"] = account.cpu;
  if (account.slice_ns != 0) out["nominal_slice_ns"] = account.slice_ns;
  out["slice_max_ns"] = account.longest_slice_ns;
  if (account.longest_slice_ns != 0) out["slice_max_at_ns"] = account.longest_slice_at_ns;
  out["wait_max_ns"] = account.longest_wait_ns;
  if (account.longest_wait_ns != 0) out["wait_max_at_ns"] = account.longest_wait_at_ns;
  for (std::size_t i = 0; i < SCHEDSCOPE_ENDS; ++i) out["ends"][end_name(i)] = account.ends[i];
  out["preempted_by"] = json::array();
  for (const std::size_t i : preemptors_of(account)) {
    json by = {{"tid", account.preemptor_tid[i]},
               {"kernel_start_ns", account.preemptor_start_ns[i]},
               {"count_at_least", account.preemptor_count[i]},
               {"count_at_most", account.preemptor_count[i] + account.preemptor_missed_max[i]},
               {"wait_ns", account.preemptor_wait_ns[i]}};
    if (const Account* who =
            find(reading, account.preemptor_tid[i], account.preemptor_start_ns[i])) {
      by["comm"] = printable(who->comm);
    }
    out["preempted_by"].push_back(std::move(by));
  }
  out["preempted_by_others"] = other_preemptions(account);
  out["slice_hist"] = histogram(account.slice_hist);
  out["wait_hist"] = histogram(account.wait_hist);
  return out;
}

class Text {
 public:
  Text(const LedgerReading& reading, const TextOptions& options)
      : reading_(reading), options_(options) {}

  std::string make() {
    heading();
    table();
    if (!options_.thread.empty()) {
      for (const Account* account : chosen_) detail(*account);
    }
    return std::move(out_);
  }

 private:
  void heading() {
    const schedscope_info& info = reading_.info;
    out_ += fmt::format("Loaded {} ago: {} switches; {} alive, {} exited and kept.\n",
                        ago(info.loaded_ns), grouped(info.switches),
                        plural(info.accounts, "thread"), grouped(info.exited));
    if (info.exited_dropped != 0) {
      out_ += fmt::format("{} of exited threads made room for newer ones: exited_max is {}.\n",
                          plural(info.exited_dropped, "account"), grouped(info.exited_max));
    }
    if (info.threads_missed != 0) {
      out_ += fmt::format("{} had no account for want of room: load with a larger threads_max.\n",
                          plural(info.threads_missed, "thread"));
    }
  }

  void table() {
    for (const Account& account : reading_.accounts) {
      if (options_.thread.empty() || options_.thread == fmt::format("{}", account.tid)) {
        chosen_.push_back(&account);
      }
    }
    Table table({{"thread", false, 99},
                 {"pid", true, 2},
                 {"state", false, 12},
                 {"run", true, 98},
                 {"run %", true, 10},
                 {"wait", true, 97},
                 {"sleep", true, 7},
                 {"block", true, 8},
                 {"unknown", true, 9},
                 {"slices", true, 6},
                 {"wait max", true, 11},
                 {"ends most", false, 4},
                 {"moves", true, 3}});
    const std::size_t shown =
        options_.top == 0 ? chosen_.size() : std::min(options_.top, chosen_.size());
    for (std::size_t i = 0; i < shown; ++i) table.row(row(*chosen_[i]));
    out_ += "\n" + table.text(options_.width, options_.color);
    if (shown < chosen_.size()) {
      out_ += fmt::format("  … and {} more threads; --top 0 shows all\n",
                          grouped(chosen_.size() - shown));
    }
    chosen_.resize(shown);
  }

  // "" when there was none: a table of zeros hides what is not zero.
  static std::string time(std::uint64_t ns) { return ns == 0 ? "" : human_ns(ns); }
  static std::string number(std::uint64_t n) { return n == 0 ? "" : grouped(n); }

  static std::vector<std::string> row(const Account& account) {
    const auto most = std::ranges::max_element(account.ends);
    return {title(account),
            fmt::format("{}", account.pid),
            std::string(state_of(account)),
            human_ns(account.run_ns),
            percent(static_cast<double>(account.run_ns), static_cast<double>(wall_ns(account))),
            human_ns(account.wait_ns),
            time(account.sleep_ns),
            time(account.block_ns),
            time(account.unknown_ns),
            grouped(account.slices),
            time(account.longest_wait_ns),
            *most == 0 ? "" : std::string(end_name(static_cast<std::size_t>(most - account.ends))),
            number(account.migrations)};
  }

  [[nodiscard]] std::string ago(std::uint64_t at_ns) const {
    return human_ns(reading_.read_ns - std::min(at_ns, reading_.read_ns));
  }

  void longest(const char* what, std::uint64_t ns, std::uint64_t at_ns) {
    if (ns == 0) return;
    out_ += fmt::format("  longest {} {}, begun {} ago\n", what, human_ns(ns), ago(at_ns));
  }

  void detail(const Account& account) {
    out_ += fmt::format("\n{}\n", title(account));
    Table ends({{"slice ended", false, 9}, {"times", true, 9}, {"share", true, 9}});
    for (std::size_t i = 0; i < SCHEDSCOPE_ENDS; ++i) {
      if (account.ends[i] == 0) continue;
      ends.row(
          {std::string(end_name(i)), grouped(account.ends[i]),
           percent(static_cast<double>(account.ends[i]), static_cast<double>(account.slices))});
    }
    if (!ends.empty()) out_ += ends.text(options_.width, options_.color) + "\n";
    if (account.slice_ns != 0)
      out_ += fmt::format("  nominal slice {}\n", human_ns(account.slice_ns));
    longest("slice", account.longest_slice_ns, account.longest_slice_at_ns);
    longest("wait", account.longest_wait_ns, account.longest_wait_at_ns);
    preemptors(account);
    lengths("slice length", account.slice_hist);
    lengths("wait length", account.wait_hist);
  }

  void preemptors(const Account& account) {
    Table table({{"preempted by", false, 9},
                 {"times, at least", true, 9},
                 {"at most", true, 8},
                 {"then waited", true, 9}});
    for (const std::size_t i : preemptors_of(account)) {
      const std::uint32_t tid = account.preemptor_tid[i];
      const Account* who = find(reading_, tid, account.preemptor_start_ns[i]);
      const std::uint64_t missed = account.preemptor_missed_max[i];
      table.row({who != nullptr ? title(*who) : fmt::format("tid {}", tid),
                 grouped(account.preemptor_count[i]),
                 missed == 0 ? "" : grouped(account.preemptor_count[i] + missed),
                 human_ns(account.preemptor_wait_ns[i])});
    }
    if (const std::uint64_t others = other_preemptions(account); others != 0 && !table.empty()) {
      table.row({"others, or not known", grouped(others), "", ""});
    }
    if (!table.empty()) out_ += "\n" + table.text(options_.width, options_.color);
  }

  void lengths(const char* what, std::span<const std::uint32_t> buckets) {
    Table table({{what, false, 9}, {"times", true, 9}});
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      if (buckets[i] != 0) table.row({"< " + human_ns(2ULL << i), grouped(buckets[i])});
    }
    if (!table.empty()) out_ += "\n" + table.text(options_.width, options_.color);
  }

  const LedgerReading& reading_;
  const TextOptions& options_;
  std::vector<const Account*> chosen_;
  std::string out_;
};

}  // namespace

std::string ledger_text(LedgerReading reading, const TextOptions& options) {
  sort_by_run(reading);
  return Text(reading, options).make();
}

std::string ledger_json(LedgerReading reading) {
  sort_by_run(reading);
  const schedscope_info& info = reading.info;
  json out = {{"schema", 1},
              {"loaded_ns", info.loaded_ns},
              {"read_ns", reading.read_ns},
              {"switches", info.switches},
              {"alive", info.accounts},
              {"exited", info.exited},
              {"exited_max", info.exited_max},
              {"exited_dropped", info.exited_dropped},
              {"threads_missed", info.threads_missed},
              {"accounts", json::array()}};
  for (const Account& account : reading.accounts) {
    out["accounts"].push_back(account_json(reading, account));
  }
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace schedscope::report
