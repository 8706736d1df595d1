// SPDX-License-Identifier: GPL-2.0-only
#include "report/story.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "report/names.h"
#include "report/tally.h"

namespace schedscope::report {
namespace {

using analysis::Report;
using analysis::ThreadReport;

std::string machine_words(const capture::Machine& machine) {
  std::vector<std::string> facts;
  if (!machine.scheduler.empty()) facts.push_back(printable(machine.scheduler));
  if (machine.hz != 0) facts.push_back(fmt::format("HZ={}", machine.hz));
  if (!machine.preempt_model.empty()) {
    facts.push_back(fmt::format("preemption {}", printable(machine.preempt_model)));
  }
  if (machine.base_slice_ns != 0) {
    facts.push_back(fmt::format("base slice {}", human_ns(machine.base_slice_ns)));
  }
  if (machine.virtual_machine) facts.emplace_back("a virtual machine");
  std::string text = machine.kernel.empty() ? "an unknown kernel"
                                            : fmt::format("Linux {}", printable(machine.kernel));
  if (machine.cpus_online != 0) text += fmt::format(" on {}", plural(machine.cpus_online, "CPU"));
  if (!facts.empty()) text += fmt::format(" ({})", fmt::join(facts, ", "));
  return text;
}

Paragraph span_words(const Report& report) {
  std::string text =
      fmt::format("{} of {}", human_ns(span_ns(report)), machine_words(report.machine));
  std::vector<std::string> witnesses;
  for (const auto& witness : report.machine.witnesses) witnesses.push_back(printable(witness));
  if (!witnesses.empty()) text += fmt::format(", witnessed by {}", fmt::join(witnesses, " and "));
  text += ".";
  if (!report.machine.trigger.empty()) {
    text += fmt::format(" The end of a longer recording, kept because: {}.",
                        printable(report.machine.trigger));
  }
  if (!report.machine.command.empty()) {
    text += fmt::format(" Recorded: {}.", printable(report.machine.command));
  }
  if (!report.machine.filter.empty()) {
    text += fmt::format(
        " Only a selection was recorded ({}): other threads show just where they met it.",
        printable(report.machine.filter));
  }
  return {"Capture", std::move(text), false};
}

// Of whom something can be said for the whole: with a selection, threads outside of it are
// known only in part.
bool well_known(const Report& report, const ThreadReport& thread) {
  return report.machine.filter.empty() || 2 * thread.unknown_ns < thread.wall_ns;
}

std::string busy_share(const Report& report) {
  std::uint64_t run = 0;
  std::uint64_t known = 0;
  std::uint64_t unknown = 0;
  for (const auto& cpu : report.cpus) {
    run += cpu.run_ns;
    known += cpu.run_ns + cpu.idle_ns;
    unknown += cpu.unknown_ns;
  }
  std::string text = fmt::format("{} busy {}", plural(report.cpus.size(), "CPU"),
                                 percent(static_cast<double>(run), static_cast<double>(known)));
  if (unknown != 0) {
    text +=
        fmt::format(" of the time that is known ({} is unknown)",
                    percent(static_cast<double>(unknown), static_cast<double>(known + unknown)));
  }
  return text + "; ";
}

std::optional<Paragraph> busy_words(const Report& report) {
  if (report.cpus.empty()) return std::nullopt;
  const double span = static_cast<double>(span_ns(report));
  // What the CPUs did besides the selection was not recorded: a share of it would mislead.
  std::string text = report.machine.filter.empty() ? busy_share(report) : std::string();
  text += plural(report.switches, "switch", "switches");
  if (span > 0) {
    const double rate = static_cast<double>(report.switches) * 1e9 / span;
    text += fmt::format(", {} a second", grouped(static_cast<std::uint64_t>(rate)));
  }
  text += fmt::format("; {}.", plural(report.threads.size(), "thread"));
  const auto top =
      std::find_if(report.threads.begin(), report.threads.end(),
                   [&](const ThreadReport& thread) { return well_known(report, thread); });
  if (top != report.threads.end() && top->run_ns != 0) {
    text += fmt::format(" Most CPU time: {} with {}, {} of one CPU.", label(top->who),
                        human_ns(top->run_ns), percent(static_cast<double>(top->run_ns), span));
  }
  return Paragraph{"CPUs", std::move(text), false};
}

std::optional<Paragraph> wait_words(const Report& report) {
  const ThreadReport* most = nullptr;
  for (const auto& thread : report.threads) {
    if (!well_known(report, thread) || thread.wait_ns == 0) continue;
    if (most == nullptr || thread.wait_ns > most->wait_ns) most = &thread;
  }
  if (most == nullptr) return std::nullopt;
  std::string text = fmt::format(
      "{} waited longest for a CPU: {}, {} of its time; half its waits ≤ {}, 99 % ≤ {}, the "
      "longest {}",
      label(most->who), human_ns(most->wait_ns),
      percent(static_cast<double>(most->wait_ns), static_cast<double>(most->wall_ns)),
      human_ns(most->wait_p50_ns), human_ns(most->wait_p99_ns), human_ns(most->wait_max_ns));
  if (most->wait_max_at_ns >= report.start_ns && most->wait_max_at_ns != 0) {
    text += fmt::format(" at +{}", human_ns(most->wait_max_at_ns - report.start_ns));
  }
  text += ".";
  if (!most->preempted_by.empty()) {
    const auto& by = most->preempted_by.front();
    text += fmt::format(" Of it {} after {} took the CPU from it ({}).", human_ns(by.ns), label(by),
                        by.count == 1 ? "once" : grouped(by.count) + " times");
  }
  const std::uint64_t all = std::accumulate(
      report.threads.begin(), report.threads.end(), std::uint64_t{0},
      [](std::uint64_t sum, const ThreadReport& thread) { return sum + thread.wait_ns; });
  if (all != most->wait_ns) text += fmt::format(" All threads together waited {}.", human_ns(all));
  return Paragraph{"Waiting", std::move(text), false};
}

std::optional<Paragraph> end_words(const Report& report) {
  std::array<std::uint64_t, timeline::slice_end_count> ends{};
  for (const auto& thread : report.threads) {
    for (std::size_t i = 0; i < ends.size() && i < thread.ends.size(); ++i) {
      ends[i] += thread.ends[i];
    }
  }
  const std::uint64_t all = std::accumulate(ends.begin(), ends.end(), std::uint64_t{0});
  if (all == 0) return std::nullopt;
  std::array<std::size_t, timeline::slice_end_count> order{};
  std::iota(order.begin(), order.end(), 0U);
  // By number, and where it is equal in the order of the list.
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return ends[a] != ends[b] ? ends[a] > ends[b] : a < b;
  });
  std::vector<std::string> parts;
  for (const std::size_t i : order) {
    if (ends[i] == 0) break;
    parts.push_back(fmt::format("{} {} ({})", name_of(static_cast<timeline::SliceEnd>(i)),
                                grouped(ends[i]),
                                percent(static_cast<double>(ends[i]), static_cast<double>(all))));
  }
  return Paragraph{"Slices ended", fmt::format("{}.", fmt::join(parts, ", ")), false};
}

std::optional<Paragraph> user_words(const Report& report) {
  if (report.user_threads.empty()) return std::nullopt;
  std::array<std::uint64_t, timeline::user_state_count> states{};
  std::uint64_t wall = 0;
  const analysis::UserReport* worst = nullptr;
  constexpr auto hostage = static_cast<std::size_t>(timeline::UserState::hostage);
  for (const auto& user : report.user_threads) {
    wall += user.wall_ns;
    for (std::size_t i = 0; i < states.size() && i < user.state_ns.size(); ++i) {
      states[i] += user.state_ns[i];
    }
    if (user.state_ns.size() > hostage && user.state_ns[hostage] != 0 &&
        (worst == nullptr || user.state_ns[hostage] > worst->state_ns[hostage])) {
      worst = &user;
    }
  }
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (states[i] == 0) continue;
    parts.push_back(
        fmt::format("{} {}", name_of(static_cast<timeline::UserState>(i)),
                    percent(static_cast<double>(states[i]), static_cast<double>(wall))));
  }
  std::string text = fmt::format("{}", plural(report.user_threads.size(), "user thread"));
  if (!parts.empty()) text += fmt::format(": {}", fmt::join(parts, ", "));
  text += ".";
  if (worst != nullptr) {
    text += fmt::format(
        " Hostage, ready while every carrier was off the CPU: {} in all; the worst, {}, {} of its "
        "{}.",
        human_ns(states[hostage]), label(worst->who), human_ns(worst->state_ns[hostage]),
        human_ns(worst->wall_ns));
  } else {
    text += " None was ever hostage: ready while every carrier was off the CPU.";
  }
  return Paragraph{"User threads", std::move(text), false};
}

Paragraph loss_words(const Report& report) {
  std::uint64_t lost = 0;
  std::vector<std::string> causes;
  for (const auto& [cause, count] : report.lost) {
    lost += count;
    causes.push_back(fmt::format("{} {}", printable(cause), grouped(count)));
  }
  std::vector<std::string> parts;
  if (lost != 0 || !report.gaps.empty()) {
    std::uint64_t longest = 0;
    analysis::Gap largest;
    for (const analysis::Gap& gap : report.gaps) {
      longest = std::max(longest, gap.end_ns - gap.begin_ns);
      if (gap.count > largest.count) largest = gap;
    }
    std::string text =
        fmt::format("{} of {} lost", plural(lost, "record"), grouped(report.produced));
    if (!causes.empty()) text += fmt::format(" ({})", fmt::join(causes, ", "));
    if (!report.gaps.empty()) {
      text += fmt::format(" in {}, the longest {}", plural(report.gaps.size(), "gap"),
                          human_ns(longest));
    }
    if (report.gaps.size() > 1 && largest.begin_ns >= report.start_ns) {
      text += fmt::format(", {} of them at +{}", grouped(largest.count),
                          human_ns(largest.begin_ns - report.start_ns));
    }
    parts.push_back(text + ": what was open there counts as unknown");
  } else {
    parts.push_back(report.produced != 0
                        ? fmt::format("Nothing of {}", plural(report.produced, "record"))
                        : std::string("None was counted; the capture does not say how many records "
                                      "were produced"));
  }
  if (!report.skipped.empty()) {
    std::uint64_t skipped_ns = 0;
    for (const auto& [begin, end] : report.skipped) skipped_ns += end - begin;
    parts.push_back(
        fmt::format("{} of the capture were not read: where threads were then is unknown",
                    human_ns(skipped_ns)));
  }
  if (!report.complete) {
    parts.push_back(fmt::format("the capture is cut off: {}", report.damage.empty()
                                                                  ? "it was not finished"
                                                                  : printable(report.damage)));
  }
  if (report.late_records != 0) {
    parts.push_back(fmt::format("{} came late, their order is not certain",
                                plural(report.late_records, "record")));
  }
  if (report.unknown_records != 0) {
    parts.push_back(fmt::format("{} of kinds that this version does not know",
                                plural(report.unknown_records, "record")));
  }
  if (report.discontinuities != 0) {
    parts.push_back(
        fmt::format("{} not follow the one before: records are missing without having been counted",
                    report.discontinuities == 1
                        ? "one switch record that does"
                        : plural(report.discontinuities, "switch record") + " that do"));
  }
  if (report.clock_reversals != 0) {
    parts.push_back(fmt::format(
        "time went backwards between CPUs {} and was clamped",
        report.clock_reversals == 1 ? "once" : grouped(report.clock_reversals) + " times"));
  }
  const bool bad = lost != 0 || !report.gaps.empty() || !report.complete ||
                   report.late_records != 0 || report.discontinuities != 0;
  return {"Lost", fmt::format("{}.", fmt::join(parts, "; ")), bad};
}

std::string verdict(const std::optional<bool>& check, std::string_view yes, std::string_view no) {
  return std::string(!check ? std::string_view("not checked") : *check ? yes : no);
}

Paragraph conservation_words(const Report& report) {
  const std::array<std::pair<std::string_view, std::optional<bool>>, 4> checks = {
      {{"Records", report.records_conserved},
       {"thread time", report.threads_conserved},
       {"CPU time", report.cpus_conserved},
       {"user-thread time", report.user_threads_conserved}}};
  std::vector<std::string> parts;
  bool bad = false;
  for (const auto& [what, check] : checks) {
    parts.push_back(fmt::format("{}: {}", what, verdict(check, "adds up", "DOES NOT ADD UP")));
    bad = bad || (check && !*check);
  }
  return {"Conservation", fmt::format("{}.", fmt::join(parts, ", ")), bad};
}

std::string compared_words(const analysis::KernelCounts& counts) {
  if (counts.threads == 0) return "";
  std::string text = fmt::format(" (switches of {}, run time of {}",
                                 plural(counts.threads, "thread"), grouped(counts.run_times));
  if (counts.run_times_unknown != 0) {
    text +=
        fmt::format("; that of {} is not known exactly enough", grouped(counts.run_times_unknown));
  }
  return text + ")";
}

Paragraph agreement_words(const Report& report) {
  const bool both = report.bpf_module_agree.has_value();
  std::string text = fmt::format(
      "{}: {}; the kernel's own counts: {}{}.", both ? "Module against bpf" : "The module's ledger",
      verdict(both ? report.bpf_module_agree : report.ledger_agrees, "agree", "DISAGREE"),
      verdict(report.kernel_counts_agree, "agree", "DISAGREE"),
      compared_words(report.kernel_counts));
  if (const auto& second = report.second_witness; second && second->compared != 0) {
    text += fmt::format(" {} switches were compared one by one.", second->compared);
  }
  constexpr std::size_t most = 3;
  for (std::size_t i = 0; i < report.agreement_details.size() && i < most; ++i) {
    text += " " + report.agreement_details[i];
    if (!text.ends_with('.')) text += '.';
  }
  if (report.agreement_details.size() > most) {
    text += fmt::format(" And {} more.", report.agreement_details.size() - most);
  }
  const bool bad = (report.bpf_module_agree && !*report.bpf_module_agree) ||
                   (report.ledger_agrees && !*report.ledger_agrees) ||
                   (report.kernel_counts_agree && !*report.kernel_counts_agree);
  return {"Agreement", std::move(text), bad};
}

Paragraph cost_words(const Report& report) {
  std::vector<std::string> parts;
  if (report.overhead_ns_per_switch) {
    parts.push_back(
        fmt::format("{:.0f} ns in the probes a switch", *report.overhead_ns_per_switch));
  }
  if (report.overhead_cpu_percent) {
    parts.push_back(
        fmt::format("{:.2f} % of the machine's CPU time", *report.overhead_cpu_percent));
  }
  if (report.agent_core_percent) {
    parts.push_back(fmt::format("{} of it the recorder's, {:.2f} % of one CPU",
                                human_ns(report.agent_cpu_ns), *report.agent_core_percent));
  }
  if (const auto bytes = bytes_per_switch(report)) {
    parts.push_back(fmt::format("{:.1f} bytes a switch in the capture", *bytes));
  }
  if (parts.empty()) return {"Tracing cost", "Not measured in this capture.", false};
  return {"Tracing cost", fmt::format("{}.", fmt::join(parts, "; ")), false};
}

}  // namespace

std::vector<Paragraph> story(const Report& report) {
  std::vector<Paragraph> out;
  const auto add = [&](std::optional<Paragraph> paragraph) {
    if (paragraph) out.push_back(std::move(*paragraph));
  };
  add(span_words(report));
  if (!is_tally_alone(report)) {
    add(busy_words(report));
    add(wait_words(report));
    add(end_words(report));
    add(user_words(report));
    add(loss_words(report));
    add(conservation_words(report));
    add(agreement_words(report));
  }
  add(cost_words(report));
  if (!report.machine.missing.empty()) {
    std::vector<std::string> missing;
    for (const auto& sentence : report.machine.missing) missing.push_back(printable(sentence));
    add(Paragraph{"Not told by this kernel", fmt::format("{}", fmt::join(missing, " ")), false});
  }
  if (report.sleeps_passed_over != 0) {
    add(Paragraph{"Not looked at",
                  fmt::format("Of {} sleeps, {} for wake chains: too many threads wake each other.",
                              grouped(report.sleeps), grouped(report.sleeps_passed_over)),
                  false});
  }
  return out;
}

}  // namespace schedscope::report
