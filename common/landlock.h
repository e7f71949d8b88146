/* landlock.h - a process that sees of the file system what it was promised, and listens where it said.
 *
 * Rules are collected, then enforced; from there on everything that was not named fails with EACCES, whoever the user
 * is. What is open already stays usable. A rule names a file or a folder with all below it, as it is then: a folder's
 * files may be replaced later, a file that was named itself may not.
 * Enforcing holds for the calling thread and those that it makes: call it before there are others.
 * Source: landlock(7), linux/landlock.h, Documentation/userspace-api/landlock.rst.
 */
#ifndef SL_LANDLOCK_H
#define SL_LANDLOCK_H

#include "common/err.h"

struct sl_landlock;

/* The kernel's version of the interface; 0: it has none, or it is switched off. */
int sl_landlock_version(void);

/* Rules that allow nothing yet. PERMANENT where the kernel has no Landlock. The caller destroys them. */
SL_MUST_CHECK bool sl_landlock_create(struct sl_landlock **ret_rules, struct sl_err *err);
void sl_landlock_destroy(struct sl_landlock *rules); /* accepts NULL */

enum sl_landlock_access {
    SL_LANDLOCK_READ = 1,   /* files and listings */
    SL_LANDLOCK_READ_WRITE, /* also writing and making of regular files */
    SL_LANDLOCK_ACCESS_COUNT
};
/* False where the path can't be opened: the rules stay as they were. */
bool sl_landlock_allow_path(struct sl_landlock *rules, const char *path, enum sl_landlock_access access);
/* TCP; 0: any port that the kernel chooses. Without effect before version 4, which limits no ports. */
void sl_landlock_allow_listen(struct sl_landlock *rules, unsigned port);

/* From here on only what was allowed is. The process must have no_new_privs. PERMANENT when the kernel refuses. */
SL_MUST_CHECK bool sl_landlock_enforce(const struct sl_landlock *rules, struct sl_err *err);

#endif
