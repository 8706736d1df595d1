// SPDX-License-Identifier: GPL-2.0-only
#include "collect/interrupt_sums.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>
#include <cerrno>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bpf/record.skel.h"

namespace schedscope::collect {
namespace {

// Layout shared with bpf/interrupts.bpf.h, which no C++ compiler can include.
struct alignas(128) InterruptState {
  std::uint64_t hard_ns, soft_ns, hard_begin_ns, soft_begin_ns, since_ns;
  std::uint32_t hard_count, soft_count, hard_depth, in_soft, tid, unused;
};
static_assert(sizeof(InterruptState) == 128);

// Those that a machine is not itself without.
constexpr std::array<std::string_view, 5> common_vectors = {
    "local_timer", "reschedule", "call_function", "call_function_single", "irq_work"};

bool is_hard(std::string_view program) {
  return program.starts_with("hard_begins_") || program.starts_with("hard_ends_");
}
bool is_soft(std::string_view program) {
  return program == "soft_begins" || program == "soft_ends";
}

}  // namespace

std::vector<std::string> InterruptSums::choose_programs(record_bpf& skeleton,
                                                        const KernelBtf& btf) {
  // Only kernels that run softirqs in threads count how deep a thread has disabled them.
  const bool soft_in_threads = btf.has_field("task_struct", "softirq_disable_cnt");
  skeleton.rodata->interrupts_wanted = true;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton.obj) {
    const std::string_view name = bpf_program__name(program);
    if (!is_hard(name) && (!is_soft(name) || soft_in_threads)) continue;
    std::string_view tracepoint = bpf_program__section_name(program);
    tracepoint.remove_prefix(tracepoint.find('/') + 1);
    bpf_program__set_autoload(program, btf.has_tracepoint(tracepoint));
  }

  std::vector<std::string> missing;
  if (soft_in_threads) {
    missing.emplace_back(
        "softirqs run in threads on PREEMPT_RT: they are those threads' own running, and none is "
        "counted as taken");
  }
  std::vector<std::string_view> untold;
  for (const auto vector : common_vectors) {
    if (!btf.has_tracepoint(fmt::format("{}_entry", vector))) untold.push_back(vector);
  }
  if (!untold.empty()) {
    missing.push_back(
        fmt::format("no tracepoint of these interrupts, whose time is not counted: {}",
                    fmt::join(untold, ", ")));
  }
  return missing;
}

Result<void> InterruptSums::begin(std::uint64_t now_ns) const {
  InterruptState fresh{};
  fresh.since_ns = now_ns;
  fresh.tid = SCHEDSCOPE_TID_NONE;
  const int map = bpf_map__fd(skeleton_.maps.interrupt_states);
  for (std::uint32_t cpu = 0; cpu < cpus_; ++cpu) {
    if (bpf_map_update_elem(map, &cpu, &fresh, BPF_ANY) != 0) {
      return fail_errno("begin to sum interrupts");
    }
  }
  return {};
}

void InterruptSums::rest(std::uint64_t stopped_ns,
                         const std::function<void(RecordView)>& take) const {
  const int map = bpf_map__fd(skeleton_.maps.interrupt_states);
  for (std::uint32_t cpu = 0; cpu < cpus_; ++cpu) {
    InterruptState state{};
    if (bpf_map_lookup_elem(map, &cpu, &state) != 0 || state.since_ns > stopped_ns) continue;
    auto record = make_record<schedscope_interrupts>(
        SCHEDSCOPE_REC_INTERRUPTS, stopped_ns, SCHEDSCOPE_CPU_NONE, SCHEDSCOPE_INTERRUPTS_GOES_ON);
    record.hard_ns = state.hard_ns;
    record.soft_ns = state.soft_ns;
    record.for_ns = stopped_ns - state.since_ns;
    record.tid = state.tid;
    record.of_cpu = cpu;
    record.hard_count = state.hard_count;
    record.soft_count = state.soft_count;
    take(view_of(record));
  }
}

}  // namespace schedscope::collect
