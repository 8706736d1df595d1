#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Loads and unloads the module twenty times while the machine switches and the device is read, and looks for what is
# left behind. SCHEDSCOPE_MODULE names the module.

# shellcheck source=/dev/null
. "$(dirname "$0")/../kselftest/ktap_helpers.sh"

times=20
device=/dev/schedscope
load=()

# Each is a process group, since a shell that dies leaves its pipeline running.
stop_load() {
	local leader
	for leader in "${load[@]}"; do
		kill -KILL -- "-$leader"
		wait "$leader" 2>/dev/null
	done
	load=()
}

# What is left of the machine goes into switches, forks and readers.
start_load() {
	local work
	set -m
	for work in 'echo; done | while read -r; do :' '(:)' "cat $device"; do
		nice -n 19 bash -c "while :; do $work; done" >/dev/null 2>&1 &
		load+=($!)
	done
	set +m
}

loaded() {
	grep -q '^schedscope ' /proc/modules
}

# A reader may have the device open at the moment.
unload() {
	local tries
	for tries in {1..500}; do
		rmmod schedscope 2>/dev/null && return
	done
	echo "# could not unload in $tries tries"
	return 1
}

load_and_unload() {
	local i
	for ((i = 0; i < times; i++)); do
		insmod "$SCHEDSCOPE_MODULE" && [ -c $device ] && unload && [ ! -e $device ] || return
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

kmemleak() {
	[ -w /sys/kernel/debug/kmemleak ] && echo "$1" >/sys/kernel/debug/kmemleak
}

under_load() {
	start_load
	load_and_unload
	local status=$?
	stop_load
	return $status
}

# One page leaked by each load would be 80 KiB.
leaves_no_pages() {
	local before after
	before=$(memory_used)
	load_and_unload || return
	after=$(memory_used)
	echo "# kernel memory: $before KiB before, $after KiB after $times loads"
	((after - before < 80))
}

leaves_no_objects() {
	local before after status
	insmod "$SCHEDSCOPE_MODULE" || return
	before=$(kmalloc_objects)
	open_and_close
	status=$?
	after=$(kmalloc_objects)
	unload || return
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
	[ $status -ne 0 ] && loaded && unload && ! loaded
}

refuses_a_second_load() {
	local status
	insmod "$SCHEDSCOPE_MODULE" || return
	insmod "$SCHEDSCOPE_MODULE" 2>/dev/null
	status=$?
	unload && [ $status -ne 0 ]
}

log_is_clean() {
	! dmesg | sed -n "/$mark/,\$p" | grep -v ' taint\(s\|ing\) kernel' |
		grep -E 'WARNING|BUG|Oops|general protection|Call Trace|stall|schedscope: '
}

no_leak_is_reported() {
	kmemleak scan
	sleep 5
	kmemleak scan
	! grep . /sys/kernel/debug/kmemleak
}

ktap_print_header
if [ -z "$SCHEDSCOPE_MODULE" ]; then
	ktap_skip_all "SCHEDSCOPE_MODULE does not name the module"
	exit "$KSFT_SKIP"
fi
trap stop_load EXIT
loaded && unload
mark="schedscope-selftest-$$"
echo "$mark" >/dev/kmsg
kmemleak clear

ktap_set_plan 7
ktap_test_result "loads and unloads $times times under load" under_load
ktap_test_result "leaves no pages" leaves_no_pages
ktap_test_result "leaves no objects" leaves_no_objects
ktap_test_result "refuses to unload while open" refuses_unload_while_open
ktap_test_result "refuses a second load" refuses_a_second_load
ktap_test_result "the kernel log is clean" log_is_clean
if [ -w /sys/kernel/debug/kmemleak ]; then
	ktap_test_result "kmemleak finds nothing" no_leak_is_reported
else
	ktap_test_skip "kmemleak finds nothing: this kernel has none"
fi
ktap_finished
