/* books.h - what Postgres says of the agents that may have something in a cloud. */
#ifndef REPAIR_BOOKS_H
#define REPAIR_BOOKS_H

#include "common/pg.h"
#include "worker/decide/facts.h"
#include "worker/repair/sight.h"

struct book {
    struct sl_uuid agent_id;
    struct sl_str user_id, server_id, device_id, app_name, subscription_id;
    enum agent_status status;
    bool is_provisioners;
    bool has_open_job;
    bool is_in_motion;    /* it, or a job of it, has changed since the look began: nothing can be said of it */
    struct sl_str digest; /* of all that, and of its latest job: another one means that the books have changed */
};

struct books {
    struct book *items; /* by agent_id */
    size_t count;
};

/* Before the look: the database's own clock, in milliseconds. */
SL_MUST_CHECK bool books_begin(struct sl_pg *pg, int64_t *ret_began_at_ms, struct sl_err *err);
/* After it: all agents that should have something, and those that the sights speak of. In `arena`. */
SL_MUST_CHECK bool books_read(struct sl_pg *pg, struct sl_arena *arena, const struct sights *sights,
                              int64_t began_at_ms, struct books *ret_books, struct sl_err *err);
const struct book *books_find(const struct books *books, struct sl_uuid agent_id); /* NULL: not on the books */
/* The agent of an app: by the app's name, its subscription, or its own id given for one. NULL: nobody's. */
const struct book *books_of_app(const struct books *books, const struct sight *app);

#endif
