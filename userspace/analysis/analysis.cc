// SPDX-License-Identifier: GPL-2.0-only
#include "analysis/analysis.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "analysis/pass.h"

namespace schedscope::analysis {
namespace {

// The analyses that take one kind of call.
struct Takers {
  std::vector<Pass*> clipped, whole;

  void add(Pass& pass) { (pass.wants_whole_capture() ? whole : clipped).push_back(&pass); }
};

// Hands one timeline's findings to the analyses that take them, cut to the reported span.
class Fan final : public timeline::Sink {
 public:
  Fan(const Setup& setup, const std::vector<std::unique_ptr<Pass>>& passes) : setup_(setup) {
    for (const auto& pass : passes) add(*pass);
  }

  void slice(const timeline::Slice& slice) override {
    for (Pass* pass : slices_.whole) pass->slice(slice);
    if (inside(slice)) {
      for (Pass* pass : slices_.clipped) pass->slice(slice);
      return;
    }
    if (outside(slice)) return;
    timeline::Slice part = slice;
    clip(part);
    if (part.end_cut) part.end = timeline::SliceEnd::unknown;
    // Where in it the interrupts were is not told.
    if (part.interrupts.any()) part.interrupts = {.unknown_ns = part.end_ns - part.begin_ns};
    for (Pass* pass : slices_.clipped) pass->slice(part);
  }

  void span(const timeline::Span& span) override {
    const Takers& takers = spans_[static_cast<std::size_t>(span.state)];
    for (Pass* pass : takers.whole) pass->span(span);
    if (inside(span)) {
      for (Pass* pass : takers.clipped) pass->span(span);
      return;
    }
    if (outside(span)) return;
    timeline::Span part = span;
    clip(part);
    for (Pass* pass : takers.clipped) pass->span(part);
  }

  void cpu_span(const timeline::CpuSpan& span) override {
    for (Pass* pass : cpu_spans_.whole) pass->cpu_span(span);
    if (outside(span)) return;
    timeline::CpuSpan part = span;
    part.begin_ns = setup_.clip(part.begin_ns);
    part.end_ns = setup_.clip(part.end_ns);
    for (Pass* pass : cpu_spans_.clipped) pass->cpu_span(part);
  }

  void futex_wait(timeline::ThreadIndex thread, const timeline::Futex& futex,
                  std::uint64_t at_ns) override {
    for (Pass* pass : futexes_) pass->futex_wait(thread, futex, at_ns);
  }
  void futex_woken(timeline::ThreadIndex thread, std::uint64_t at_ns) override {
    for (Pass* pass : futexes_) pass->futex_woken(thread, at_ns);
  }

  [[nodiscard]] bool wants_user_spans() const override { return wants_user_spans_; }
  void user_span(const timeline::UserSpan& span) override {
    for (Pass* pass : user_spans_.whole) pass->user_span(span);
    if (outside(span)) return;
    timeline::UserSpan part = span;
    part.begin_ns = setup_.clip(part.begin_ns);
    part.end_ns = setup_.clip(part.end_ns);
    for (Pass* pass : user_spans_.clipped) pass->user_span(part);
  }

  void hostages(const timeline::HostageSpan& span) override {
    for (Pass* pass : hostages_.whole) pass->hostages(span);
    // Its sum cannot be cut: it counts when it began in the reported span.
    if (span.begin_ns < setup_.from_ns || span.begin_ns >= setup_.to_ns) return;
    for (Pass* pass : hostages_.clipped) pass->hostages(span);
  }

  void user_switch(timeline::UserIndex user, std::uint64_t at_ns) override {
    for (Pass* pass : user_switches_) pass->user_switch(user, at_ns);
  }

  void in_cgroup(timeline::ThreadIndex thread, std::uint64_t cgroup_id, std::uint64_t from_ns,
                 bool told) override {
    for (Pass* pass : cgroups_) pass->in_cgroup(thread, cgroup_id, from_ns, told);
  }

  void record(RecordView record) override {
    if (record.kind() >= records_.size()) return;
    counts_.add(record);
    for (Pass* pass : records_[record.kind()]) pass->record(record);
  }
  void second_record(RecordView record) override {
    for (Pass* pass : second_records_) pass->second_record(record);
  }

  [[nodiscard]] const RecordCounts& counts() const { return counts_; }

 private:
  void add(Pass& pass) {
    const Takes& takes = pass.takes();
    if (takes.slice) slices_.add(pass);
    for (std::size_t state = 0; takes.span && state < spans_.size(); ++state) {
      if ((pass.wants_spans() >> state & 1) != 0) spans_[state].add(pass);
    }
    if (takes.cpu_span) cpu_spans_.add(pass);
    if (takes.futex) futexes_.push_back(&pass);
    if (takes.user_span) user_spans_.add(pass);
    if (takes.hostages) hostages_.add(pass);
    if (takes.user_switch) user_switches_.push_back(&pass);
    if (takes.in_cgroup) cgroups_.push_back(&pass);
    for (std::size_t kind = 0; kind < records_.size(); ++kind) {
      if ((pass.wants_records() >> kind & 1) != 0) records_[kind].push_back(&pass);
    }
    if (pass.wants_records() != 0) second_records_.push_back(&pass);
    wants_user_spans_ = wants_user_spans_ || pass.wants_user_spans();
  }

  template <typename T>
  [[nodiscard]] bool inside(const T& stretch) const {
    return stretch.begin_ns >= setup_.from_ns && stretch.end_ns <= setup_.to_ns;
  }
  template <typename T>
  [[nodiscard]] bool outside(const T& stretch) const {
    if (stretch.end_ns < setup_.from_ns || stretch.begin_ns > setup_.to_ns) return true;
    return !inside(stretch) &&
           (stretch.end_ns == setup_.from_ns || stretch.begin_ns == setup_.to_ns);
  }
  template <typename T>
  void clip(T& stretch) const {
    stretch.begin_cut = stretch.begin_cut || stretch.begin_ns < setup_.from_ns;
    stretch.end_cut = stretch.end_cut || stretch.end_ns > setup_.to_ns;
    stretch.begin_ns = setup_.clip(stretch.begin_ns);
    stretch.end_ns = setup_.clip(stretch.end_ns);
  }

  const Setup& setup_;
  RecordCounts counts_;
  bool wants_user_spans_ = false;
  Takers slices_, cpu_spans_, user_spans_, hostages_;
  std::array<Takers, timeline::state_count> spans_;
  std::vector<Pass*> futexes_, user_switches_, cgroups_, second_records_;
  std::array<std::vector<Pass*>, SCHEDSCOPE_REC_MAX + 1> records_;
};

Setup make_setup(const capture::Machine& machine, Window window, std::string path_of) {
  Setup setup{.machine = machine, .start_ns = machine.start_ns, .path_of = std::move(path_of)};
  setup.from_ns = std::max(window.from_ns, machine.start_ns);
  setup.to_ns = window.to_ns == 0 ? ~0ULL : std::max(window.to_ns, setup.from_ns);
  setup.whole = setup.from_ns == machine.start_ns && window.to_ns == 0;
  return setup;
}

// Of a selection only what selected threads took part in was recorded: of everybody else, and
// of the CPUs, too little for times of their own.
void leave_out_bystanders(Report& report) {
  std::erase_if(report.threads, [](const ThreadReport& thread) { return thread.who.bystander; });
  report.cpus.clear();
  report.cpus_conserved.reset();
}

}  // namespace

struct Analysis::State {
  State(const capture::Machine& of, Window window, std::span<timeline::Sink* const> extra,
        std::string path_of)
      : machine(of),
        setup(make_setup(machine, window, std::move(path_of))),
        passes(make_passes(setup)),
        fan(setup, passes),
        timeline(machine.start_ns, machine.cpus, with_fan(extra),
                 machine.filter.empty() ? timeline::Timeline::Scope::whole_machine
                                        : timeline::Timeline::Scope::selected) {
    setup.timeline = &timeline;
    setup.records = &fan.counts();
  }

  std::vector<timeline::Sink*> with_fan(std::span<timeline::Sink* const> extra) {
    std::vector<timeline::Sink*> sinks = {&fan};
    sinks.insert(sinks.end(), extra.begin(), extra.end());
    return sinks;
  }

  Report finish(std::uint64_t end_ns);

  capture::Machine machine;
  Setup setup;
  std::vector<std::unique_ptr<Pass>> passes;
  Fan fan;
  timeline::Timeline timeline;
};

Report Analysis::State::finish(std::uint64_t end_ns) {
  timeline.finish(end_ns);
  setup.end_ns = std::max(end_ns, timeline.end_ns());
  setup.to_ns = std::min(setup.to_ns, setup.end_ns);
  setup.from_ns = std::min(setup.from_ns, setup.to_ns);

  Report report;
  report.machine = machine;
  report.start_ns = setup.from_ns;
  report.end_ns = setup.to_ns;
  report.clock_reversals = timeline.clock_reversals();
  report.discontinuities = timeline.discontinuities();
  report.threads.resize(timeline.threads().size());
  for (const timeline::Thread& thread : timeline.threads()) {
    report.threads[thread.index].who = thread;
  }
  report.user_threads.resize(timeline.user_threads().size());
  for (const timeline::UserThread& user : timeline.user_threads()) {
    report.user_threads[user.index].who = user;
  }
  for (const auto& pass : passes) pass->finish(report);

  const auto never_there = [](const auto& entry) {
    return entry.wall_ns == 0 && entry.who.born_ns != entry.who.gone_ns;
  };
  std::erase_if(report.threads, never_there);
  if (!machine.filter.empty()) leave_out_bystanders(report);
  std::erase_if(report.user_threads, never_there);
  std::sort(report.threads.begin(), report.threads.end(), [](const auto& a, const auto& b) {
    return a.run_ns != b.run_ns ? a.run_ns > b.run_ns : a.who.index < b.who.index;
  });
  return report;
}

Analysis::Analysis(const capture::Machine& machine, Window window,
                   std::span<timeline::Sink* const> extra, std::string path_of)
    : state_(std::make_unique<State>(machine, window, extra, std::move(path_of))) {}
Analysis::Analysis(Analysis&&) noexcept = default;
Analysis::~Analysis() = default;

void Analysis::add(RecordView record) {
  state_->timeline.add(record);
}
Report Analysis::finish(std::uint64_t end_ns) {
  return state_->finish(end_ns);
}
const timeline::Timeline& Analysis::timeline() const {
  return state_->timeline;
}

}  // namespace schedscope::analysis
