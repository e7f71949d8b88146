/* findings.c - the table of jobs.result. */
#include "worker/execute/findings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RESULT_BYTES_MAX (2 * FINDINGS_JSON_BYTES_MAX) /* Postgres puts blanks into what it gives back */

enum field_type { FIELD_TEXT = 1, FIELD_INT, FIELD_FLAG, FIELD_LONG, FIELD_LIST };

struct field {
    const char *name;
    enum field_type type;
    size_t offset, bytes;
    bool outcome;
};

#define TEXT(member, told)                                                                                             \
    {                                                                                                                  \
#member, FIELD_TEXT, offsetof(struct findings, member), sizeof(((struct findings *)0)->member), told           \
    }
#define OTHER(member, type, told)                                                                                      \
    {                                                                                                                  \
#member, type, offsetof(struct findings, member), sizeof(((struct findings *)0)->member), told                 \
    }
#define INT(member)        OTHER(member, FIELD_INT, false)
#define FLAG(member)       OTHER(member, FIELD_FLAG, false)
#define TOLD_INT(member)   OTHER(member, FIELD_INT, true)
#define TOLD_FLAG(member)  OTHER(member, FIELD_FLAG, true)
#define LONG(member, told) OTHER(member, FIELD_LONG, told)
#define LIST(member)       OTHER(member, FIELD_LIST, true)

static const struct field fields[] = {
    TEXT(server_id, true),
    TEXT(server_ip, true),
    TEXT(tailscale_device_id, true),
    TEXT(tailscale_ip, true),
    TEXT(app_name, true),
    TEXT(frontend_url, true),
    TEXT(backend_url, true),
    TEXT(run_id, false),
    TEXT(action_id, false),
    TEXT(intent, false),
    INT(intent_at_ms),
    INT(waits_from_ms),
    INT(shutdown_at_ms),
    INT(looks),
    INT(page),
    INT(floor),
    TEXT(failed, false),
    TEXT(changed, false),
    INT(doubt_from_ms),
    INT(closed_from_ms),
    INT(began_ms),
    INT(place),
    TEXT(tailscale_key_id, false),
    INT(deletions),
    FLAG(server_gone),
    FLAG(device_gone),
    FLAG(run_ended),
    FLAG(without_details),
    LONG(checkout_url, true),
    TEXT(session_id, true),
    TEXT(customer_id, true),
    TOLD_INT(effective_at),
    TOLD_INT(renews_at),
    LIST(catalog),
    TOLD_FLAG(catalog_cut),
    INT(catalog_bytes),
    INT(team),
    LONG(link, false),
};

void findings_deinit(struct findings *findings)
{
    free(findings->checkout_url);
    free(findings->link);
    json_decref(findings->catalog);
    findings->checkout_url = NULL;
    findings->link = NULL;
    findings->catalog = NULL;
}

void findings_set_long(char **text, struct sl_str value)
{
    free(*text);
    *text = NULL;
    if (sl_str_empty(value))
        return;
    if (value.len >= FINDINGS_LONG_BYTES_MAX)
        value.len = FINDINGS_LONG_BYTES_MAX - 1;
    *text = sl_calloc(1, value.len + 1);
    memcpy(*text, value.ptr, value.len);
}

static void write_name(struct sl_buf *out, const char *name, bool *first)
{
    sl_buf_printf(out, "%s\"%s\":", *first ? "" : ",", name);
    *first = false;
}

/* Nothing where there is nothing to say. */
static void write_field(const struct field *field, const struct findings *findings, struct sl_buf *out, bool *first)
{
    const char *at = (const char *)findings + field->offset;
    union {
        int64_t number;
        char *text;
        json_t *list;
    } value = {0};
    if (field->type != FIELD_TEXT && field->type != FIELD_FLAG)
        memcpy(&value, at, field->bytes);
    if (field->type == FIELD_TEXT && at[0] != '\0') {
        write_name(out, field->name, first);
        sl_json_write_str(out, sl_str_of(at));
    } else if (field->type == FIELD_LONG && value.text) {
        write_name(out, field->name, first);
        sl_json_write_str(out, sl_str_of(value.text));
    } else if (field->type == FIELD_INT && value.number != 0) {
        write_name(out, field->name, first);
        sl_buf_printf(out, "%" PRId64, value.number);
    } else if (field->type == FIELD_FLAG && *(const bool *)at) {
        write_name(out, field->name, first);
        sl_buf_append_cstr(out, "true");
    } else if (field->type == FIELD_LIST && value.list) {
        write_name(out, field->name, first);
        out->overflow = !sl_json_write(value.list, out) || out->overflow;
    }
}

static bool write_fields(const struct findings *findings, bool outcome_only, struct sl_buf *out)
{
    bool first = true;
    sl_buf_append_char(out, '{');
    for (size_t i = 0; i < SL_ARRAY_LEN(fields); i++)
        if (fields[i].outcome || !outcome_only)
            write_field(&fields[i], findings, out, &first);
    sl_buf_append_char(out, '}');
    return !out->overflow;
}

bool findings_write(const struct findings *findings, struct sl_buf *out)
{
    return write_fields(findings, false, out);
}

bool findings_write_outcome(const struct findings *findings, struct sl_buf *out)
{
    return write_fields(findings, true, out);
}

bool findings_is_intent_alone(const struct findings *findings, const char *step)
{
    if (findings->intent[0] != '\0' && strcmp(findings->intent, step) != 0)
        return false;
    struct findings rest = *findings; /* what it points to stays the other's */
    struct sl_buf out;
    sl_buf_init(&out, FINDINGS_JSON_BYTES_MAX);
    rest.intent[0] = '\0';
    rest.intent_at_ms = 0;
    bool is_alone = findings_write(&rest, &out) && sl_str_is(sl_buf_str(&out), "{}");
    sl_buf_deinit(&out);
    return is_alone;
}

static void read_field(const struct field *field, const json_t *json, struct findings *findings)
{
    char *at = (char *)findings + field->offset;
    if (field->type == FIELD_TEXT) {
        struct sl_str text = sl_json_str(json, field->name);
        if (text.len < field->bytes && text.len > 0)
            memcpy(at, text.ptr, text.len);
    } else if (field->type == FIELD_INT) {
        int64_t value = 0;
        if (sl_json_int(json, field->name, &value) && value >= 0)
            memcpy(at, &value, sizeof(value));
    } else if (field->type == FIELD_LONG) {
        struct sl_str value = sl_json_str(json, field->name);
        char *text = NULL;
        if (value.len < FINDINGS_LONG_BYTES_MAX)
            findings_set_long(&text, value);
        memcpy(at, &text, sizeof(text));
    } else if (field->type == FIELD_LIST) {
        json_t *list = json_object_get(json, field->name);
        if (json_is_array(list)) {
            list = json_incref(list);
            memcpy(at, &list, sizeof(list));
        }
    } else {
        bool value = sl_json_bool(json, field->name, false);
        memcpy(at, &value, sizeof(value));
    }
}

bool findings_read(struct sl_str text, struct findings *ret_findings, struct sl_err *err)
{
    struct findings findings = {0};
    if (sl_str_empty(text)) {
        *ret_findings = findings;
        return true;
    }
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(text, RESULT_BYTES_MAX, &json, err))
        return false;
    if (!json_is_object(json))
        return sl_err_set(err, SL_ERR_PERMANENT, "jobs.result is no JSON object");
    for (size_t i = 0; i < SL_ARRAY_LEN(fields); i++)
        read_field(&fields[i], json, &findings);
    *ret_findings = findings;
    return true;
}
