// SPDX-License-Identifier: GPL-2.0-only
/* Do the flags of a mapping have functions of their own? */
#include <linux/mm.h>

void feature(struct vm_area_struct *vma)
{
	vm_flags_mod(vma, VM_DONTDUMP, VM_MAYWRITE);
}
