// SPDX-License-Identifier: GPL-2.0-only
#include "collect/probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "base/fd.h"
#include "bpf/record.skel.h"
#include "collect/bpf_failure.h"
#include "collect/clocks.h"
#include "collect/interrupt_sums.h"
#include "collect/kernel_btf.h"
#include "collect/machine_info.h"

namespace schedscope::collect {
namespace {

// Layout shared with bpf/ring.bpf.h, which no C++ compiler can include.
struct alignas(128) CpuState {
  std::uint64_t produced, lost, switches, seen_switches;
  std::uint64_t gap_count, gap_begin_ns, gap_end_ns;
  std::array<std::uint64_t, 9> of_the_probes;
};
static_assert(sizeof(CpuState) == 128);

// Likewise with bpf/filter.bpf.h.
struct Selected {
  std::uint64_t start_ns;
  std::uint32_t reasons, unused;
};
constexpr std::uint32_t selected_by_id = 1;

// And with bpf/stacks.bpf.h.
struct Image {
  std::uint64_t start_ns, exec_number;
};

// Which flags of a thread ask it to leave its CPU. BTF does not say their numbers: x86 had its own
// until it took the generic ones in 6.18. Where preemption can be lazy (PREEMPT_RT's patches, and
// 6.13 on, by commit 26baa1f1c4bd) a request that waits for the tick has a flag of its own.
unsigned long need_resched_flags(const KernelBtf& btf) {
  const unsigned long flag = kernel_is_at_least(6, 18) ? 1UL << 4 : 1UL << 3;
  return btf.has_function("resched_curr_lazy") ? flag | flag << 1 : flag;
}

struct DestroySkeleton {
  void operator()(record_bpf* skeleton) const { record_bpf__destroy(skeleton); }
};
struct DestroyLink {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
struct FreeRings {
  void operator()(ring_buffer* rings) const { ring_buffer__free(rings); }
};

// Who to hand a CPU's records to while a drain runs.
struct RingContext {
  std::uint32_t cpu;
  const Probes::Take* const* take;
};

int take_record(void* context, void* data, std::size_t size) {
  const auto* ring = static_cast<const RingContext*>(context);
  if (size < sizeof(schedscope_rec)) return 0;
  (**ring->take)(ring->cpu, RecordView(static_cast<const schedscope_rec*>(data)));
  return 0;
}

}  // namespace

struct Probes::State {
  std::unique_ptr<record_bpf, DestroySkeleton> skeleton;
  std::vector<std::unique_ptr<bpf_link, DestroyLink>> links;
  std::vector<Fd> ring_fds;
  std::vector<RingContext> contexts;
  std::unique_ptr<ring_buffer, FreeRings> rings;
  const Take* take = nullptr;
  std::vector<std::string> missing;
  std::uint32_t cpus = 0;
  std::optional<InterruptSums> interrupts;  // only where they are asked for
  std::uint64_t stopped_ns = 0;
  Fd stats_fd;

  struct Measured {
    std::uint64_t run_ns = 0, runs = 0, switches = 0;
  };
  Measured measured;
  Measured before;

  [[nodiscard]] CpuState cpu_state(std::uint32_t cpu) const;
  [[nodiscard]] Measured program_times() const;
  struct Misses {
    std::uint64_t recursion = 0, preempted = 0;
  };
  [[nodiscard]] Misses misses() const;
  [[nodiscard]] bool is_probe(const bpf_program* program) const;
  Result<void> open(const WitnessOptions& options);
  void choose_programs(const KernelBtf& btf, const WitnessOptions& options);
  void add_missing_of_eevdf(const KernelBtf& btf);
  Result<void> set_rules(const Rules& rules);
  Result<void> make_rings(std::uint64_t bytes);
  Result<void> attach();
};

Probes::Probes(std::unique_ptr<State> state) : state_(std::move(state)) {}
Probes::~Probes() = default;

Result<void> Probes::State::open(const WitnessOptions& options) {
  skeleton.reset(record_bpf__open());
  if (!skeleton) return bpf_failure("open the BPF programs", errno);

  if (bpf_map__value_size(skeleton->maps.cpu_states) != sizeof(CpuState)) {
    return fail("open the BPF programs", "their record of a CPU is not the one that is read here",
                "build them and the agent from the same source", Exit::machine);
  }
  cpus = static_cast<std::uint32_t>(libbpf_num_possible_cpus());
  bpf_map__set_max_entries(skeleton->maps.cpu_states, cpus);
  bpf_map__set_max_entries(skeleton->maps.rings, cpus);
  bpf_map__set_max_entries(skeleton->maps.interrupt_states, cpus);
  skeleton->rodata->filtering = options.filtering;
  skeleton->rodata->rr_slice_ns = options.rr_slice_ns;
  skeleton->rodata->with_stacks = options.stacks;
  bpf_program__set_autoload(skeleton->progs.tell_image, options.stacks);
  skeleton->rodata->selects_cgroups = !options.rules.cgroups.empty();
  skeleton->rodata->comm_glob_count = static_cast<std::uint32_t>(options.rules.comms.size());
  return {};
}

void Probes::State::choose_programs(const KernelBtf& btf, const WitnessOptions& options) {
  const bool timer = btf.has_tracepoint("local_timer_entry");
  skeleton->rodata->need_resched_flags = need_resched_flags(btf);
  bpf_program__set_autoload(skeleton->progs.on_timer_entry, timer);
  bpf_program__set_autoload(skeleton->progs.on_timer_exit, timer);
  bpf_program__set_autoload(skeleton->progs.on_cgroup_attach,
                            btf.has_tracepoint("cgroup_attach_task"));
  missing = what_is_missing({.timer = timer,
                             .need_resched = false,
                             .fair_slice = btf.has_field("sched_entity", "slice")});
  if (options.eevdf) {
    skeleton->rodata->eevdf_wanted = true;
    add_missing_of_eevdf(btf);
  }
  if (options.interrupts) {
    const auto untold = InterruptSums::choose_programs(*skeleton, btf);
    missing.insert(missing.end(), untold.begin(), untold.end());
    interrupts.emplace(*skeleton, cpus);
  }
}

void Probes::State::add_missing_of_eevdf(const KernelBtf& btf) {
  if (!btf.has_field("sched_entity", "deadline")) {
    missing.emplace_back(
        "no EEVDF: this kernel's fair scheduler (CFS) has a vruntime, and neither deadline nor "
        "lag");
  } else if (!btf.has_field("sched_entity", "custom_slice")) {
    missing.emplace_back("no slices of a thread's own: this kernel has one for all");
  }
}

Result<void> Probes::State::set_rules(const Rules& rules) {
  const std::uint8_t there = 1;
  for (const std::uint64_t id : rules.cgroups) {
    if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.selected_cgroups), &id, &there, BPF_ANY)) {
      return bpf_failure("select a cgroup", errno);
    }
  }
  for (std::uint32_t i = 0; i < rules.comms.size(); ++i) {
    if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.comm_globs), &i, &rules.comms[i], BPF_ANY)) {
      return bpf_failure("select by name", errno);
    }
  }
  return {};
}

Result<void> Probes::State::make_rings(std::uint64_t bytes) {
  contexts.reserve(cpus);  // the rings keep pointers into it
  for (std::uint32_t cpu = 0; cpu < cpus; ++cpu) {
    Fd ring(
        bpf_map_create(BPF_MAP_TYPE_RINGBUF, "cpu_ring", 0, 0, static_cast<__u32>(bytes), nullptr));
    if (!ring.valid()) return bpf_failure("make a ring for each CPU", errno);
    const int fd = ring.get();
    if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.rings), &cpu, &fd, BPF_ANY) != 0) {
      return bpf_failure("hand a CPU its ring", errno);
    }
    contexts.push_back({.cpu = cpu, .take = &take});
    int failed = 0;
    if (!rings) {
      rings.reset(ring_buffer__new(fd, take_record, &contexts.back(), nullptr));
      failed = rings ? 0 : errno;
    } else {
      failed = -ring_buffer__add(rings.get(), fd, take_record, &contexts.back());
    }
    if (failed != 0) return bpf_failure("map a CPU's ring", failed);
    ring_fds.push_back(std::move(ring));
  }
  return {};
}

// Else it is a walk, or not for this kernel.
bool Probes::State::is_probe(const bpf_program* program) const {
  return bpf_program__autoload(program) && program != skeleton->progs.walk_tasks &&
         program != skeleton->progs.tell_image;
}

Result<void> Probes::State::attach() {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) {
    if (!is_probe(program)) continue;
    std::unique_ptr<bpf_link, DestroyLink> link(bpf_program__attach(program));
    if (!link) {
      return bpf_failure(fmt::format("attach to {}", bpf_program__section_name(program)), errno);
    }
    links.push_back(std::move(link));
  }
  return {};
}

Result<std::unique_ptr<Probes>> Probes::create(const WitnessOptions& options) {
  const auto bytes = ring_bytes_of(options);
  if (!bytes) return std::unexpected(bytes.error());
  forget_libbpf_words();
  const auto btf = KernelBtf::load();
  if (!btf) return std::unexpected(btf.error());
  auto state = std::make_unique<State>();
  if (auto opened = state->open(options); !opened) return std::unexpected(opened.error());
  state->choose_programs(*btf, options);
  if (const int failed = record_bpf__load(state->skeleton.get()); failed != 0) {
    return bpf_failure("load the BPF programs", -failed);
  }
  if (auto set = state->set_rules(options.rules); !set) return std::unexpected(set.error());
  if (auto made = state->make_rings(*bytes); !made) return std::unexpected(made.error());
  if (auto attached = state->attach(); !attached) return std::unexpected(attached.error());
  if (!Fd(bpf_enable_stats(BPF_STATS_RUN_TIME)).valid()) {
    state->missing.emplace_back("what the probes cost: the kernel tells CAP_SYS_ADMIN only");
  }
  return std::unique_ptr<Probes>(new Probes(std::move(state)));
}

Result<void> Probes::select(std::uint32_t tid) {
  const Selected selected{.start_ns = 0, .reasons = selected_by_id, .unused = 0};
  const int map = bpf_map__fd(state_->skeleton->maps.selected_tids);
  if (bpf_map_update_elem(map, &tid, &selected, BPF_ANY) == 0) return {};
  return fail_errno(fmt::format("select thread {}", tid));
}

Result<void> Probes::start() {
  if (state_->interrupts) {
    if (auto begun = state_->interrupts->begin(Clocks::now_ns()); !begun) return begun;
  }
  state_->skeleton->bss->recording = true;
  return {};
}
Result<void> Probes::stop() {
  state_->stopped_ns = Clocks::now_ns();
  state_->skeleton->bss->recording = false;
  return {};
}

Result<void> Probes::drain(const Take& take) {
  state_->take = &take;
  const int failed = ring_buffer__consume(state_->rings.get());
  state_->take = nullptr;
  if (failed < 0) return bpf_failure("read the CPUs' rings", -failed);
  return {};
}

void Probes::drain_rest(const Take& take) {
  for (std::uint32_t cpu = 0; cpu < state_->cpus; ++cpu) {
    const CpuState state = state_->cpu_state(cpu);
    if (state.gap_count == 0) continue;
    auto lost = make_record<schedscope_lost>(SCHEDSCOPE_REC_LOST, state.gap_end_ns,
                                             static_cast<std::uint16_t>(cpu));
    lost.count = state.gap_count;
    lost.begin_ns = state.gap_begin_ns;
    lost.end_ns = state.gap_end_ns;
    lost.cause = SCHEDSCOPE_LOST_RING_FULL;
    take(cpu, view_of(lost));
  }
  if (!state_->interrupts) return;
  state_->interrupts->rest(state_->stopped_ns,
                           [&](RecordView record) { take(SCHEDSCOPE_CPU_NONE, record); });
}

Result<void> Probes::walk(std::uint16_t flag, const std::function<void(RecordView)>& take) {
  state_->skeleton->bss->walk_flag = flag;
  const std::unique_ptr<bpf_link, DestroyLink> link(
      bpf_program__attach_iter(state_->skeleton->progs.walk_tasks, nullptr));
  if (!link) return bpf_failure("walk the threads", errno);
  const Fd walk(bpf_iter_create(bpf_link__fd(link.get())));
  if (!walk.valid()) return bpf_failure("walk the threads", errno);

  std::vector<std::byte> buffer(sizeof(schedscope_task) * 512);
  std::size_t filled = 0;
  for (;;) {
    const ssize_t got = ::read(walk.get(), buffer.data() + filled, buffer.size() - filled);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return fail_errno("walk the threads");
    if (got == 0) return {};
    filled += static_cast<std::size_t>(got);
    std::size_t at = 0;
    while (at + sizeof(schedscope_rec) <= filled) {
      const auto* const rec = reinterpret_cast<const schedscope_rec*>(buffer.data() + at);
      if (rec->size > filled - at) break;
      take(RecordView(rec));
      at += rec->size;
    }
    std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(at),
              buffer.begin() + static_cast<std::ptrdiff_t>(filled), buffer.begin());
    filled -= at;
  }
}

std::optional<ProcessImage> Probes::image_of(std::uint32_t pid) {
  bpf_iter_link_info which{};
  which.task.tid = pid;
  LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &which, .link_info_len = sizeof(which));
  const std::unique_ptr<bpf_link, DestroyLink> link(
      bpf_program__attach_iter(state_->skeleton->progs.tell_image, &options));
  if (!link) return std::nullopt;
  const Fd walk(bpf_iter_create(bpf_link__fd(link.get())));
  Image image{};
  if (!walk.valid() || ::read(walk.get(), &image, sizeof(image)) != sizeof(image)) {
    return std::nullopt;
  }
  return ProcessImage{.start_ns = image.start_ns,
                      .exec_number = static_cast<std::uint32_t>(image.exec_number)};
}

CpuState Probes::State::cpu_state(std::uint32_t cpu) const {
  CpuState state{};
  bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.cpu_states), &cpu, &state);
  return state;
}

// A program is left out while it is active on that CPU. From 7.2 on the kernel calls some with
// preemption on, and another thread may come to the same one meanwhile; where there are two, that
// is a loss only when both are left out.
Probes::State::Misses Probes::State::misses() const {
  const auto& programs = skeleton->progs;
  const std::array preemptible = {programs.on_exec,     programs.on_exit,
                                  programs.on_rename,   programs.on_cgroup_attach,
                                  programs.on_cpu_step, programs.on_cpu_step_done};
  const std::array again = {programs.on_exec_again, programs.on_exit_again,
                            programs.on_rename_again};
  Misses misses;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) {
    bpf_prog_info info{};
    __u32 bytes = sizeof(info);
    if (!bpf_program__autoload(program)) continue;
    if (std::ranges::find(again, program) != again.end()) continue;
    if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &bytes) != 0) continue;
    const bool may_be = std::ranges::find(preemptible, program) != preemptible.end();
    (may_be ? misses.preempted : misses.recursion) += info.recursion_misses;
  }
  const std::uint64_t made_up_for = skeleton->bss->caught_by_second - skeleton->bss->told_twice;
  misses.preempted -= std::min(misses.preempted, made_up_for);
  return misses;
}

Probes::State::Measured Probes::State::program_times() const {
  Measured sum;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) {
    bpf_prog_info info{};
    __u32 bytes = sizeof(info);
    if (!is_probe(program)) continue;
    if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &bytes) != 0) continue;
    sum.run_ns += info.run_time_ns;
    sum.runs += info.run_cnt;
  }
  for (std::uint32_t cpu = 0; cpu < cpus; ++cpu) sum.switches += cpu_state(cpu).seen_switches;
  return sum;
}

std::uint64_t Probes::measured_switches() const {
  if (!state_->stats_fd.valid()) return state_->measured.switches;
  std::uint64_t seen = 0;
  for (std::uint32_t cpu = 0; cpu < state_->cpus; ++cpu) {
    seen += state_->cpu_state(cpu).seen_switches;
  }
  return state_->measured.switches + seen - state_->before.switches;
}

void Probes::measure(bool on) {
  if (on == state_->stats_fd.valid()) return;
  if (on) {
    state_->stats_fd = Fd(bpf_enable_stats(BPF_STATS_RUN_TIME));
    state_->before = state_->program_times();
    return;
  }
  const State::Measured now = state_->program_times();
  state_->stats_fd.reset();
  state_->measured.run_ns += now.run_ns - state_->before.run_ns;
  state_->measured.runs += now.runs - state_->before.runs;
  state_->measured.switches += now.switches - state_->before.switches;
}

Result<std::vector<schedscope_cpu_stats>> Probes::stats() {
  const std::uint64_t now_ns = Clocks::now_ns();
  std::vector<schedscope_cpu_stats> all;
  for (std::uint32_t cpu = 0; cpu < state_->cpus; ++cpu) {
    const CpuState state = state_->cpu_state(cpu);
    auto stats = make_record<schedscope_cpu_stats>(SCHEDSCOPE_REC_CPU_STATS, now_ns,
                                                   static_cast<std::uint16_t>(cpu));
    stats.produced = state.produced;
    stats.lost[SCHEDSCOPE_LOST_RING_FULL] = state.lost;
    stats.switches = state.switches;
    all.push_back(stats);
  }
  auto machine = make_record<schedscope_cpu_stats>(SCHEDSCOPE_REC_CPU_STATS, now_ns);
  const State::Misses misses = state_->misses();
  machine.produced = misses.recursion + misses.preempted;
  machine.lost[SCHEDSCOPE_LOST_RECURSION] = misses.recursion;
  machine.lost[SCHEDSCOPE_LOST_PREEMPTED] = misses.preempted;
  machine.run_ns = state_->measured.run_ns;
  machine.runs = state_->measured.runs;
  machine.switches = state_->measured.switches;
  all.push_back(machine);
  return all;
}

const std::vector<std::string>& Probes::missing() const {
  return state_->missing;
}

std::uint64_t Probes::selection_failed() const {
  return state_->skeleton->bss->selection_failed;
}

}  // namespace schedscope::collect
