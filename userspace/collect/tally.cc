// SPDX-License-Identifier: GPL-2.0-only
#include "collect/tally.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "base/fd.h"
#include "bpf/tally.skel.h"
#include "collect/bpf_failure.h"
#include "collect/clocks.h"
#include "collect/kernel_btf.h"

namespace schedscope::collect {
namespace {

// Layout shared with bpf/tally.bpf.c, which no C++ compiler can include.
struct Counts {
  std::uint64_t count, sum_ns, max_ns;
  std::array<std::uint64_t, SCHEDSCOPE_HIST_BUCKETS> hist;
};
struct CpuCounts {
  std::uint64_t switched;
  std::array<std::array<Counts, SCHEDSCOPE_CLASSES>, SCHEDSCOPE_TALLIES> of;
};

struct Destroy {
  void operator()(tally_bpf* skeleton) const { tally_bpf__destroy(skeleton); }
};

}  // namespace

struct Tally::State {
  std::unique_ptr<tally_bpf, Destroy> skeleton;
  std::uint32_t cpus = 0;
  std::uint64_t since_ns = 0;
  Fd stats_fd;
  Measured before, measured;

  [[nodiscard]] Measured program_time() const {
    bpf_prog_info info{};
    __u32 bytes = sizeof(info);
    if (bpf_obj_get_info_by_fd(bpf_program__fd(skeleton->progs.on_switch), &info, &bytes) != 0) {
      return {};
    }
    return {.run_ns = info.run_time_ns, .runs = info.run_cnt};
  }
};

Tally::Tally(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tally::~Tally() = default;

Result<std::shared_ptr<Tally>> Tally::create() {
  forget_libbpf_words();
  const auto btf = KernelBtf::load();
  if (!btf) return std::unexpected(btf.error());
  if (!btf->has_field("sched_info", "last_queued") || !btf->has_field("cfs_rq", "rq")) {
    return fail("count slices and waits in the kernel",
                "this kernel does not note when a thread got its CPU (CONFIG_SCHED_INFO), or not "
                "where its clock is (CONFIG_FAIR_GROUP_SCHED)",
                "record without --tally", Exit::machine);
  }
  auto state = std::make_unique<State>();
  state->cpus = static_cast<std::uint32_t>(libbpf_num_possible_cpus());
  state->skeleton.reset(tally_bpf__open());
  if (!state->skeleton) return bpf_failure("open the tally's BPF program", errno);
  if (const int failed = tally_bpf__load(state->skeleton.get()); failed != 0) {
    return bpf_failure("load the tally's BPF program", -failed);
  }
  if (const int failed = tally_bpf__attach(state->skeleton.get()); failed != 0) {
    return bpf_failure("attach the tally's BPF program to sched_switch", -failed);
  }
  state->since_ns = Clocks::now_ns();
  return std::shared_ptr<Tally>(new Tally(std::move(state)));
}

Result<void> Tally::read(const std::function<void(RecordView)>& take) const {
  std::vector<CpuCounts> cpus(state_->cpus);
  const std::uint32_t key = 0;
  const std::uint64_t now_ns = Clocks::now_ns();
  if (bpf_map_lookup_elem(bpf_map__fd(state_->skeleton->maps.tallies), &key, cpus.data()) != 0) {
    return bpf_failure("read what the kernel counted", errno);
  }
  for (std::uint32_t cpu = 0; cpu < state_->cpus; ++cpu) {
    for (std::uint32_t what = 0; what < SCHEDSCOPE_TALLIES; ++what) {
      for (std::uint32_t of_class = 0; of_class < SCHEDSCOPE_CLASSES; ++of_class) {
        const Counts& counts = cpus[cpu].of[what][of_class];
        if (counts.count == 0) continue;
        auto record = make_record<schedscope_tally>(SCHEDSCOPE_REC_TALLY, now_ns,
                                                    static_cast<std::uint16_t>(cpu));
        record.what = what;
        record.of_class = of_class;
        record.since_ns = state_->since_ns;
        // The CPU may have counted one more while this was read.
        record.count = std::accumulate(counts.hist.begin(), counts.hist.end(), std::uint64_t{0});
        record.sum_ns = counts.sum_ns;
        record.max_ns = counts.max_ns;
        std::ranges::copy(counts.hist, record.hist);
        take(view_of(record));
      }
    }
  }
  return {};
}

void Tally::measure(bool on) {
  if (on == state_->stats_fd.valid()) return;
  if (on) {
    state_->stats_fd = Fd(bpf_enable_stats(BPF_STATS_RUN_TIME));
    state_->before = state_->program_time();
    return;
  }
  state_->measured = measured();
  state_->stats_fd.reset();
}

Tally::Measured Tally::measured() const {
  Measured sum = state_->measured;
  if (!state_->stats_fd.valid()) return sum;
  const Measured now = state_->program_time();
  sum.run_ns += now.run_ns - state_->before.run_ns;
  sum.runs += now.runs - state_->before.runs;
  return sum;
}

Result<std::vector<schedscope_cpu_stats>> NoEvents::stats() {
  auto machine = make_record<schedscope_cpu_stats>(SCHEDSCOPE_REC_CPU_STATS, Clocks::now_ns());
  const Tally::Measured measured = tally_->measured();
  machine.run_ns = measured.run_ns;
  machine.runs = machine.switches = measured.runs;
  return std::vector{machine};
}

}  // namespace schedscope::collect
