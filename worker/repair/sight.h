/* sight.h - what stands in the clouds under our names or labels: each cloud listed once, as a whole.
 *
 * A cloud that can't be seen to its end counts as not seen: what it didn't show is not missing. One thread.
 */
#ifndef REPAIR_SIGHT_H
#define REPAIR_SIGHT_H

#include "common/uuid.h"
#include "worker/repair/ask.h"

#define SIGHTS_MAX 200000 /* more of ours in one cloud: not seen */

struct sight {
    enum cloud_id cloud;
    char id[72]; /* as the books have it */
    char name[256];
    struct sl_uuid named;      /* the agent in "agent-<id>"; nil: another name */
    struct sl_uuid labelled;   /* the agent in sluice-agent; nil: none, or no agent's id */
    bool has_label;            /* it may be labelled with what is no agent's id */
    bool is_external;          /* a device of another tailnet */
    bool is_off, is_running;   /* a server that is one or the other for good, and not locked */
    char subscription_id[128]; /* an app's */
    int64_t created_at_ms;     /* 0: not said */
    double cost_per_day;       /* negative: not said */
};

struct sights {
    struct sight *items; /* in the order of the clouds' lists, each id of a cloud once */
    size_t count, cap;
    bool is_seen[CLOUD_COUNT];
    struct sl_err problems[CLOUD_COUNT]; /* why not */
    char currency[8];                    /* of the costs; empty: not said */
};

/* The clouds that keep what agents run on: Hetzner, Tailscale, the provisioner. `sights` is the caller's, to be
 * deinited. False only when it is to stop. */
SL_MUST_CHECK bool sights_look(struct sights *ret_sights, struct ask *ask, struct sl_err *err);
void sights_deinit(struct sights *sights); /* idempotent */

/* Whether a server that the list didn't show is really not there. False with `err` when that can't be told. */
SL_MUST_CHECK bool sights_confirm_gone(struct ask *ask, struct sl_str server_id, bool *ret_gone, struct sl_err *err);

/* "agent-<uuid>", and for a device also that with "-<number>"; nil for any other name. */
struct sl_uuid sight_agent_of_name(struct sl_str name, bool may_be_numbered);

#endif
