/* audit.c - see audit.h. */
#include "ctl/audit.h"

#include "ctl/command.h"
#include "ctl/query.h"

bool audit_write(struct ctl *ctl, const char *action, const char *target, const char *user_id, const char *detail,
                 struct sl_err *err)
{
    static const char INSERT[] = "INSERT INTO sluice.audit_log (at, actor, user_id, action, target, detail)"
                                 " VALUES (now(), $1, $2, $3, $4, $5::jsonb)";
    char actor[COMMAND_ACTOR_BYTES];
    SL_PG_AUTO *written = NULL;
    command_actor(actor);
    const char *values[] = {actor, user_id, action, target, detail};
    return query_run(ctl, INSERT, values, 5, &written, err);
}
