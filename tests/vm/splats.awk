# SPDX-License-Identifier: GPL-2.0-only
#
# What a kernel log must not hold. A line that matches a pattern of deny is a splat, unless it matches one of allow. A new
# pattern needs a case in splat_cases/; an allowed one needs its reason, and should match no more than it must.

function deny(pattern) { denied[++denials] = pattern }
function allow(pattern, reason) { allowed[++allowances] = pattern; reasons[allowances] = reason }

BEGIN {
	# How many lines after a splat are shown: a back trace with registers fits.
	shown = 45

	# Every kind of report
	deny("BUG:|kernel BUG at")
	deny("WARNING: ")
	deny("Oops:|Oops -|Kernel panic|Internal error:")
	deny("Call Trace:")
	deny("cut here \\]---")
	# Memory
	deny("KASAN:|KFENCE:|KMSAN:|UBSAN:|KCSAN:|kmemleak: [0-9]+ new suspected")
	deny("general protection fault|double fault:|stack guard page was hit|stack segment:|invalid opcode:|divide error:")
	deny("unable to handle|NULL pointer dereference|paging request at")
	deny("refcount_t: |list_(add|del) corruption|Bad page (state|map)|slab-use-after-free|Poison overwritten|Redzone overwritten")
	deny("Object already free|Object padding overwritten|detected buffer overflow|usercopy: Kernel memory")
	deny("page allocation failure|invoked oom-killer|Out of memory: Killed")
	deny("ODEBUG: |DEBUG_LOCKS_WARN_ON|corrupted stack end|stack-protector:|Kernel stack is corrupted")
	# Locks and contexts
	deny("possible (circular|recursive) locking|inconsistent lock state|lock held when returning|lock(s)? held (when|while)")
	deny("suspicious RCU usage|bad unlock balance|bad contention|irq lock inversion|RCU-lockdep|turning off the locking")
	deny("scheduling while atomic|sleeping function called|Invalid wait context|preempt_count|raw_local_irq_restore")
	deny("Voluntary context switch within RCU|using (smp_processor_id|__this_cpu_[a-z]+)\\(\\) in preemptible")
	# Time
	deny("(soft|hard) ?(lockup|LOCKUP)|hung_task|blocked for more than|workqueue lockup|RCU detected|rcu.*(stall|kthread starved)")
	deny("sched: RT throttling activated|sched: DL replenish lagged|bad: scheduling from|NOHZ tick-stop error")
	# Tracing, modules, CPU
	deny("unchecked MSR|Missing ENDBR|segfault at .* in (init|schedscope)|traps: .* (general protection|trap)")
	deny("ring buffer .*(corrupt|warning)|ftrace (failed|bug)|failed to validate module|Unknown symbol|disagrees about version of symbol")
	deny("Bad rss-counter|non-zero pgtables|unregister_netdevice: waiting|trying to register non-static key|invalid kernel address")
	deny("sysfs: cannot create duplicate|kobject .* (tried|does not have)|leaked|Trying to vfree|exited with (preempt|irqs)")

	allow("\\] printk: console .* (preempt_count|disabled)", "a console's name may hold any word")
}

function is_splat(line,    i) {
	for (i = 1; i <= allowances; i++)
		if (line ~ allowed[i])
			return 0
	for (i = 1; i <= denials; i++)
		if (line ~ denied[i])
			return 1
	return 0
}

FNR == 1 && !/Linux version / { cut = "does not start with the kernel's first line" }

is_splat($0) { splats++; rest = rest > 0 ? rest : shown }
rest > 0 { print; rest-- }
{ last = $0 }

END {
	if (last !~ /^# end of the kernel log, [0-9]+ records lost$/)
		cut = "has no end"
	else if (last !~ / 0 records lost$/)
		cut = "is not whole: " substr(last, 3)
	if (cut)
		print "splat-scan: the log " cut >"/dev/stderr"
	exit splats ? 1 : cut ? 2 : 0
}
