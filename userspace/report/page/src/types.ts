// SPDX-License-Identifier: GPL-2.0-only
// What `schedscope report --json` prints, as far as the page uses it.

export interface Peer {
  tid: number;
  comm?: string;
  count: number;
  ns: number;
  index?: number;
}

// The sleeps and blocks of one kind; without a state when they are of several.
export interface OffCpu {
  others?: boolean;
  state?: string;
  syscall?: string;
  waker?: string;
  count: number;
  ns: number;
  max_ns: number;
}

// A number that may be more than a double holds exactly, and is text then.
export type Exact = number | string;

export interface CgroupReport {
  cgroup_id?: Exact;
  path?: string;
  threads: number;
  run_ns: Exact;
  wait_ns: Exact;
  sleep_ns: Exact;
  block_ns: Exact;
  unknown_ns: Exact;
}

// Sleeps with the same stacks, the innermost frame first; why one is missing.
export interface OffCpuStack {
  others?: boolean;
  user?: number; // in stacks.stacks
  user_missing?: string;
  kernel?: number;
  kernel_missing?: string;
  count: number;
  ns: number;
  max_ns: number;
}

export interface FutexOwner {
  index: number;
  tid?: number;
  comm?: string;
  waits: number;
  ns: number;
  run_ns: number;
  wait_ns: number;
  sleep_ns: number;
  block_ns: number;
  unknown_ns: number;
}

export interface FutexReport {
  pid: number;
  word?: Exact;
  waits: number;
  ns: number;
  max_ns: number;
  owned_ns: number;
  owners: FutexOwner[];
}

// Slices by quarters of their nominal slice; the last one is 4 times it and more.
export interface AgainstNominal {
  all: number[];
  expired: number[];
}

export interface PolicyReport {
  policy: string;
  threads: number;
  slices: number;
  ns: number;
  nominal_min_ns?: number;
  nominal_max_ns?: number;
  against_nominal?: AgainstNominal;
}

// Times at least; all are absent when they were not recorded.
interface Interrupts {
  irq_ns?: number;
  softirq_ns?: number;
  irqs?: number;
  softirqs?: number;
  interrupts_unknown_ns?: number;
}

export interface Lag {
  count: number;
  p50_ns: number;
  p99_ns: number;
  least_ns: number;
  most_ns: number;
}

// In virtual time; CFS has no slice and no deadlines.
export interface Eevdf {
  vruntime_ns: number;
  lag_in?: Lag;
  lag_out?: Lag;
  slice_min_ns?: number;
  slice_max_ns?: number;
  custom_slice?: boolean;
  before_deadline?: number;
  past_deadline?: number;
  left_protected?: number;
  delayed?: number;
}

export interface ThreadReport extends Interrupts {
  tid: number;
  pid?: number;
  ppid?: number;
  comm?: string;
  policy?: string;
  prio?: number;
  nice?: number;
  kernel_thread?: boolean;
  cgroup_id?: Exact;
  namespace?: { id: number; tid: number; pid: number };
  index: number;
  born_ns: number;
  gone_ns: number;
  exited: boolean;
  run_ns: number;
  wait_ns: number;
  sleep_ns: number;
  block_ns: number;
  unknown_ns: number;
  wall_ns: number;
  slices: number;
  nominal_slice_ns?: number;
  against_nominal?: AgainstNominal;
  eevdf?: Eevdf;
  ends: Record<string, number>;
  wait_p50_ns: number;
  wait_p99_ns: number;
  wait_max_ns: number;
  wait_max_at_ns?: number;
  slice_max_ns: number;
  slice_max_at_ns?: number;
  migrations: number;
  wakeups: number;
  preempted_by: Peer[];
  waited_behind: Peer[];
  waited_behind_unknown_ns: number;
  woken_by: Peer[];
  off_cpu: OffCpu[];
  off_cpu_stacks?: OffCpuStack[];
  slice_hist: number[];
  wait_hist: number[];
}

export interface CpuReport extends Interrupts {
  cpu: number;
  run_ns: number;
  idle_ns: number;
  off_ns: number;
  unknown_ns: number;
  switches: number;
  idle_irq_ns?: number;
  idle_softirq_ns?: number;
}

export interface PathThread {
  index: number;
  tid: number;
  comm?: string;
  ns: number;
  run_ns: number;
  wait_ns: number;
  sleep_ns: number;
  block_ns: number;
  unknown_ns: number;
  sleep_by: { timer: number; interrupt: number; unknown: number };
}

export interface PathSegment {
  begin_ns: Exact;
  end_ns: Exact;
  index: number;
  state: string;
  depth: number;
  cause?: string;
  cpu?: number;
  behind?: { ns: number; index?: number };  // without an index: nobody, the CPU was idle
}

export interface CriticalPath {
  index: number;
  from_ns: Exact;
  to_ns: Exact;
  adds_up: boolean;
  threads: PathThread[];
  waited_behind: Peer[];
  waited_behind_unknown_ns: number;
  segments: PathSegment[];
  segments_left_out: number;
  left_out_ns: number;
}

export interface UserReport {
  id: number;
  name?: string;
  runtime?: string;
  pid: number;
  level: string;
  running_ns: number;
  preempted_ns: number;
  blocking_ns: number;
  queued_ns: number;
  hostage_ns: number;
  parked_ns: number;
  unknown_ns: number;
  wall_ns: number;
  switches: number;
  index: number;
}

export interface Finding {
  kind: string;
  text: string;
  severity: "info" | "notice" | "warning";
  thread_index?: number;
  user_thread_index?: number;
  cpu?: number;
  at_ns?: number;
  for_ns?: number;
}

export interface Report {
  schema: number;
  capture: {
    file?: string;
    bytes: number;
    complete: boolean;
    start_ns: number;
    end_ns: number;
    kernel?: string;
    cpus?: number;
    hz?: number;
    scheduler?: string;
    witnesses: string[];
    virtual?: boolean;
  };
  records: {
    produced: number;
    kept: number;
    lost: Record<string, number>;
    switches: number;
    gaps?: { begin_ns: number; end_ns: number }[];
  };
  conservation: Record<string, boolean>;
  agreement: { bpf_module?: boolean; kernel_counts?: boolean; details: string[] };
  overhead?: { ns_per_switch?: number; cpu_percent?: number };
  syscalls_known: boolean;
  threads: ThreadReport[];
  policies: PolicyReport[];
  cpus: CpuReport[];
  cgroups?: CgroupReport[];
  cgroup_moves_missed?: number;
  stacks?: { frames: string[]; stacks: number[][] };
  user_threads: UserReport[];
  futex_ns?: number;
  futexes?: FutexReport[];
  findings: Finding[];
  critical_path?: CriticalPath;
  story: { heading: string; text: string; bad: boolean }[];
}

export interface Claim {
  id: string;
  claim: string;
  verdict: string;
  caveat?: string;
  rule?: string;
  evidence?: Record<string, number>;
  workload?: Record<string, number>;
  witnesses?: string[];
}

export interface Lab {
  claims: Claim[];
}
