/* topic_plan.h - the topics that Sluice needs and what each must be: pure. */
#ifndef CTL_TOPIC_PLAN_H
#define CTL_TOPIC_PLAN_H

#include "common/buf.h"
#include "common/config.h"

#define TOPIC_SETTINGS_MAX 6

struct topic_setting {
    const char *name; /* "cleanup.policy" */
    char value[32];
};

struct topic_plan {
    const char *name;
    int partitions;
    int replication;
    struct topic_setting settings[TOPIC_SETTINGS_MAX];
    size_t setting_count;
};

#define TOPIC_COUNT 5
void topic_plan_make(const struct sl_config *config, struct topic_plan ret_plans[TOPIC_COUNT]);

/* What is weaker than `plan` in a setting as the broker tells it: NULL when it is as good or better, else a few words
 * why it matters. Unknown settings compare as text. */
const char *topic_plan_weakness(const struct topic_setting *wanted, const char *actual);

#endif
