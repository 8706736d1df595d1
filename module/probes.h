/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDSCOPE_PROBES_H
#define SCHEDSCOPE_PROBES_H

#include <linux/types.h>

int probes_attach(void);
void probes_detach(void);
int probes_attach_stream(void);
void probes_detach_stream(void);
u64 probes_signals(void);

#endif /* SCHEDSCOPE_PROBES_H */
