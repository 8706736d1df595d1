// SPDX-License-Identifier: GPL-2.0-only
/* Does allocating a page to read a ring by return an errno, and the page through a pointer? */
#include <linux/ring_buffer.h>

int feature(struct trace_buffer *ring, struct buffer_data_read_page **page)
{
	return ring_buffer_alloc_read_page(ring, 0, page);
}
