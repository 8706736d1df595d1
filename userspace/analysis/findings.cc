// SPDX-License-Identifier: GPL-2.0-only
//
// What a reader should look at first, in sentences: few, the costliest first.
#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "analysis/passes.h"
#include "base/text.h"

namespace schedscope::analysis {
namespace {

constexpr std::size_t most_of_a_kind = 5;
constexpr std::uint64_t long_wait_ns = 50'000'000;
constexpr std::uint64_t very_long_wait_ns = 500'000'000;
constexpr std::uint64_t least_hostage_ns = 1'000'000;
constexpr std::uint64_t least_contended_ns = 100'000'000;
constexpr std::uint64_t least_interrupted_ns = 10'000'000;
constexpr std::uint64_t least_interrupted_part = 20;  // of run time

std::string name_of(const timeline::Thread& thread) {
  const std::string comm = printable(thread.comm);
  return comm.empty() ? fmt::format("thread {}", thread.tid)
                      : fmt::format("{} ({})", comm, thread.tid);
}

std::string name_of(const timeline::UserThread& user) {
  const std::string name = printable(user.name);
  return name.empty() ? fmt::format("user thread {:#x}", user.id) : "user thread " + name;
}

std::string times(std::uint64_t count) {
  return count == 1 ? "once" : fmt::format("{} times", count);
}

// The more severe first, then the costlier; the rest makes the order the same each time.
bool costlier(const Finding& a, const Finding& b) {
  if (a.severity != b.severity) return a.severity > b.severity;
  if (a.for_ns != b.for_ns) return a.for_ns > b.for_ns;
  return std::tie(a.at_ns, a.text) < std::tie(b.at_ns, b.text);
}

// The first `most_of_a_kind` by cost are kept.
void keep_costliest(std::vector<Finding>& found) {
  std::sort(found.begin(), found.end(), costlier);
  if (found.size() > most_of_a_kind) found.resize(most_of_a_kind);
}

class Findings final : public Pass {
 public:
  using Pass::Pass;

  void hostages(const timeline::HostageSpan& span) override {
    ++hostage_spans_;
    // A carrier that the kernel preempted holds up all that are ready as well; what its user
    // thread did is then no cause, and the waits of the carrier tell it.
    if (span.why == timeline::State::wait || span.total_ns < least_hostage_ns) return;
    longest_.push_back(span);
    if (longest_.size() < 8 * most_of_a_kind) return;
    keep_longest();
  }

  void finish(Report& report) override;

 private:
  void keep_longest() {
    std::sort(longest_.begin(), longest_.end(), [](const auto& a, const auto& b) {
      return a.total_ns != b.total_ns ? a.total_ns > b.total_ns : a.begin_ns < b.begin_ns;
    });
    if (longest_.size() > most_of_a_kind) longest_.resize(most_of_a_kind);
  }

  void trust(Report& report) const;
  void hostage_time(Report& report);
  void hostage_spans(Report& report);
  static void long_waits(Report& report);
  static void contention(Report& report);
  static void throttling(Report& report);
  static void interrupted(Report& report);

  std::uint64_t hostage_spans_ = 0;
  std::vector<timeline::HostageSpan> longest_;
};

// Whether the rest of the report can be relied on.
void Findings::trust(Report& report) const {
  const auto warn = [&](std::string kind, std::string text, std::uint64_t for_ns = 0) {
    report.findings.push_back({.kind = std::move(kind),
                               .text = std::move(text),
                               .severity = Severity::warning,
                               .for_ns = for_ns});
  };
  std::uint64_t lost = 0;
  for (const auto& [cause, count] : report.lost) lost += count;
  if (lost != 0 || !report.gaps.empty()) {
    std::uint64_t covered = 0, until = 0;
    for (const Gap& gap : report.gaps) {
      const std::uint64_t from = std::max(until, gap.begin_ns);
      if (gap.end_ns > from) covered += gap.end_ns - from;
      until = std::max(until, gap.end_ns);
    }
    std::string where =
        report.gaps.empty()
            ? "when is not known"
            : fmt::format("in {} gaps, {} together; what was open in them ends as unknown",
                          report.gaps.size(), human_ns(covered));
    warn("lost", fmt::format("{} of {} records were lost: {}.", lost, report.produced, where),
         covered);
  }
  if (report.records_conserved == false) {
    warn("conservation", "The records that were kept and lost do not add up to those produced.");
  }
  if (report.threads_conserved == false || report.cpus_conserved == false ||
      report.user_threads_conserved == false) {
    warn("conservation", "Times do not add up to wall time: an error in this program.");
  }
  if (report.discontinuities != 0 && report.gaps.empty()) {
    warn("discontinuity",
         fmt::format("{} the one before: records are missing that nobody counted.",
                     report.discontinuities == 1
                         ? "One switch does not follow"
                         : fmt::format("{} switches do not follow", report.discontinuities)));
  }
  if (report.bpf_module_agree == false) {
    warn("disagreement", "The module and BPF do not agree on every switch.");
  } else if (report.ledger_agrees == false) {
    warn("disagreement", "The module's ledger and the records do not agree on every thread.");
  }
  if (report.kernel_counts_agree == false) {
    warn("disagreement", "The kernel's counters and the records do not agree on every thread.");
  }
}

void Findings::hostage_time(Report& report) {
  std::uint64_t total = 0, held = 0;
  for (const UserReport& user : report.user_threads) {
    const std::uint64_t ns = user.state_ns[static_cast<std::size_t>(timeline::UserState::hostage)];
    total += ns;
    held += ns != 0 ? 1 : 0;
  }
  if (total < least_hostage_ns) return;
  report.findings.push_back(
      {.kind = "hostage",
       .text =
           fmt::format("{} user threads were ready for {} together, but no carrier that could run "
                       "them was on a CPU ({}).",
                       held, human_ns(total), times(hostage_spans_)),
       .severity = Severity::notice,
       .for_ns = total});
}

// The single worst stretches, with who caused them.
void Findings::hostage_spans(Report& report) {
  keep_longest();
  for (const timeline::HostageSpan& span : longest_) {
    Finding finding{.kind = "hostage",
                    .severity = Severity::warning,
                    .at_ns = span.begin_ns,
                    .for_ns = span.total_ns};
    const std::string length = human_ns(span.end_ns - span.begin_ns);
    const std::string others =
        fmt::format("{} ready user thread{} could not run, {} together", span.hostages,
                    span.hostages == 1 ? "" : "s", human_ns(span.total_ns));
    const std::string carrier = span.carrier < report.threads.size()
                                    ? name_of(report.threads[span.carrier].who)
                                    : std::string("(unknown)");
    if (span.user < report.user_threads.size()) {
      finding.user_thread = span.user;
      finding.text =
          fmt::format("A call of {} kept its carrier {} off the CPU for {}: {}.",
                      name_of(report.user_threads[span.user].who), carrier, length, others);
    } else {
      finding.text = fmt::format("The carrier {} slept for {} with work in its run queue: {}.",
                                 carrier, length, others);
    }
    if (span.carrier < report.threads.size()) finding.thread = span.carrier;
    report.findings.push_back(std::move(finding));
  }
}

void Findings::long_waits(Report& report) {
  std::vector<Finding> found;
  for (const ThreadReport& t : report.threads) {
    if (t.wait_max_ns < long_wait_ns || t.who.bystander) continue;
    std::string behind;
    if (!t.preempted_by.empty()) {
      behind = fmt::format("; most of its waits came after {} took its CPU",
                           t.preempted_by.front().tid != 0
                               ? fmt::format("{} ({})", printable(t.preempted_by.front().comm),
                                             t.preempted_by.front().tid)
                               : t.preempted_by.front().comm);
    }
    found.push_back(
        {.kind = "long-wait",
         .text = fmt::format("{} was ready and waited {} for a CPU{}.", name_of(t.who),
                             human_ns(t.wait_max_ns), behind),
         .severity = t.wait_max_ns < very_long_wait_ns ? Severity::notice : Severity::warning,
         .thread = t.who.index,
         .at_ns = t.wait_max_at_ns,
         .for_ns = t.wait_max_ns});
  }
  keep_costliest(found);
  std::move(found.begin(), found.end(), std::back_inserter(report.findings));
}

// Threads that wanted to run and could not for a large part of it.
void Findings::contention(Report& report) {
  std::vector<Finding> found;
  for (const ThreadReport& t : report.threads) {
    if (t.wait_ns < least_contended_ns || t.wait_ns * 4 < t.run_ns || t.who.bystander) continue;
    const auto percent = 100 * t.wait_ns / (t.run_ns + t.wait_ns);
    std::string by;
    if (!t.preempted_by.empty()) {
      const Peer& first = t.preempted_by.front();
      by = fmt::format(
          "; {} took its CPU {}, which cost it {}",
          first.tid != 0 ? fmt::format("{} ({})", printable(first.comm), first.tid) : first.comm,
          times(first.count), human_ns(first.ns));
    }
    found.push_back({.kind = "contention",
                     .text = fmt::format("{} waited {} of the {} in which it could run ({} %){}.",
                                         name_of(t.who), human_ns(t.wait_ns),
                                         human_ns(t.run_ns + t.wait_ns), percent, by),
                     .severity = Severity::notice,
                     .thread = t.who.index,
                     .for_ns = t.wait_ns});
  }
  keep_costliest(found);
  std::move(found.begin(), found.end(), std::back_inserter(report.findings));
}

void Findings::throttling(Report& report) {
  std::vector<Finding> found;
  for (const ThreadReport& t : report.threads) {
    const std::uint64_t cuts = t.ends[static_cast<std::size_t>(timeline::SliceEnd::throttled)];
    if (cuts < 2 || t.who.bystander) continue;
    found.push_back(
        {.kind = "throttled",
         .text = fmt::format("{} was cut off {} times because its quota or its real-time "
                             "budget was used up; it waited {} in all.",
                             name_of(t.who), cuts, human_ns(t.wait_ns)),
         .severity = Severity::notice,
         .thread = t.who.index,
         .for_ns = t.wait_ns});
  }
  keep_costliest(found);
  std::move(found.begin(), found.end(), std::back_inserter(report.findings));
}

// Threads whose CPU time went to interrupts for a notable part.
void Findings::interrupted(Report& report) {
  std::vector<Finding> found;
  for (const ThreadReport& t : report.threads) {
    if (!t.interrupts || t.who.bystander) continue;
    const std::uint64_t taken_ns = t.interrupts->irq_ns + t.interrupts->softirq_ns;
    if (taken_ns < least_interrupted_ns || taken_ns * least_interrupted_part < t.run_ns) continue;
    found.push_back(
        {.kind = "interrupts",
         .text = fmt::format(
             "Of the {} that {} was on a CPU, interrupts took at least {} ({} %): {} in {} "
             "hard ones, {} in {} softirqs.",
             human_ns(t.run_ns), name_of(t.who), human_ns(taken_ns), 100 * taken_ns / t.run_ns,
             human_ns(t.interrupts->irq_ns), t.interrupts->irqs, human_ns(t.interrupts->softirq_ns),
             t.interrupts->softirqs),
         .severity = Severity::notice,
         .thread = t.who.index,
         .for_ns = taken_ns});
  }
  keep_costliest(found);
  std::move(found.begin(), found.end(), std::back_inserter(report.findings));
}

void Findings::finish(Report& report) {
  trust(report);
  hostage_time(report);
  hostage_spans(report);
  long_waits(report);
  contention(report);
  throttling(report);
  interrupted(report);
  std::sort(report.findings.begin(), report.findings.end(), costlier);
}

}  // namespace

std::unique_ptr<Pass> make_findings(const Setup& setup) {
  return Pass::make<Findings>(setup);
}

}  // namespace schedscope::analysis
