// SPDX-License-Identifier: GPL-2.0-only
#include "report/text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <span>

#include <fmt/format.h>

#include "base/text.h"
#include "report/eevdf.h"
#include "report/ink.h"
#include "report/names.h"
#include "report/stacks.h"
#include "report/story.h"
#include "report/table.h"
#include "report/tally.h"

namespace schedscope::report {
namespace {

using analysis::Report;
using analysis::ThreadReport;

class Text {
 public:
  Text(const Report& report, const TextOptions& options) : report_(report), options_(options) {}

  std::string make() {
    tell();
    findings();
    options_.by_cgroup ? cgroups() : threads();
    eevdf();
    if (options_.thread.empty()) {
      slept_at();
      futexes();
      policies();
      tallies();
      cpus();
      user_threads();
    }
    return std::move(out_);
  }

 private:
  void tell() {
    if (!report_.file.empty()) {
      out_ += fmt::format("{}, {}\n\n", ink_.painted("1", printable(report_.file)),
                          human_bytes(report_.bytes));
    }
    std::size_t indent = 0;
    const auto paragraphs = story(report_);
    for (const auto& paragraph : paragraphs) indent = std::max(indent, paragraph.heading.size());
    indent += 2;
    for (const auto& paragraph : paragraphs) {
      const std::string head = fmt::format("{:{}}", paragraph.heading, indent);
      const std::size_t room = std::max<std::size_t>(options_.width, indent + 20);
      // The heading takes part in the wrapping as one unbreakable word.
      const std::string body = wrapped(std::string(indent, '_') + paragraph.text, room, indent);
      out_ += ink_.painted(paragraph.bad ? "1;31" : "2", head) + body.substr(indent) + "\n";
    }
  }

  // What did not fit is said, so that nobody takes the part for the whole.
  void more(std::size_t shown, std::size_t all, std::string_view what) {
    if (shown < all) {
      out_ += ink_.painted(
          "2", fmt::format("  … and {} more {}; --top 0 shows all\n", grouped(all - shown), what));
    }
  }
  [[nodiscard]] std::size_t limit(std::size_t all) const {
    return options_.top == 0 ? all : std::min(options_.top, all);
  }
  [[nodiscard]] bool chosen(const timeline::Thread& thread) const {
    return options_.thread.empty() || fmt::format("{}", thread.tid) == options_.thread ||
           printable(thread.comm).find(options_.thread) != std::string::npos;
  }

  void findings() {
    std::vector<const analysis::Finding*> chosen_ones;
    for (const auto& finding : report_.findings) {
      const auto* who = finding.thread ? report_.find(*finding.thread) : nullptr;
      if (options_.thread.empty() || (who != nullptr && chosen(who->who))) {
        chosen_ones.push_back(&finding);
      }
    }
    if (chosen_ones.empty()) return;
    out_ += ink_.heading("Findings");
    const std::size_t shown = limit(chosen_ones.size());
    for (std::size_t i = 0; i < shown; ++i) {
      const auto& finding = *chosen_ones[i];
      std::string line;
      switch (finding.severity) {
        case analysis::Severity::warning:
          line = ink_.painted("1;31", "! ");
          break;
        case analysis::Severity::notice:
          line = ink_.painted("33", "* ");
          break;
        case analysis::Severity::info:
          line = "  ";
          break;
      }
      std::string text = finding.text;
      if (finding.at_ns > report_.start_ns) {
        text += fmt::format(" (at +{})", human_ns(finding.at_ns - report_.start_ns));
      }
      out_ += "  " + line + wrapped(text, std::max<std::size_t>(options_.width, 24) - 4, 4) + "\n";
    }
    more(shown, chosen_ones.size(), "findings");
  }

  // A time, "" when there was none: a table of zeros hides what is not zero.
  static std::string time(std::uint64_t ns) { return ns == 0 ? "" : human_ns(ns); }
  static std::string number(std::uint64_t n) { return n == 0 ? "" : grouped(n); }

  void threads() {
    std::vector<const ThreadReport*> rows;
    for (const auto& thread : report_.threads) {
      if (chosen(thread.who)) rows.push_back(&thread);
    }
    if (!options_.thread.empty() && rows.empty()) {
      out_ += fmt::format("\nNo thread is named or numbered {}.\n", printable(options_.thread));
      return;
    }
    if (rows.empty()) return;
    out_ += ink_.heading("Threads");
    Table table({{"thread", false, 99},
                 {"pid", true, 2},
                 {"policy", false, 1},
                 {"run", true, 98},
                 {"run %", true, 10},
                 {"wait", true, 97},
                 {"sleep", true, 7},
                 {"block", true, 8},
                 {"unknown", true, 9},
                 {"irq", true, 4},
                 {"softirq", true, 4},
                 {"slices", true, 6},
                 {"wait p99 ≤", true, 5},
                 {"wait max", true, 11},
                 {"ends most", false, 4},
                 {"moves", true, 3}});
    const std::size_t shown = limit(rows.size());
    for (std::size_t i = 0; i < shown; ++i) table.row(thread_row(*rows[i]));
    out_ += table.text(options_.width, options_.color);
    more(shown, rows.size(), "threads");
    if (options_.thread.empty()) return;
    for (std::size_t i = 0; i < shown; ++i) detail(*rows[i]);
  }

  void cgroups() {
    out_ += ink_.heading("Cgroups");
    Table table({{"cgroup", false, 99},
                 {"threads", true, 6},
                 {"run", true, 98},
                 {"run %", true, 10},
                 {"wait", true, 97},
                 {"sleep", true, 7},
                 {"block", true, 8},
                 {"unknown", true, 9}});
    const std::size_t shown = limit(report_.cgroups.size());
    std::uint64_t all_ns = 0;
    for (const auto& cgroup : report_.cgroups) all_ns += cgroup.run_ns;
    for (std::size_t i = 0; i < shown; ++i) {
      const auto& cgroup = report_.cgroups[i];
      table.row({cgroup_label(cgroup), grouped(cgroup.threads), human_ns(cgroup.run_ns),
                 percent(static_cast<double>(cgroup.run_ns), static_cast<double>(all_ns)),
                 human_ns(cgroup.wait_ns), time(cgroup.sleep_ns), time(cgroup.block_ns),
                 time(cgroup.unknown_ns)});
    }
    out_ += table.text(options_.width, options_.color);
    more(shown, report_.cgroups.size(), "cgroups");
    if (report_.cgroup_moves_missed != 0) {
      out_ += fmt::format(
          "  {} from one cgroup to another unseen: until it showed, their time "
          "counts for the one that they had left.\n",
          plural(report_.cgroup_moves_missed, "thread went", "threads went"));
    }
  }

  static std::vector<std::string> thread_row(const ThreadReport& thread) {
    std::string policy = thread.who.identified || thread.slices != 0
                             ? policy_name(thread.who.policy)
                             : std::string();
    if (thread.who.identified && thread.who.nice != 0) {
      policy += fmt::format(" {:+}", thread.who.nice);
    }
    const auto taken = thread.interrupts.value_or(analysis::InterruptReport{});
    return {label(thread.who),
            thread.who.pid == 0 ? "" : fmt::format("{}", thread.who.pid),
            std::move(policy),
            human_ns(thread.run_ns),
            percent(static_cast<double>(thread.run_ns), static_cast<double>(thread.wall_ns)),
            human_ns(thread.wait_ns),
            time(thread.sleep_ns),
            time(thread.block_ns),
            time(thread.unknown_ns),
            time(taken.irq_ns),
            time(taken.softirq_ns),
            grouped(thread.slices),
            time(thread.wait_p99_ns),
            time(thread.wait_max_ns),
            commonest_end(thread),
            number(thread.migrations)};
  }

  static std::string commonest_end(const ThreadReport& thread) {
    const auto most = std::max_element(thread.ends.begin(), thread.ends.end());
    if (most == thread.ends.end() || *most == 0) return "";
    return std::string(name_of(static_cast<timeline::SliceEnd>(most - thread.ends.begin())));
  }

  void detail(const ThreadReport& thread) {
    const timeline::Thread& who = thread.who;
    out_ += ink_.heading(
        label(who) + (who.ns_tid == 0 ? "" : fmt::format(" (in its namespace {})", who.ns_tid)));
    Table ends({{"slice ended", false, 9}, {"times", true, 9}, {"share", true, 9}});
    std::uint64_t all = 0;
    for (const std::uint64_t count : thread.ends) all += count;
    for (std::size_t i = 0; i < thread.ends.size(); ++i) {
      if (thread.ends[i] == 0) continue;
      ends.row({std::string(name_of(static_cast<timeline::SliceEnd>(i))), grouped(thread.ends[i]),
                percent(static_cast<double>(thread.ends[i]), static_cast<double>(all))});
    }
    if (!ends.empty()) out_ += ends.text(options_.width, options_.color) + "\n";
    if (thread.who.slice_ns != 0) {
      out_ += fmt::format("  nominal slice {}, longest stay {}\n\n", human_ns(thread.who.slice_ns),
                          human_ns(thread.slice_max_ns));
    }
    if (thread.interrupts) interrupts(*thread.interrupts);
    against_nominal(thread.against_nominal);
    peers("preempted by", "then waited", thread.preempted_by);
    peers("waited behind", "for", thread.waited_behind);
    if (thread.waited_behind_unknown_ns != 0) {
      out_ += fmt::format("  behind whom is unknown: {} of {}\n\n",
                          human_ns(thread.waited_behind_unknown_ns), human_ns(thread.wait_ns));
    }
    peers("woken by", "after", thread.woken_by);
    off_cpu(thread);
    if (report_.stacks) out_ += slept_at_text(*report_.stacks, thread, options_);
    histogram("slice length", thread.slice_hist);
    histogram("wait length", thread.wait_hist);
  }

  void interrupts(const analysis::InterruptReport& taken) {
    out_ += fmt::format("  interrupts took at least {} in {} hard ones and {} in {} softirqs",
                        human_ns(taken.irq_ns), grouped(taken.irqs), human_ns(taken.softirq_ns),
                        grouped(taken.softirqs));
    if (taken.unknown_ns != 0) {
      out_ += fmt::format("; of {} it is not known", human_ns(taken.unknown_ns));
    }
    out_ += "\n\n";
  }

  // Of the nominal slice, a quarter a row.
  void against_nominal(const analysis::AgainstNominal& slices) {
    Table table({{"of nominal", false, 9}, {"slices", true, 9}, {"of them expired", true, 9}});
    constexpr std::size_t last = analysis::nominal_quarters - 1;
    for (std::size_t i = 0; i <= last; ++i) {
      if (slices.all[i] == 0) continue;
      const auto part = [](std::size_t quarter) { return static_cast<double>(quarter) / 4; };
      table.row({i == last ? fmt::format("{:.2f} and more", part(i))
                           : fmt::format("{:.2f} … {:.2f}", part(i), part(i + 1)),
                 grouped(slices.all[i]), number(slices.expired[i])});
    }
    if (!table.empty()) out_ += table.text(options_.width, options_.color) + "\n";
  }

  void eevdf() {
    std::vector<const ThreadReport*> rows;
    for (const auto& thread : report_.threads) {
      if (thread.eevdf && chosen(thread.who)) rows.push_back(&thread);
    }
    if (rows.empty()) return;
    out_ += ink_.heading("Fair threads, by the scheduler's virtual time");
    const std::size_t shown = limit(rows.size());
    out_ += eevdf_table(std::span(rows).first(shown)).text(options_.width, options_.color);
    more(shown, rows.size(), "threads");
  }

  void tallies() {
    if (!report_.tallies) return;
    out_ += ink_.heading(tally_title(*report_.tallies));
    out_ += tally_table(*report_.tallies).text(options_.width, options_.color);
  }

  void policies() {
    if (report_.policies.empty()) return;
    out_ += ink_.heading("Policies");
    Table table({{"policy", false, 99},
                 {"threads", true, 5},
                 {"whole slices", true, 8},
                 {"time", true, 98},
                 {"nominal", true, 9},
                 {"≥ nominal", true, 7},
                 {"expired", true, 6}});
    for (const auto& policy : report_.policies) table.row(policy_row(policy));
    out_ += table.text(options_.width, options_.color);
  }

  static std::vector<std::string> policy_row(const analysis::PolicyReport& policy) {
    std::vector<std::string> row = {policy_name(policy.policy), grouped(policy.threads),
                                    grouped(policy.slices), human_ns(policy.ns)};
    const auto& slices = policy.against_nominal;
    const auto sum = [](std::span<const std::uint32_t> counts) {
      return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
    };
    if (policy.nominal_max_ns == 0) {
      row.insert(row.end(), {"unknown", "", ""});
      return row;
    }
    row.push_back(policy.nominal_min_ns == policy.nominal_max_ns
                      ? human_ns(policy.nominal_max_ns)
                      : fmt::format("{} … {}", human_ns(policy.nominal_min_ns),
                                    human_ns(policy.nominal_max_ns)));
    row.push_back(percent(static_cast<double>(sum(std::span(slices.all).subspan(4))),
                          static_cast<double>(sum(slices.all))));
    row.push_back(number(sum(slices.expired)));
    return row;
  }

  void peers(const char* title, const char* time_title, const std::vector<analysis::Peer>& list) {
    if (list.empty()) return;
    Table table({{title, false, 9}, {"times", true, 9}, {time_title, true, 9}});
    const std::size_t shown = limit(list.size());
    for (std::size_t i = 0; i < shown; ++i) {
      table.row({label(list[i]), grouped(list[i].count), human_ns(list[i].ns)});
    }
    out_ += table.text(options_.width, options_.color);
    more(shown, list.size(), "threads");
    out_ += "\n";
  }

  void off_cpu(const ThreadReport& thread) {
    if (thread.off_cpu.empty()) return;
    Table table({{"off the CPU in", false, 9},
                 {"state", false, 9},
                 {"woken by", false, 9},
                 {"times", true, 9},
                 {"time", true, 9},
                 {"longest", true, 9}});
    const std::size_t shown = limit(thread.off_cpu.size());
    for (std::size_t i = 0; i < shown; ++i) {
      const analysis::OffCpu& row = thread.off_cpu[i];
      std::string call = row.others ? "(others)" : syscall_label(row.syscall);
      if (call.empty()) call = report_.syscalls_known ? "(no system call)" : "unknown";
      table.row({std::move(call), row.others ? "" : std::string(name_of(row.state)),
                 row.others ? "" : std::string(name_of(row.waker)), grouped(row.count),
                 human_ns(row.ns), human_ns(row.max_ns)});
    }
    out_ += table.text(options_.width, options_.color);
    more(shown, thread.off_cpu.size(), "kinds");
    out_ += "\n";
  }

  void slept_at() {
    if (!report_.stacks) return;
    out_ += ink_.heading("Where threads slept");
    out_ += slept_at_text(report_, options_);
  }

  // One row for each owner, one for the sleeps that have none that is known.
  void futexes() {
    if (report_.futexes.empty()) return;
    out_ += ink_.heading("Futexes that threads slept for");
    Table table({{"pid", true, 9},
                 {"futex", false, 9},
                 {"had by", false, 9},
                 {"sleeps", true, 8},
                 {"time", true, 9},
                 {"it ran", true, 7},
                 {"waited", true, 7},
                 {"slept", true, 7},
                 {"unknown", true, 5}});
    const std::size_t shown = limit(report_.futexes.size());
    for (std::size_t i = 0; i < shown; ++i) futex_rows(table, report_.futexes[i]);
    out_ += table.text(options_.width, options_.color);
    more(shown, report_.futexes.size(), "futexes");
  }

  void futex_rows(Table& table, const analysis::FutexReport& futex) {
    const std::string pid = fmt::format("{}", futex.pid);
    const std::string word = futex.word == 0 ? "(several)" : fmt::format("{:#x}", futex.word);
    std::uint64_t waits = futex.waits, ns = futex.ns;
    for (const auto& owner : futex.owners) {
      const auto of = [&](timeline::State state) {
        return owner.state_ns[static_cast<std::size_t>(state)];
      };
      const auto* thread = report_.find(owner.thread);
      table.row({pid, word, thread != nullptr ? label(thread->who) : "unknown",
                 grouped(owner.waits), human_ns(owner.ns), time(of(timeline::State::run)),
                 time(of(timeline::State::wait)),
                 time(of(timeline::State::sleep) + of(timeline::State::block)),
                 time(of(timeline::State::unknown))});
      waits -= owner.waits;
      ns -= owner.ns;
    }
    if (waits != 0) {
      table.row({pid, word, "unknown", grouped(waits), human_ns(ns), "", "", "", ""});
    }
  }

  void histogram(const char* title, const analysis::Histogram& buckets) {
    const auto most = std::max_element(buckets.begin(), buckets.end());
    if (most == buckets.end() || *most == 0) return;
    const auto used = [](std::uint64_t count) { return count != 0; };
    const auto first = std::find_if(buckets.begin(), buckets.end(), used);
    const auto last = std::find_if(buckets.rbegin(), buckets.rend(), used).base();
    out_ += ink_.painted("2", fmt::format("  {:>21}\n", title));
    for (auto at = first; at != last; ++at) {
      constexpr double bar = 40;
      const auto length = static_cast<std::size_t>(
          bar * static_cast<double>(*at) / static_cast<double>(*most) + (*at != 0 ? 0.999 : 0));
      const auto bucket = static_cast<unsigned>(at - buckets.begin());
      std::string hashes;
      for (std::size_t i = 0; i < length; ++i) hashes += "▇";
      out_ +=
          fmt::format("  {:>10} … {:>8}  {:>10} {}\n", human_ns(bucket == 0 ? 0 : 1ULL << bucket),
                      human_ns(1ULL << (bucket + 1)), grouped(*at), hashes);
    }
    out_ += "\n";
  }

  void cpus() {
    if (report_.cpus.empty() || is_tally_alone(report_)) return;
    out_ += ink_.heading("CPUs");
    Table table({{"CPU", true, 9},
                 {"run", true, 9},
                 {"run %", true, 8},
                 {"idle", true, 7},
                 {"off", true, 8},
                 {"unknown", true, 9},
                 {"irq", true, 5},
                 {"softirq", true, 5},
                 {"switches", true, 6}});
    for (const auto& cpu : report_.cpus) {
      const auto taken = cpu.interrupts.value_or(analysis::InterruptReport{});
      table.row({fmt::format("{}", cpu.cpu), human_ns(cpu.run_ns),
                 percent(static_cast<double>(cpu.run_ns),
                         static_cast<double>(cpu.run_ns + cpu.idle_ns + cpu.unknown_ns)),
                 human_ns(cpu.idle_ns), time(cpu.off_ns), time(cpu.unknown_ns), time(taken.irq_ns),
                 time(taken.softirq_ns), grouped(cpu.switches)});
    }
    out_ += table.text(options_.width, options_.color);
  }

  void user_threads() {
    if (report_.user_threads.empty()) return;
    out_ += ink_.heading("User threads (as their runtime told)");
    Table table({{"user thread", false, 99},
                 {"runtime", false, 2},
                 {"pid", true, 3},
                 {"running", true, 98},
                 {"preempted", true, 8},
                 {"blocking", true, 9},
                 {"queued", true, 7},
                 {"hostage", true, 97},
                 {"parked", true, 6},
                 {"unknown", true, 5},
                 {"switches", true, 4}});
    const std::size_t shown = limit(report_.user_threads.size());
    for (std::size_t i = 0; i < shown; ++i) {
      const auto& user = report_.user_threads[i];
      std::vector<std::string> cells = {label(user.who), printable(user.who.runtime),
                                        fmt::format("{}", user.who.pid)};
      for (std::size_t s = 0; s < timeline::user_state_count; ++s) {
        cells.push_back(s < user.state_ns.size() ? time(user.state_ns[s]) : "");
      }
      cells.push_back(grouped(user.switches));
      table.row(std::move(cells));
    }
    out_ += table.text(options_.width, options_.color);
    more(shown, report_.user_threads.size(), "user threads");
  }

  const Report& report_;
  const TextOptions& options_;
  Ink ink_{options_.color};
  std::string out_;
};

}  // namespace

TextOptions options_for(int fd) {
  TextOptions options;
  if (::isatty(fd) == 0) return options;
  options.color = std::getenv("NO_COLOR") == nullptr;
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) options.width = size.ws_col;
  return options;
}

std::string text_report(const Report& report, const TextOptions& options) {
  return Text(report, options).make();
}

}  // namespace schedscope::report
