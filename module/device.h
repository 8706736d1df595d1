/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCHEDSCOPE_DEVICE_H
#define SCHEDSCOPE_DEVICE_H

int device_create_node(void);
void device_remove_node(void);

#endif /* SCHEDSCOPE_DEVICE_H */
