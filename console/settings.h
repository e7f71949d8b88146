/* settings.h - what requests are judged and answered by, out of the configuration: tokens' keys, the ops token, and the
 * plans' limits. Immutable once loaded; SIGHUP loads another.
 */
#ifndef CONSOLE_SETTINGS_H
#define CONSOLE_SETTINGS_H

#include "common/config.h"
#include "web/jwt_keys.h"

struct settings {
    struct sl_config *config;
    struct sl_secrets tokens; /* of ops; none: no ops access */
    struct jwt_keys jwt;
    char *plans; /* {"free":{"agents","messages_per_day","members","runs"},…}, -1: unlimited */
};

struct settings_problems {
    struct sl_config_problem items[SL_CONFIG_PROBLEMS_MAX];
    size_t count;
};

/* Reads and checks everything, without network. NULL with all problems listed. */
SL_MUST_CHECK struct settings *settings_load(const char *path, const char *overlay_path,
                                             struct settings_problems *ret_problems);
void settings_destroy(struct settings *settings); /* accepts NULL */

/* What is not available because a value is missing: a sentence each that names the variable. No problem: ops may read
 * without dashboards, and the other way round. */
#define SETTINGS_WARNINGS_MAX 2
size_t settings_warnings(const struct settings *settings, const char *ret_warnings[SETTINGS_WARNINGS_MAX]);

#endif
