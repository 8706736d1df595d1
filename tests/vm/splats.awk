# SPDX-License-Identifier: GPL-2.0-only
#
# What a kernel log must not hold. A line that matches a denied pattern is a splat, unless it matches an allowed one. A new
# pattern needs a line in splat_cases/found; an allowed one needs its reason here and a line in splat_cases/harmless, and should
# match no more than it must.

function deny(pattern) { denied[++denials] = pattern }
function allow(pattern, reason) { allowed[++allowances] = pattern }

BEGIN {
	# How many lines are shown from a splat on: a back trace with registers fits.
	shown = 45

	# The frames of most reports
	deny("BUG: |kernel BUG at |WARNING: |INFO: (task|possible|trying|lockdep|rcu)|Oops: |Kernel panic|Internal error: ")
	deny("\\[ cut here \\]|Call Trace:|end trace [0-9a-f]")
	# Memory
	deny("(KASAN|KFENCE|KMSAN|KCSAN|UBSAN): |kmemleak: [0-9]+ new suspected")
	deny("general protection fault|double fault|stack guard page was hit|stack segment: |invalid opcode: |divide error: |int3: ")
	deny("unable to handle |NULL pointer dereference|kernel paging request")
	deny("refcount_t: |list_(add|del) corruption|Bad page (state|map)|(Poison|Redzone|Padding) overwritten|Object already free")
	deny("detected buffer overflow|usercopy: Kernel memory|Trying to vfree|Bad rss-counter|non-zero pgtables_bytes")
	deny("page allocation failure|invoked oom-killer|Out of memory: Killed|ODEBUG: |kernel stack is corrupted|stack-protector: ")
	# Locks and contexts
	deny("circular locking|recursive locking|inconsistent lock state|inversion dependency|held lock freed|turning off the locking")
	deny("DEBUG_LOCKS_WARN_ON|bad unlock balance|lock held when returning|locks? still held|non-static key|MAX_LOCK[A-Z_]+ too low")
	deny("suspicious RCU usage|Voluntary context switch within RCU|Invalid wait context|raw_local_irq_restore\\(\\) called")
	deny("scheduling while atomic|bad: scheduling from|sleeping function called|preemptible \\[|exited with (preempt_count|irqs)")
	# Time
	deny("soft lockup|[Hh]ard LOCKUP|blocked for more than|workqueue lockup|detected (expedited )?stalls?|self-detected stall|kthread starved")
	# Tracing, modules, CPU, devices
	deny("unchecked MSR access|Missing ENDBR|ftrace (failed|bug|faulted)|failed to validate module|Unknown symbol|version of symbol")
	deny("cannot create duplicate|tried to init an initialized object|does not have a release\\(\\) function|unregister_netdevice: waiting")
	# Our own programs
	deny("(init|schedscope)\\[[0-9]+\\]: segfault|traps: (init|schedscope)\\[")

	allow("ommand line: ", "an echo of the arguments, whose names are those of the checks that they set")
	allow("Spectre V2 : WARNING: ", "a remark on the host's CPU, which mitigations=off calls for")
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

FNR == 1 && !/Linux version / { flaw = "does not start with the kernel's first line" }

is_splat($0) {
	splats++
	if (left <= 0)
		left = shown
}

left-- > 0 { print }
{ last = $0 }

END {
	if (last !~ /^# end of the kernel log, [0-9]+ records lost$/)
		flaw = "has no end"
	else if (last !~ / 0 records lost$/)
		flaw = "is not whole, " substr(last, 3)
	if (flaw)
		print "splat-scan: the log " flaw >"/dev/stderr"
	exit splats ? 1 : flaw ? 2 : 0
}
