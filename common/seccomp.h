/* seccomp.h - system calls that a program of ours never makes, refused from here on.
 *
 * A list of what is refused, not of what is allowed: the libraries make what calls they like, and what helps an
 * intruder (another program, another identity, the kernel's rarer doors) fails with EPERM. It can't be taken back,
 * holds for every thread and is inherited. Source: seccomp(2); linux/seccomp.h, linux/filter.h.
 */
#ifndef SL_SECCOMP_H
#define SL_SECCOMP_H

#include "common/err.h"

/* How many system calls are refused: for the log. */
size_t sl_seccomp_count(void);

/* Applies the filter to all threads of the process. The process must have no_new_privs. PERMANENT where the kernel (or
 * this machine's architecture) has no filters; then nothing has changed. */
SL_MUST_CHECK bool sl_seccomp_apply(struct sl_err *err);

#endif
