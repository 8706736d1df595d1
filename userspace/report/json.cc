// SPDX-License-Identifier: GPL-2.0-only
#include "report/json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/critical_path.h"
#include "report/eevdf.h"
#include "report/names.h"
#include "report/tally.h"
#include "report/stacks.h"
#include "report/story.h"

namespace schedscope::report {
namespace {

using json = nlohmann::ordered_json;

void put(json& object, const char* key, const std::string& bytes) {
  if (!bytes.empty()) object[key] = printable(bytes);
}

void put(json& object, const char* key, std::uint64_t number) {
  if (number != 0) object[key] = number;
}

template <typename T>
void put(json& object, const char* key, const std::optional<T>& value) {
  if (value) object[key] = *value;
}

json texts(const std::vector<std::string>& list) {
  json out = json::array();
  for (const auto& text : list) out.push_back(printable(text));
  return out;
}

}  // namespace

json machine_json(const capture::Machine& machine) {
  json out = json::object();
  put(out, "kernel", machine.kernel);
  put(out, "kernel_build", machine.kernel_build);
  put(out, "hostname", machine.hostname);
  put(out, "cpus", machine.cpus_online);
  put(out, "cpus_possible", machine.cpus);
  put(out, "hz", machine.hz);
  put(out, "scheduler", machine.scheduler);
  put(out, "scheduler_features", machine.sched_features);
  put(out, "base_slice_ns", machine.base_slice_ns);
  put(out, "rr_timeslice_ms", machine.rr_timeslice_ms);
  put(out, "preemption", machine.preempt_model);
  if (machine.autogroup >= 0) out["autogroup"] = machine.autogroup != 0;
  out["virtual"] = machine.virtual_machine;
  put(out, "clocksource", machine.clocksource);
  put(out, "recorder_pid", machine.recorder_pid);
  put(out, "command", machine.command);
  put(out, "filter", machine.filter);
  put(out, "trigger", machine.trigger);
  if (!machine.extras.empty()) out["extras"] = texts(machine.extras);
  if (!machine.missing.empty()) out["missing"] = texts(machine.missing);
  return out;
}

namespace {

json capture_json(const analysis::Report& report) {
  json out = json::object();
  put(out, "file", report.file);
  out["bytes"] = report.bytes;
  out["complete"] = report.complete;
  put(out, "damage", report.damage);
  out["witnesses"] = texts(report.machine.witnesses);
  out["start_ns"] = report.start_ns;
  out["end_ns"] = report.end_ns;
  out.update(machine_json(report.machine));
  return out;
}

json records_json(const analysis::Report& report) {
  json lost = json::object();
  for (const auto& [cause, count] : report.lost) lost[printable(cause)] = count;
  json gaps = json::array();
  for (const analysis::Gap& gap : report.gaps) {
    json one = {{"begin_ns", gap.begin_ns},
                {"end_ns", gap.end_ns},
                {"count", gap.count},
                {"cause", gap.cause}};
    put(one, "cpu", gap.cpu);
    gaps.push_back(std::move(one));
  }
  json skipped = json::array();
  for (const auto& [begin, end] : report.skipped)
    skipped.push_back({{"begin_ns", begin}, {"end_ns", end}});
  json out = {{"produced", report.produced},
              {"kept", report.kept},
              {"lost", std::move(lost)},
              {"switches", report.switches},
              {"gaps", std::move(gaps)},
              {"late", report.late_records},
              {"unknown_kind", report.unknown_records},
              {"clock_reversals", report.clock_reversals},
              {"discontinuities", report.discontinuities}};
  if (!report.skipped.empty()) out["skipped"] = std::move(skipped);
  return out;
}

json checks_json(const analysis::Report& report) {
  json out = json::object();
  put(out, "records", report.records_conserved);
  put(out, "threads", report.threads_conserved);
  put(out, "cpus", report.cpus_conserved);
  put(out, "user_threads", report.user_threads_conserved);
  put(out, "cgroups", report.cgroups_conserved);
  return out;
}

json agreement_json(const analysis::Report& report) {
  json out = json::object();
  put(out, "bpf_module", report.bpf_module_agree);
  put(out, "kernel_counts", report.kernel_counts_agree);
  if (const auto& counts = report.kernel_counts; counts.threads != 0) {
    out["kernel_compared"] = {{"threads", counts.threads},
                              {"run_times", counts.run_times},
                              {"run_times_short", counts.run_times_short},
                              {"run_times_unknown", counts.run_times_unknown}};
  }
  put(out, "ledger", report.ledger_agrees);
  if (report.ledger_ends != 0) {
    out["ledger_ends"] = {{"compared", report.ledger_ends}, {"other", report.ledger_other_ends}};
  }
  if (const auto& second = report.second_witness) {
    out["second_witness"] = {{"produced", second->produced},
                             {"kept", second->kept},
                             {"lost", second->lost},
                             {"compared", second->compared},
                             {"missed_by_first", second->missed_by_first},
                             {"missed_by_second", second->missed_by_second},
                             {"other_values", second->other_values},
                             {"other_ends", second->other_ends}};
  }
  out["details"] = report.agreement_details;
  return out;
}

}  // namespace

json peers_json(const std::vector<analysis::Peer>& peers) {
  json out = json::array();
  for (const auto& peer : peers) {
    json one = {{"tid", peer.tid}};
    put(one, "comm", peer.comm);
    one["count"] = peer.count;
    one["ns"] = peer.ns;
    if (peer.thread != timeline::no_index) one["index"] = peer.thread;
    out.push_back(std::move(one));
  }
  return out;
}

namespace {

json off_cpu_json(const std::vector<analysis::OffCpu>& rows) {
  json out = json::array();
  for (const auto& row : rows) {
    json one = json::object();
    if (row.others) {
      one["others"] = true;
    } else {
      one["state"] = name_of(row.state);
      put(one, "syscall", syscall_label(row.syscall));
      if (row.syscall.number != timeline::Syscall::none) one["syscall_nr"] = row.syscall.number;
      one["waker"] = name_of(row.waker);
    }
    one["count"] = row.count;
    one["ns"] = row.ns;
    one["max_ns"] = row.max_ns;
    out.push_back(std::move(one));
  }
  return out;
}

json futex_json(const analysis::Report& report, const analysis::FutexReport& futex) {
  json out = {{"pid", futex.pid}};
  if (futex.word != 0) out["word"] = futex.word;
  out["waits"] = futex.waits;
  out["ns"] = futex.ns;
  out["max_ns"] = futex.max_ns;
  out["owned_ns"] = futex.owned_ns;
  out["owners"] = json::array();
  for (const auto& owner : futex.owners) {
    json one = {{"index", owner.thread}};
    if (const auto* thread = report.find(owner.thread)) {
      one["tid"] = thread->who.tid;
      put(one, "comm", thread->who.comm);
    }
    one["waits"] = owner.waits;
    one["ns"] = owner.ns;
    for (std::size_t i = 0; i < timeline::state_count; ++i) {
      one[fmt::format("{}_ns", name_of(static_cast<timeline::State>(i)))] = owner.state_ns[i];
    }
    out["owners"].push_back(std::move(one));
  }
  return out;
}

// Without the empty buckets behind the last used one.
json histogram_json(analysis::Histogram buckets) {
  while (!buckets.empty() && buckets.back() == 0) buckets.pop_back();
  return buckets;
}

json against_nominal_json(const analysis::AgainstNominal& slices) {
  return {{"all", slices.all}, {"expired", slices.expired}};
}

json policy_json(const analysis::PolicyReport& policy) {
  json out = {{"policy", policy_name(policy.policy)},
              {"threads", policy.threads},
              {"slices", policy.slices},
              {"ns", policy.ns}};
  if (policy.nominal_max_ns == 0) return out;
  out["nominal_min_ns"] = policy.nominal_min_ns;
  out["nominal_max_ns"] = policy.nominal_max_ns;
  out["against_nominal"] = against_nominal_json(policy.against_nominal);
  return out;
}

json identity_json(const analysis::ThreadReport& thread) {
  const timeline::Thread& who = thread.who;
  json out = {{"tid", who.tid}};
  put(out, "pid", who.pid);
  put(out, "ppid", who.ppid);
  put(out, "comm", who.comm);
  // A switch says the policy, only a task record says the rest.
  if (who.identified || thread.slices != 0) {
    out["policy"] = policy_name(who.policy);
    out["prio"] = who.prio;
  }
  if (who.identified) {
    out["nice"] = who.nice;
    out["kernel_thread"] = who.kernel_thread;
  }
  put(out, "cgroup_id", who.cgroup_id);
  if (who.ns_tid != 0) {
    out["namespace"] = {{"id", who.ns_id}, {"tid", who.ns_tid}, {"pid", who.ns_pid}};
  }
  put(out, "kernel_start_ns", who.start_ns);
  out["index"] = who.index;
  out["born_ns"] = who.born_ns;
  out["gone_ns"] = who.gone_ns;
  out["exited"] = who.exited;
  if (who.partial) out["partial"] = true;
  return out;
}

json ends_json(const std::vector<std::uint64_t>& counts) {
  json out = json::object();
  for (std::size_t i = 0; i < counts.size() && i < timeline::slice_end_count; ++i) {
    out[std::string(name_of(static_cast<timeline::SliceEnd>(i)))] = counts[i];
  }
  return out;
}

void put_interrupts(json& out, const std::optional<analysis::InterruptReport>& interrupts) {
  if (!interrupts) return;
  out["irq_ns"] = interrupts->irq_ns;
  out["softirq_ns"] = interrupts->softirq_ns;
  out["irqs"] = interrupts->irqs;
  out["softirqs"] = interrupts->softirqs;
  out["interrupts_unknown_ns"] = interrupts->unknown_ns;
}

json thread_json(const analysis::Report& report, const StackIndex& stacks,
                 const analysis::ThreadReport& thread) {
  json out = identity_json(thread);
  out["run_ns"] = thread.run_ns;
  out["wait_ns"] = thread.wait_ns;
  out["sleep_ns"] = thread.sleep_ns;
  out["block_ns"] = thread.block_ns;
  out["unknown_ns"] = thread.unknown_ns;
  out["wall_ns"] = thread.wall_ns;
  out["slices"] = thread.slices;
  put(out, "nominal_slice_ns", thread.who.slice_ns);
  if (thread.against_nominal.any()) {
    out["against_nominal"] = against_nominal_json(thread.against_nominal);
  }
  put_interrupts(out, thread.interrupts);
  if (thread.eevdf) out["eevdf"] = eevdf_json(*thread.eevdf);
  out["ends"] = ends_json(thread.ends);
  out["wait_p50_ns"] = thread.wait_p50_ns;
  out["wait_p99_ns"] = thread.wait_p99_ns;
  out["wait_max_ns"] = thread.wait_max_ns;
  put(out, "wait_max_at_ns", thread.wait_max_at_ns);
  out["slice_max_ns"] = thread.slice_max_ns;
  put(out, "slice_max_at_ns", thread.slice_max_at_ns);
  out["migrations"] = thread.migrations;
  out["wakeups"] = thread.wakeups;
  out["preempted_by"] = peers_json(thread.preempted_by);
  out["waited_behind"] = peers_json(thread.waited_behind);
  out["waited_behind_unknown_ns"] = thread.waited_behind_unknown_ns;
  out["woken_by"] = peers_json(thread.woken_by);
  out["off_cpu"] = off_cpu_json(thread.off_cpu);
  if (report.stacks) {
    out["off_cpu_stacks"] = off_cpu_stacks_json(*report.stacks, stacks, thread.off_cpu_stacks);
  }
  out["slice_hist"] = histogram_json(thread.slice_hist);
  out["wait_hist"] = histogram_json(thread.wait_hist);
  if (thread.judge) {
    out["judge"] = {{"kernel_switches", thread.judge->kernel_switches},
                    {"recorded_switches", thread.judge->recorded_switches},
                    {"kernel_run_ns", thread.judge->kernel_run_ns},
                    {"recorded_run_ns", thread.judge->recorded_run_ns},
                    {"clock_ns", thread.judge->clock_ns},
                    {"within_ns", thread.judge->within_ns}};
  }
  if (thread.module) {
    out["module"] = {{"module_slices", thread.module->module_slices},
                     {"recorded_slices", thread.module->recorded_slices}};
    put(out["module"], "slice_max_ns", thread.module->slice_max_ns);
    put(out["module"], "wait_max_ns", thread.module->wait_max_ns);
    if (!thread.module->module_ends.empty()) {
      out["module"]["module_ends"] = ends_json(thread.module->module_ends);
      out["module"]["recorded_ends"] = ends_json(thread.module->recorded_ends);
    }
  }
  return out;
}

json cpu_json(const analysis::CpuReport& cpu) {
  json out = {{"cpu", cpu.cpu},       {"run_ns", cpu.run_ns},         {"idle_ns", cpu.idle_ns},
              {"off_ns", cpu.off_ns}, {"unknown_ns", cpu.unknown_ns}, {"switches", cpu.switches}};
  put_interrupts(out, cpu.interrupts);
  if (cpu.interrupts) {
    out["idle_irq_ns"] = cpu.idle_irq_ns;
    out["idle_softirq_ns"] = cpu.idle_softirq_ns;
  }
  return out;
}

json cgroup_json(const analysis::CgroupReport& cgroup) {
  json out = json::object();
  put(out, "cgroup_id", cgroup.id);
  put(out, "path", cgroup.path);
  out["threads"] = cgroup.threads;
  out["run_ns"] = cgroup.run_ns;
  out["wait_ns"] = cgroup.wait_ns;
  out["sleep_ns"] = cgroup.sleep_ns;
  out["block_ns"] = cgroup.block_ns;
  out["unknown_ns"] = cgroup.unknown_ns;
  return out;
}

json user_json(const analysis::UserReport& user) {
  json out = {{"id", user.who.id}};
  put(out, "name", user.who.name);
  put(out, "runtime", user.who.runtime);
  out["pid"] = user.who.pid;
  out["level"] = "told";
  for (std::size_t i = 0; i < timeline::user_state_count; ++i) {
    const auto key = fmt::format("{}_ns", name_of(static_cast<timeline::UserState>(i)));
    out[key] = i < user.state_ns.size() ? user.state_ns[i] : 0;
  }
  out["wall_ns"] = user.wall_ns;
  out["switches"] = user.switches;
  out["index"] = user.who.index;
  out["born_ns"] = user.who.born_ns;
  out["gone_ns"] = user.who.gone_ns;
  out["ended"] = user.who.ended;
  return out;
}

const char* severity_name(analysis::Severity severity) {
  switch (severity) {
    case analysis::Severity::info:
      return "info";
    case analysis::Severity::notice:
      return "notice";
    case analysis::Severity::warning:
      return "warning";
  }
  return "info";
}

json finding_json(const analysis::Report& report, const analysis::Finding& finding) {
  json out = {{"kind", finding.kind},
              {"text", finding.text},
              {"severity", severity_name(finding.severity)}};
  if (finding.thread) {
    for (const auto& thread : report.threads) {
      if (thread.who.index == *finding.thread) out["thread"] = thread.who.tid;
    }
    out["thread_index"] = *finding.thread;
  }
  if (finding.user_thread) {
    for (const auto& user : report.user_threads) {
      if (user.who.index == *finding.user_thread) out["user_thread"] = user.who.id;
    }
    out["user_thread_index"] = *finding.user_thread;
  }
  put(out, "cpu", finding.cpu);
  put(out, "at_ns", finding.at_ns);
  put(out, "for_ns", finding.for_ns);
  return out;
}

}  // namespace

std::string json_report(const analysis::Report& report, std::size_t most_segments) {
  json out = {{"schema", 1},
              {"capture", capture_json(report)},
              {"records", records_json(report)},
              {"conservation", checks_json(report)},
              {"agreement", agreement_json(report)}};
  json overhead = json::object();
  put(overhead, "ns_per_switch", report.overhead_ns_per_switch);
  put(overhead, "cpu_percent", report.overhead_cpu_percent);
  put(overhead, "agent_cpu_ns", report.agent_cpu_ns);
  put(overhead, "agent_core_percent", report.agent_core_percent);
  put(overhead, "bytes_per_switch", bytes_per_switch(report));
  if (!overhead.empty()) out["overhead"] = std::move(overhead);
  out["syscalls_known"] = report.syscalls_known;
  out["threads"] = json::array();
  const StackIndex stacks = stack_index(report);
  for (const auto& thread : report.threads) {
    out["threads"].push_back(thread_json(report, stacks, thread));
  }
  out["policies"] = json::array();
  for (const auto& policy : report.policies) out["policies"].push_back(policy_json(policy));
  out["cpus"] = json::array();
  for (const auto& cpu : report.cpus) out["cpus"].push_back(cpu_json(cpu));
  if (!report.cgroups.empty()) {
    out["cgroups"] = json::array();
    for (const auto& cgroup : report.cgroups) out["cgroups"].push_back(cgroup_json(cgroup));
    out["cgroup_moves_missed"] = report.cgroup_moves_missed;
  }
  out["user_threads"] = json::array();
  for (const auto& user : report.user_threads) out["user_threads"].push_back(user_json(user));
  if (report.stacks) out["stacks"] = stacks_json(*report.stacks, stacks);
  if (report.futex_ns != 0) {
    out["futex_ns"] = report.futex_ns;
    out["futexes"] = json::array();
    for (const auto& futex : report.futexes) out["futexes"].push_back(futex_json(report, futex));
  }
  if (report.tallies) out["tally"] = tally_json(*report.tallies);
  out["findings"] = json::array();
  for (const auto& finding : report.findings) {
    out["findings"].push_back(finding_json(report, finding));
  }
  if (report.sleeps_passed_over != 0) {
    out["wake_chains"] = {{"sleeps", report.sleeps}, {"passed_over", report.sleeps_passed_over}};
  }
  if (report.critical_path && *report.critical_path) {
    out["critical_path"] = critical_path_json(report, **report.critical_path, most_segments);
  }
  out["story"] = json::array();
  for (const auto& paragraph : story(report)) {
    out["story"].push_back(
        {{"heading", paragraph.heading}, {"text", paragraph.text}, {"bad", paragraph.bad}});
  }
  // Sentences from the analysis are printable already; should one not be, the report is still JSON.
  return out.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace schedscope::report
