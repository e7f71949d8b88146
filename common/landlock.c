/* landlock.c - see landlock.h. The kernel's structures stand here as of version 6: the headers of the system may be
 * older than its kernel, which is told no more than it knows.
 */
#include "common/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VERSION_REFER    2
#define VERSION_TRUNCATE 3
#define VERSION_NET      4
#define VERSION_IOCTL    5
#define VERSION_SCOPE    6

#define FS_REFER            (UINT64_C(1) << 13)
#define FS_TRUNCATE         (UINT64_C(1) << 14)
#define FS_IOCTL_DEV        (UINT64_C(1) << 15)
#define FS_FIRST            ((UINT64_C(1) << 13) - 1) /* all of version 1 */
#define NET_BIND_TCP        (UINT64_C(1) << 0)
#define SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0)
#define SCOPE_SIGNAL        (UINT64_C(1) << 1)
#define RULE_NET_PORT       2

struct ruleset {
    uint64_t fs, net, scoped;
};

struct net_port {
    uint64_t access, port;
};

struct sl_landlock {
    int descriptor;
    struct ruleset handled;
};

static int create_ruleset(const struct ruleset *ruleset, size_t bytes, unsigned flags)
{
    return (int)syscall(SYS_landlock_create_ruleset, ruleset, bytes, flags);
}

int sl_landlock_version(void)
{
    int version = create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version > 0 ? version : 0;
}

bool sl_landlock_create(struct sl_landlock **ret_rules, struct sl_err *err)
{
    const int version = sl_landlock_version();
    if (version == 0)
        return sl_err_set(err, SL_ERR_PERMANENT, "the kernel has no Landlock");
    const struct ruleset handled = {
        .fs = FS_FIRST | (version >= VERSION_REFER ? FS_REFER : 0) | (version >= VERSION_TRUNCATE ? FS_TRUNCATE : 0) |
              (version >= VERSION_IOCTL ? FS_IOCTL_DEV : 0),
        .net = version >= VERSION_NET ? NET_BIND_TCP : 0,
        .scoped = version >= VERSION_SCOPE ? SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL : 0,
    };
    const size_t bytes = version >= VERSION_SCOPE ? sizeof(handled)
                         : version >= VERSION_NET ? offsetof(struct ruleset, scoped)
                                                  : offsetof(struct ruleset, net);
    int descriptor = create_ruleset(&handled, bytes, 0);
    if (descriptor < 0)
        return sl_err_set(err, SL_ERR_PERMANENT, "no Landlock rules can be made: %s", strerror(errno));
    struct sl_landlock *rules = sl_calloc(1, sizeof(*rules));
    *rules = (struct sl_landlock){.descriptor = descriptor, .handled = handled};
    *ret_rules = rules;
    return true;
}

void sl_landlock_destroy(struct sl_landlock *rules)
{
    if (!rules)
        return;
    (void)close(rules->descriptor);
    free(rules);
}

bool sl_landlock_allow_path(struct sl_landlock *rules, const char *path, enum sl_landlock_access access)
{
    static const uint64_t files = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE;
    uint64_t allowed = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    struct stat status;
    if (access == SL_LANDLOCK_READ_WRITE)
        allowed |= LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | FS_TRUNCATE;
    int descriptor = open(path, O_PATH | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    bool ok = fstat(descriptor, &status) == 0;
    if (ok && !S_ISDIR(status.st_mode))
        allowed &= files;
    struct landlock_path_beneath_attr rule = {.allowed_access = allowed & rules->handled.fs, .parent_fd = descriptor};
    ok = ok && syscall(SYS_landlock_add_rule, rules->descriptor, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    (void)close(descriptor);
    return ok;
}

void sl_landlock_allow_listen(struct sl_landlock *rules, unsigned port)
{
    const struct net_port rule = {.access = NET_BIND_TCP, .port = port};
    if (rules->handled.net == 0)
        return;
    SL_ASSERT(syscall(SYS_landlock_add_rule, rules->descriptor, RULE_NET_PORT, &rule, 0) == 0);
}

bool sl_landlock_enforce(const struct sl_landlock *rules, struct sl_err *err)
{
    if (syscall(SYS_landlock_restrict_self, rules->descriptor, 0) == 0)
        return true;
    return sl_err_set(err, SL_ERR_PERMANENT, "the Landlock rules can't be enforced: %s", strerror(errno));
}
