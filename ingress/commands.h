/* commands.h - the table of commands: their names, REST routes, and what their data must hold.
 *
 * The table is the contract's section 5. A command that passes here is well formed, no more: whether it may happen is
 * decided by the worker. Pure; any thread.
 */
#ifndef INGRESS_COMMANDS_H
#define INGRESS_COMMANDS_H

#include "common/json.h"
#include "web/problem.h"

#define COMMAND_FIELDS_MAX 6

enum command_field_type {
    COMMAND_FIELD_NONE = 0,
    COMMAND_FIELD_UUID,   /* not nil */
    COMMAND_FIELD_TEXT,   /* 1 to `max` bytes of UTF-8 without control characters (C0, DEL, C1) */
    COMMAND_FIELD_EMAIL,  /* one plain address */
    COMMAND_FIELD_URL,    /* http or https, with a host */
    COMMAND_FIELD_INT,    /* `min` to `max` */
    COMMAND_FIELD_CHOICE, /* one of `choices` */
    COMMAND_FIELD_TEXTS,  /* an array of at most `max` texts */
    COMMAND_FIELD_TYPE_COUNT
};

struct command_field {
    const char *name;
    enum command_field_type type;
    bool required;
    int64_t min, max;
    const char *choices;  /* "a|b|c" */
    const char *expected; /* what a bad value is answered with */
    bool secret;          /* never published as it came: sealing.h */
};

struct command {
    const char *type;   /* "agent.create" */
    const char *method; /* "POST" or "DELETE" */
    const char *path;   /* "/api/agents/{agent_id}/stop": a brace names the field of data that the segment fills */
    bool admin;         /* the token must say role admin */
    bool anonymous;     /* no token, no user_id: rate limited instead */
    struct command_field fields[COMMAND_FIELDS_MAX];
};

const struct command *commands_table(size_t *ret_count);
/* By type; NULL when there is none. */
const struct command *commands_find(struct sl_str type);

/* Checks `data` against the command's fields and `user_id`. False with every bad field named in `ret_problem`
 * (INVALID_COMMAND). */
SL_MUST_CHECK bool commands_check(const struct command *command, const json_t *data, struct problem *ret_problem);

/* What the event is about (agent, job or workspace), borrowed from `data`; empty when none of them. */
struct sl_str commands_subject(const json_t *data);

#endif
