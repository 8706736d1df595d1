// SPDX-License-Identifier: GPL-2.0-only
/* Is a page that a ring is read by a thing of its own, from 6.8 on? */
#include <linux/ring_buffer.h>

void *feature(struct buffer_data_read_page *page)
{
	return ring_buffer_read_page_data(page);
}
