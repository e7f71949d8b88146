/* commands.c - see commands.h. */
#include "ingress/commands.h"

#include <string.h>

#include "common/utf8.h"

#define TEXT_BYTES_MAX        255
#define URL_BYTES_MAX         2048
#define EMAIL_BYTES_MAX       254 /* RFC 5321, 4.5.3.1, with erratum 1690 of RFC 3696 */
#define EMAIL_LOCAL_BYTES_MAX 64

/* The table reads as one, so it keeps its own form. */
/* clang-format off */
#define GIVEN " where it is given"
#define A_TEXT "must be a text of 1 to 255 bytes without control characters"
#define A_TOKEN "must be a text of 1 to 4096 bytes without control characters"
#define A_URL "must be an http or https URL of at most 2048 bytes"
#define A_BACKEND "must be github-actions, hetzner or provisioner" GIVEN

#define UUID(field)         { .name = (field), .type = COMMAND_FIELD_UUID, .required = true, \
                              .expected = "must be a UUID" }
#define UUID_OR_NONE(field) { .name = (field), .type = COMMAND_FIELD_UUID, .expected = "must be a UUID" GIVEN }
#define TEXT(field)         { .name = (field), .type = COMMAND_FIELD_TEXT, .required = true, .max = 255, \
                              .expected = A_TEXT }
#define TEXT_OR_NONE(field) { .name = (field), .type = COMMAND_FIELD_TEXT, .max = 255, .expected = A_TEXT GIVEN }
#define TOKEN(field)        { .name = (field), .type = COMMAND_FIELD_TEXT, .required = true, .max = 4096, \
                              .expected = A_TOKEN, .secret = true }
#define INVITATION(field)   { .name = (field), .type = COMMAND_FIELD_TEXT, .required = true, .max = 255, \
                              .expected = A_TEXT, .secret = true }
#define EMAIL(field)        { .name = (field), .type = COMMAND_FIELD_EMAIL, .required = true, \
                              .expected = "must be one e-mail address, without a name beside it" }
#define URL(field)          { .name = (field), .type = COMMAND_FIELD_URL, .required = true, .expected = A_URL }
#define TEXTS(field)        { .name = (field), .type = COMMAND_FIELD_TEXTS, .max = 1000, \
                              .expected = "must be an array of at most 1000 texts" GIVEN }

static const struct command TABLE[] = {
    { "agent.create", "POST", "/api/agents", false, false,
      { UUID_OR_NONE("agent_id"), TEXT("name"), TEXT_OR_NONE("region"),
        { .name = "backend", .type = COMMAND_FIELD_CHOICE, .choices = "github-actions|hetzner|provisioner",
          .expected = A_BACKEND } } },
    { "agent.provision", "POST", "/api/agents/{agent_id}/provision", false, false,
      { UUID("agent_id"), TEXT_OR_NONE("region") } },
    { "agent.start", "POST", "/api/agents/{agent_id}/start", false, false, { UUID("agent_id") } },
    { "agent.stop", "POST", "/api/agents/{agent_id}/stop", false, false, { UUID("agent_id") } },
    { "agent.destroy", "POST", "/api/agents/{agent_id}/destroy", false, false, { UUID("agent_id") } },
    { "job.retry", "POST", "/api/jobs/{job_id}/retry", false, false, { UUID("job_id") } },
    { "job.cancel", "POST", "/api/jobs/{job_id}/cancel", false, false, { UUID("job_id") } },
    { "checkout.start", "POST", "/api/checkout", false, false,
      { TEXT("plan"), URL("success_url"), URL("cancel_url") } },
    { "workspace.plan_change", "POST", "/api/workspaces/plan", false, false,
      { TEXT("plan_tier"), TEXT_OR_NONE("workspace_name"), TEXTS("shared_workflow_ids") } },
    { "subscription.resume", "POST", "/api/workspaces/billing/subscription/resume", false, false,
      { { .name = NULL } } },
    { "workspace.invite", "POST", "/api/workspaces/{workspace_id}/invites", false, false,
      { UUID("workspace_id"), EMAIL("email") } },
    { "invite.accept", "POST", "/api/invites/{token}/accept", false, false, { INVITATION("token") } },
    { "workspace.leave", "POST", "/api/workspaces/{workspace_id}/leave", false, false, { UUID("workspace_id") } },
    { "workspace.revoke", "POST", "/api/workspaces/{workspace_id}/revoke", false, false,
      { UUID("workspace_id"), TEXT("member_id") } },
    { "connection.share", "POST", "/api/workspaces/{workspace_id}/connections/{connection_id}", false, false,
      { UUID("workspace_id"), TEXT("connection_id"), TEXT("provider"), TOKEN("token") } },
    { "connection.unshare", "DELETE", "/api/workspaces/{workspace_id}/connections/{connection_id}", false, false,
      { UUID("workspace_id"), TEXT("connection_id") } },
    { "run.start", "POST", "/api/workflows/{workflow_id}/runs", false, false,
      { TEXT("workflow_id"), TEXT_OR_NONE("run_id"), UUID("workspace_id") } },
    { "run.finish", "POST", "/api/runs/{run_id}/finish", false, false,
      { TEXT("run_id"), TEXT_OR_NONE("workflow_id"), UUID_OR_NONE("workspace_id") } },
    { "usage.record", "POST", "/api/usage", false, false,
      { { .name = "metric", .type = COMMAND_FIELD_CHOICE, .required = true, .choices = "messages|api_calls",
          .expected = "must be messages or api_calls" },
        { .name = "count", .type = COMMAND_FIELD_INT, .required = true, .min = 1, .max = 1000000000,
          .expected = "must be a whole number from 1 to 1000000000" } } },
    { "early_access.join", "POST", "/api/early-access", false, true, { EMAIL("email") } },
    { "admin.purge_stale_runs", "POST", "/api/admin/purge-stale-runs", true, false,
      { { .name = "older_than_minutes", .type = COMMAND_FIELD_INT, .min = 1, .max = 525600,
          .expected = "must be a whole number from 1 to 525600" GIVEN } } },
};
/* clang-format on */

static const struct command_field USER_ID = TEXT("user_id");

const struct command *commands_table(size_t *ret_count)
{
    *ret_count = SL_ARRAY_LEN(TABLE);
    return TABLE;
}

const struct command *commands_find(struct sl_str type)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(TABLE); i++) {
        if (sl_str_is(type, TABLE[i].type))
            return &TABLE[i];
    }
    return NULL;
}

static bool is_text(struct sl_str text, size_t bytes_max)
{
    if (text.len == 0 || text.len > bytes_max)
        return false;
    for (size_t i = 0; i < text.len;) {
        size_t bytes = sl_utf8_bytes_at(text, i);
        uint32_t code = bytes > 0 ? sl_utf8_code_at(text, i) : 0;
        if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) /* C0 (and no UTF-8), DEL, C1 */
            return false;
        i += bytes;
    }
    return true;
}

static bool has_byte(struct sl_str text, char byte)
{
    struct sl_str rest = text;
    return sl_str_cut(&rest, byte).len < text.len;
}

static bool has_any(struct sl_str text, const char *bytes)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(bytes, text.ptr[i]))
            return true;
    }
    return false;
}

/* One plain address: a name beside it, a quoted local part, a comment or a list would have whoever sends the e-mail
 * read it otherwise than we compare it. Whether it exists only an e-mail tells. */
static bool is_email(struct sl_str text)
{
    if (!is_text(text, EMAIL_BYTES_MAX) || has_any(text, " ()<>[],;:\\\""))
        return false;
    struct sl_str domain = text;
    struct sl_str local = sl_str_cut(&domain, '@');
    if (local.len == 0 || local.len > EMAIL_LOCAL_BYTES_MAX || domain.len == 0 || has_byte(domain, '@') ||
        domain.ptr[domain.len - 1] == '.')
        return false;
    while (!sl_str_empty(domain)) {
        if (sl_str_empty(sl_str_cut(&domain, '.')))
            return false;
    }
    return true;
}

static bool is_url(struct sl_str text)
{
    static const struct sl_str https = {.ptr = "https://", .len = 8};
    static const struct sl_str http = {.ptr = "http://", .len = 7};
    size_t scheme = sl_str_starts_with(text, https) ? https.len : http.len;
    return is_text(text, URL_BYTES_MAX) && !has_byte(text, ' ') && text.len > scheme &&
           (sl_str_starts_with(text, https) || sl_str_starts_with(text, http)) && !strchr("/?#", text.ptr[scheme]);
}

/* The nil UUID is how "none" is written behind the door; from outside it names nothing. */
static bool is_uuid(struct sl_str text)
{
    struct sl_uuid uuid;
    return sl_uuid_parse(text, &uuid) && !sl_uuid_is_nil(uuid);
}

static bool is_choice(struct sl_str text, const char *choices)
{
    struct sl_str rest = sl_str_of(choices);
    while (!sl_str_empty(rest)) {
        if (sl_str_equal(sl_str_cut(&rest, '|'), text))
            return true;
    }
    return false;
}

static struct sl_str string_of(const json_t *value)
{
    if (!json_is_string(value))
        return SL_STR_NONE;
    return (struct sl_str){.ptr = json_string_value(value), .len = json_string_length(value)};
}

static bool are_texts(const json_t *value, size_t count_max)
{
    if (!json_is_array(value) || json_array_size(value) > count_max)
        return false;
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!is_text(string_of(json_array_get(value, i)), TEXT_BYTES_MAX))
            return false;
    }
    return true;
}

static bool is_int(const json_t *value, int64_t min, int64_t max)
{
    return json_is_integer(value) && json_integer_value(value) >= min && json_integer_value(value) <= max;
}

static bool field_is_good(const struct command_field *field, const json_t *value)
{
    struct sl_str text = string_of(value);
    if (!value || json_is_null(value))
        return !field->required;
    switch (field->type) {
    case COMMAND_FIELD_UUID:
        return is_uuid(text);
    case COMMAND_FIELD_TEXT:
        return is_text(text, (size_t)field->max);
    case COMMAND_FIELD_EMAIL:
        return is_email(text);
    case COMMAND_FIELD_URL:
        return is_url(text);
    case COMMAND_FIELD_INT:
        return is_int(value, field->min, field->max);
    case COMMAND_FIELD_CHOICE:
        return !sl_str_empty(text) && is_choice(text, field->choices);
    case COMMAND_FIELD_TEXTS:
        return are_texts(value, (size_t)field->max);
    case COMMAND_FIELD_NONE:
    case COMMAND_FIELD_TYPE_COUNT:
        break;
    }
    sl_assert_failed("a field of the table has a type", __FILE__, __LINE__);
}

bool commands_check(const struct command *command, const json_t *data, struct problem *ret_problem)
{
    struct problem problem;
    (void)problem_set(&problem, PROBLEM_INVALID_COMMAND, "see errors for each field of data");
    if (!json_is_object(data)) {
        problem_add_field(&problem, "data", "must be an object");
        *ret_problem = problem;
        return false;
    }
    if (!command->anonymous && !field_is_good(&USER_ID, json_object_get(data, USER_ID.name)))
        problem_add_field(&problem, USER_ID.name, USER_ID.expected);
    for (size_t i = 0; i < COMMAND_FIELDS_MAX && command->fields[i].name; i++) {
        const struct command_field *field = &command->fields[i];
        if (!field_is_good(field, json_object_get(data, field->name)))
            problem_add_field(&problem, field->name, field->expected);
    }
    if (problem.field_count == 0)
        return true;
    *ret_problem = problem;
    return false;
}

struct sl_str commands_subject(const json_t *data)
{
    static const char *const names[] = {"agent_id", "job_id", "workspace_id"};
    for (size_t i = 0; i < SL_ARRAY_LEN(names); i++) {
        struct sl_str id = string_of(json_object_get(data, names[i]));
        if (is_uuid(id))
            return id;
    }
    return SL_STR_NONE;
}
