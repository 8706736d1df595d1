/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of KUnit as the suites in module/ use, for running them in user space, where
 * the kernel is that has no KUnit: a program that prints TAP. A suite is written for the
 * kernel's own <kunit/test.h>, in which it runs on the debug kernel.
 */
#ifndef SCHEDSCOPE_KUNIT_TEST_H
#define SCHEDSCOPE_KUNIT_TEST_H

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

enum kunit_status { KUNIT_SUCCESS, KUNIT_FAILURE };

struct kunit {
	enum kunit_status status;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
};

struct kunit_suite {
	const char name[64];
	struct kunit_case *test_cases;
};

#define KUNIT_CASE(function)	{ .run_case = function, .name = #function }

#define KUNIT_EXPECT_EQ(test, left, right) \
	kunit_expect_eq(test, left, right, #left " == " #right, __LINE__)

static inline void kunit_expect_eq(struct kunit *test, unsigned long long left,
				   unsigned long long right, const char *what, int line)
{
	if (left == right)
		return;
	test->status = KUNIT_FAILURE;
	printf("# line %d: expected %s, got %llu and %llu\n", line, what, left, right);
}

static inline int kunit_run(const struct kunit_suite *suite)
{
	const struct kunit_case *test_case = suite->test_cases;
	int number = 0, failures = 0;

	printf("TAP version 13\n");
	for (; test_case->run_case; test_case++) {
		struct kunit test = { KUNIT_SUCCESS };

		test_case->run_case(&test);
		failures += test.status == KUNIT_FAILURE;
		printf("%s %d %s.%s\n", test.status == KUNIT_FAILURE ? "not ok" : "ok", ++number,
		       suite->name, test_case->name);
	}
	printf("1..%d\n", number);
	return failures;
}

#define kunit_test_suite(suite) \
	int main(void) \
	{ \
		return !!kunit_run(&(suite)); \
	} \
	static_assert(true, "")

/* What a module says of itself */
#define MODULE_LICENSE(text)		static_assert(true, "")
#define MODULE_DESCRIPTION(text)	static_assert(true, "")
#define MODULE_INFO(tag, text)		static_assert(true, "")

#endif /* SCHEDSCOPE_KUNIT_TEST_H */
