// SPDX-License-Identifier: GPL-2.0-only
// What `schedscope report --json` prints, as far as the page uses it.

export interface Peer {
  tid: number;
  comm?: string;
  count: number;
  ns: number;
  index?: number;
}

export interface ThreadReport {
  tid: number;
  pid?: number;
  ppid?: number;
  comm?: string;
  policy?: string;
  prio?: number;
  nice?: number;
  kernel_thread?: boolean;
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
  woken_by: Peer[];
  slice_hist: number[];
  wait_hist: number[];
}

export interface CpuReport {
  cpu: number;
  run_ns: number;
  idle_ns: number;
  unknown_ns: number;
  switches: number;
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
  threads: ThreadReport[];
  cpus: CpuReport[];
  user_threads: UserReport[];
  findings: Finding[];
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
