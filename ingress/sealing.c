/* sealing.c - see sealing.h. */
#include "ingress/sealing.h"

#include <stdio.h>

#define NAME_BYTES_MAX 64
#define RETRY_S        60 /* somebody has to configure a key */

bool sealing_is_due(const struct command *command)
{
    for (size_t i = 0; i < COMMAND_FIELDS_MAX && command->fields[i].name; i++) {
        if (command->fields[i].secret)
            return true;
    }
    return false;
}

static void seal_field(const char *name, const struct sl_seal_ring *ring, struct sl_str source, struct sl_str event_id,
                       json_t *data)
{
    char sealed_name[NAME_BYTES_MAX];
    struct sl_buf sealed;
    SL_ASSERT(snprintf(sealed_name, sizeof(sealed_name), "%s_sealed", name) < (int)sizeof(sealed_name));
    struct sl_str text = sl_json_str(data, name);
    (void)json_object_del(data, sealed_name);
    if (sl_str_empty(text))
        return;
    sl_buf_init(&sealed, SL_SEAL_SEALED_MAX);
    SL_ASSERT(sl_seal_for_event(ring, source, event_id, text, &sealed)); /* the table's limits are far below */
    SL_ASSERT(json_object_set_new(data, sealed_name, json_stringn(sealed.data, sealed.len)) == 0);
    SL_ASSERT(json_object_del(data, name) == 0);
    sl_buf_deinit(&sealed);
}

bool sealing_apply(const struct command *command, const struct sl_seal_ring *ring, struct sl_str source,
                   struct sl_str event_id, json_t *data, struct problem *ret_problem)
{
    if (!ring || sl_seal_ring_is_empty(ring)) {
        (void)problem_set(ret_problem, PROBLEM_UNAVAILABLE, "no key is configured to seal the command's secret with");
        ret_problem->retry_after_s = RETRY_S;
        return false;
    }
    for (size_t i = 0; i < COMMAND_FIELDS_MAX && command->fields[i].name; i++) {
        if (command->fields[i].secret)
            seal_field(command->fields[i].name, ring, source, event_id, data);
    }
    return true;
}
