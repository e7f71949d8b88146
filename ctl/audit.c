/* audit.c - see audit.h. */
#include "ctl/audit.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/query.h"

void audit_actor(char ret_actor[AUDIT_ACTOR_BYTES])
{
    const char *sudo = getenv("SUDO_USER");
    /* cppcheck-suppress getpwuidCalled ; there is one thread */
    const struct passwd *entry = getpwuid(getuid());
    const char *login = entry ? entry->pw_name : "unknown";
    (void)snprintf(ret_actor, AUDIT_ACTOR_BYTES, "ops:%s", sudo && *sudo ? sudo : login);
}

bool audit_write(struct ctl *ctl, const char *action, const char *target, const char *user_id, const char *detail,
                 struct sl_err *err)
{
    static const char INSERT[] = "INSERT INTO sluice.audit_log (at, actor, user_id, action, target, detail)"
                                 " VALUES (now(), $1, $2, $3, $4, $5::jsonb)";
    char actor[AUDIT_ACTOR_BYTES];
    SL_PG_AUTO *written = NULL;
    audit_actor(actor);
    const char *values[] = {actor, user_id, action, target, detail};
    return query_run(ctl, INSERT, values, 5, &written, err);
}
