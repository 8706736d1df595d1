#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Loads and unloads the module sixty times, opens it two thousand times, and looks for what is left behind.
# SCHEDSCOPE_MODULE names the module.

# shellcheck source=/dev/null
. "$(dirname "$0")/../kselftest/ktap_helpers.sh"

times=20
device=/dev/schedscope

loaded() {
	grep -q '^schedscope ' /proc/modules
}

load_and_unload() {
	local i
	for ((i = 0; i < times; i++)); do
		insmod "$SCHEDSCOPE_MODULE" && [ -c $device ] && rmmod schedscope && [ ! -e $device ] || return
	done
}

# In KiB: what kvmalloc() gives comes from either. The kernel keeps some stacks of threads that ended, and some slabs.
memory_used() {
	awk '/^(VmallocUsed|SUnreclaim):/ { sum += $2 } END { print sum }' /proc/meminfo
}

# Objects in all kmalloc caches; the caches keep some of what is freed.
kmalloc_objects() {
	awk '/^kmalloc-/ { sum += $2 } END { print sum + 0 }' /proc/slabinfo
}

open_and_close() {
	local i fd
	for ((i = 0; i < 2000; i++)); do
		exec {fd}<$device && exec {fd}<&- || return
	done
}

# One page leaked by each load would be 80 KiB, in every round; what others take meanwhile they do not take in each.
leaves_no_pages() {
	local before after least=80
	for _ in 1 2 3; do
		before=$(memory_used)
		load_and_unload || return
		after=$(memory_used)
		echo "# kernel memory: $before KiB before, $after KiB after $times loads"
		((after - before >= least)) || least=$((after - before))
	done
	((least < 80))
}

leaves_no_objects() {
	local before after status
	insmod "$SCHEDSCOPE_MODULE" || return
	before=$(kmalloc_objects)
	open_and_close
	status=$?
	after=$(kmalloc_objects)
	rmmod schedscope || return
	echo "# kmalloc objects: $before before, $after after 2000 opens"
	((status == 0 && after - before < 1000))
}

refuses_unload_while_open() {
	local fd status
	insmod "$SCHEDSCOPE_MODULE" || return
	exec {fd}<$device
	rmmod schedscope 2>/dev/null
	status=$?
	exec {fd}<&-
	[ $status -ne 0 ] && loaded && rmmod schedscope && ! loaded
}

refuses_a_second_load() {
	local status
	insmod "$SCHEDSCOPE_MODULE" || return
	insmod "$SCHEDSCOPE_MODULE" 2>/dev/null
	status=$?
	rmmod schedscope && [ $status -ne 0 ]
}

log_is_clean() {
	! dmesg | sed -n "/$mark/,\$p" | grep -v ' taint\(s\|ing\) kernel' |
		grep -E 'WARNING|BUG|Oops|general protection|Call Trace|stall|schedscope: '
}

ktap_print_header
if [ -z "$SCHEDSCOPE_MODULE" ]; then
	ktap_skip_all "SCHEDSCOPE_MODULE does not name the module"
	exit "$KSFT_SKIP"
fi
loaded && rmmod schedscope
mark="schedscope-selftest-$$"
echo "$mark" >/dev/kmsg

# KASAN keeps what is freed for a while; where it is, kmemleak watches the whole run (tests/in-vm).
kasan=0
grep -q ' kasan_report$' /proc/kallsyms && kasan=1
ktap_set_plan $((kasan ? 3 : 5))
if ((!kasan)); then
	ktap_test_result "leaves no pages" leaves_no_pages
	ktap_test_result "leaves no objects" leaves_no_objects
fi
ktap_test_result "refuses to unload while open" refuses_unload_while_open
ktap_test_result "refuses a second load" refuses_a_second_load
ktap_test_result "the kernel log is clean" log_is_clean
ktap_finished
