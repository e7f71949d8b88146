/* findings.c - the table of jobs.result. */
#include "worker/execute/findings.h"

#include <inttypes.h>
#include <string.h>

#include "common/json.h"

#define RESULT_BYTES_MAX 65536

enum field_type { FIELD_TEXT = 1, FIELD_INT, FIELD_FLAG };

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
#define INT(member)                                                                                                    \
    {                                                                                                                  \
#member, FIELD_INT, offsetof(struct findings, member), sizeof(int64_t), false                                  \
    }
#define FLAG(member)                                                                                                   \
    {                                                                                                                  \
#member, FIELD_FLAG, offsetof(struct findings, member), sizeof(bool), false                                    \
    }

static const struct field fields[] = {
    TEXT(server_id, true),
    TEXT(server_ip, true),
    TEXT(tailscale_device_id, true),
    TEXT(tailscale_ip, true),
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
    INT(deletions),
    FLAG(server_gone),
    FLAG(device_gone),
    FLAG(run_ended),
    FLAG(without_details),
};

static void write_name(struct sl_buf *out, const char *name, bool *first)
{
    sl_buf_printf(out, "%s\"%s\":", *first ? "" : ",", name);
    *first = false;
}

static bool write_fields(const struct findings *findings, bool outcome_only, struct sl_buf *out)
{
    bool first = true;
    sl_buf_append_char(out, '{');
    for (size_t i = 0; i < SL_ARRAY_LEN(fields); i++) {
        const struct field *field = &fields[i];
        const char *at = (const char *)findings + field->offset;
        if (outcome_only && !field->outcome)
            continue;
        if (field->type == FIELD_TEXT && at[0] != '\0') {
            write_name(out, field->name, &first);
            sl_json_write_str(out, sl_str_of(at));
        } else if (field->type == FIELD_INT) {
            int64_t value = 0;
            memcpy(&value, at, sizeof(value));
            if (value == 0)
                continue;
            write_name(out, field->name, &first);
            sl_buf_printf(out, "%" PRId64, value);
        } else if (field->type == FIELD_FLAG && *(const bool *)at) {
            write_name(out, field->name, &first);
            sl_buf_append_cstr(out, "true");
        }
    }
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
