/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDSCOPE_PROBES_H
#define SCHEDSCOPE_PROBES_H

int probes_attach(void);
void probes_detach(void);

#endif /* SCHEDSCOPE_PROBES_H */
