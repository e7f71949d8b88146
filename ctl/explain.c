/* explain.c - sluicectl explain event|job|agent: why something is as it is. The chain from the request through its
 * place in the log, the decision, the jobs and every call to a cloud, to the reports that came back and what was
 * decided of them, as a tree. What is not known any more is said, not left out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "ctl/publish.h"
#include "ctl/query.h"
#include "ctl/tree.h"
#include "worker/decide/rulebook.h"

#define NODES_MAX 2000 /* events and jobs of one tree; what is more is said to be */

#define EVENT_COLUMNS                                                                                                  \
    "SELECT source, id, type, user_id, topic, partition, \"offset\" AS log_offset, outcome, error_code, rule,"         \
    " generation, result, earlier, received_at, decided_at,"                                                           \
    " round(extract(epoch FROM decided_at - received_at) * 1000) AS lag_ms FROM sluice.events e"
static const char EVENT[] = EVENT_COLUMNS " WHERE id = $1 AND ($2::text IS NULL OR source = $2) ORDER BY source";
/* Decisions that changed a job, but for the one that made it. */
static const char EVENTS_OF_JOB[] = EVENT_COLUMNS
    " WHERE user_id = (SELECT user_id FROM sluice.jobs WHERE id = $1::text::uuid) AND result->'job_ids' ? $1::text"
    " AND received_at >= (SELECT created_at FROM sluice.jobs WHERE id = $1::text::uuid) - interval '1 hour'"
    " AND NOT EXISTS (SELECT FROM sluice.jobs j WHERE j.id = $1::text::uuid AND j.cause_event_id = e.id"
    "  AND j.cause_source = e.source) ORDER BY decided_no NULLS FIRST, decided_at LIMIT 200";
static const char EVENTS_OF_AGENT[] = EVENT_COLUMNS
    " WHERE user_id = (SELECT user_id FROM sluice.agents WHERE id = $1::text::uuid) AND id IN (SELECT event_id"
    "  FROM sluice.audit_log WHERE user_id = (SELECT user_id FROM sluice.agents WHERE id = $1::text::uuid)"
    "  AND target = 'agent:' || $1::text) ORDER BY decided_no NULLS FIRST, decided_at LIMIT 500";
#define JOB_COLUMNS                                                                                                    \
    "SELECT id, kind, backend, agent_id, user_id, status, step, attempt, generation, error, rule, cause_source,"       \
    " cause_event_id, run_id, args->>'template' AS template, args->>'to' AS recipient, created_at, ended_at,"          \
    " claimed_at, answer_type FROM sluice.jobs"
static const char JOB[] = JOB_COLUMNS " WHERE id = $1::text::uuid";
static const char JOBS_OF_EVENT[] =
    JOB_COLUMNS " WHERE user_id = $3 AND cause_event_id = $1 AND cause_source = $2 ORDER BY seq";
static const char JOBS_OF_AGENT[] =
    JOB_COLUMNS " WHERE user_id = (SELECT user_id FROM sluice.agents WHERE id = $1::text::uuid)"
                " AND agent_id = $1::text::uuid ORDER BY seq";
static const char CALLS[] = "SELECT at, step, attempt, cloud, method, path, status, verdict, took_ms, error"
                            " FROM sluice.job_calls WHERE job_id = $1::text::uuid ORDER BY id LIMIT 500";
static const char TIMERS[] = "SELECT kind, due_at, fired_at, decided_at, cancelled_at FROM sluice.timers"
                             " WHERE id IN ($1::text::uuid, $2::text::uuid) ORDER BY due_at";
static const char AUDIT[] =
    "SELECT at, action, target, detail::text AS detail FROM sluice.audit_log WHERE event_id = $1"
    " AND user_id = $2 ORDER BY at, audit_log.id LIMIT 100";
static const char LETTERS[] = "SELECT id, stage, cause, error, attempts, status, first_at, last_at FROM"
                              " sluice.dead_letters WHERE event_id = $1 AND source = $2 ORDER BY first_at";
static const char LETTERS_OF_JOB[] = "SELECT id, stage, cause, error, attempts, status, first_at, last_at FROM"
                                     " sluice.dead_letters WHERE job_id = $1::text::uuid ORDER BY first_at";
static const char PARKED[] =
    "SELECT customer_id, received_at FROM sluice.parked_events WHERE event_id = $1 AND source = $2";
static const char HELD[] =
    "SELECT h.received_at, h.released_at, (SELECT count(*) FROM sluice.held_events b WHERE b.user_id = h.user_id"
    "  AND b.seq < h.seq) AS before_it, (SELECT string_agg(l.event_id || ' (' || l.cause || ')', ', ')"
    "  FROM sluice.dead_letters l WHERE l.user_id = h.user_id AND l.status = 'open' AND l.stage IN ('decide', "
    "'commit'))"
    "  AS letters FROM sluice.held_events h WHERE h.event_id = $1 AND h.source = $2";
static const char AGENT[] = "SELECT id, user_id, name, backend, region, status, status_reason, server_id, app_name,"
                            " stopped_by, created_at FROM sluice.agents WHERE id = $1::text::uuid";

struct explainer {
    struct ctl *ctl;
    json_t *seen; /* "event <source> <id>", "job <id>": told already */
    size_t nodes;
    struct sl_err err;
    bool failed;
};

/* The rows as JSON objects, never NULL; a failure is noted and gives none. */
static json_t *rows_of(struct explainer *explainer, const char *sql, const char *const *values, int count)
{
    char *text = NULL;
    if (explainer->failed || !query_json(explainer->ctl, sql, values, count, &text, &explainer->err)) {
        explainer->failed = true;
        return json_array();
    }
    json_t *rows = json_loads(text, 0, NULL);
    free(text);
    SL_ASSERT(rows);
    return rows;
}

static const char *text_of(const json_t *row, const char *key)
{
    return json_string_value(json_object_get(row, key));
}

static const char *text_or(const json_t *row, const char *key, const char *otherwise)
{
    const char *text = text_of(row, key);
    return text && *text ? text : otherwise;
}

static long long number_of(const json_t *row, const char *key)
{
    return (long long)json_number_value(json_object_get(row, key));
}

static bool is_told(struct explainer *explainer, const char *what, const char *source, const char *id)
{
    char key[1024];
    (void)snprintf(key, sizeof(key), "%s %s %s", what, source, id);
    bool known = json_object_get(explainer->seen, key) != NULL;
    (void)json_object_set_new(explainer->seen, key, json_true());
    return known;
}

static const struct rule *rule_of(const char *name)
{
    size_t count = 0;
    const struct rule *rows = rulebook_rows(&count);
    for (size_t i = 0; name && i < count; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    return NULL;
}

static const char *const HEADERS_SHOWN[] = {"ce_time", "ce_subject", "traceparent", "sluice-replay", "content-type"};

/* What the request left in the log. */
static void tell_message(struct explainer *explainer, json_t *node, const json_t *event)
{
    rd_kafka_t *consumer = NULL;
    rd_kafka_message_t *message = NULL;
    rd_kafka_headers_t *headers = NULL;
    struct sl_err err = {0};
    if (!publish_fetch(explainer->ctl->config, text_of(event, "topic"), (int32_t)number_of(event, "partition"),
                       number_of(event, "log_offset"), &consumer, &message, &err)) {
        tree_note(node, "message", NULL, "its message is not to be had: %s", err.message);
        return;
    }
    json_t *child = tree_node("message", NULL, "key %.*s, %zu bytes", (int)message->key_len,
                              message->key ? (const char *)message->key : "", message->len);
    (void)rd_kafka_message_headers(message, &headers);
    for (size_t i = 0; headers && i < SL_ARRAY_LEN(HEADERS_SHOWN); i++) {
        const void *value = NULL;
        size_t bytes = 0;
        if (!rd_kafka_header_get_last(headers, HEADERS_SHOWN[i], &value, &bytes) && value)
            tree_note(child, "header", NULL, "%s: %.*s", HEADERS_SHOWN[i], (int)bytes, (const char *)value);
    }
    tree_add(node, child);
    rd_kafka_message_destroy(message);
    rd_kafka_destroy(consumer);
}

static void tell_letters(struct explainer *explainer, json_t *node, const char *sql, const char *const *values,
                         int count)
{
    size_t i;
    json_t *row;
    json_t *rows = rows_of(explainer, sql, values, count);
    json_array_foreach(rows, i, row)
        tree_note(node, "dead_letter", text_of(row, "first_at"), "dead letter %s, %s: stage %s, %s: %s (%lld attempts)",
                  text_of(row, "id"), text_of(row, "status"), text_of(row, "stage"), text_of(row, "cause"),
                  text_of(row, "error"), number_of(row, "attempts"));
    json_decref(rows);
}

/* What it waited for, and waits for. */
static void tell_waits(struct explainer *explainer, json_t *node, const json_t *event)
{
    const char *values[] = {text_of(event, "id"), text_of(event, "source")};
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(event, "earlier"), i, row)
    {
        int64_t at_ms = 0;
        char at[SL_CLOCK_ISO_BYTES];
        (void)!sl_json_int(row, "decided_at_ms", &at_ms);
        sl_clock_format_iso(at_ms, at);
        const char *message = json_string_value(json_object_get(json_object_get(row, "result"), "message"));
        tree_note(node, "earlier", at, "%s first, at partition %lld offset %lld: %s", text_or(row, "outcome", "?"),
                  number_of(row, "partition"), number_of(row, "offset"), message ? message : "");
    }
    json_t *rows = rows_of(explainer, PARKED, values, 2);
    json_array_foreach(rows, i, row)
        tree_note(node, "parked", text_of(row, "received_at"),
                  "waits since then until somebody is known to be customer %s", text_of(row, "customer_id"));
    json_decref(rows);
    rows = rows_of(explainer, HELD, values, 2);
    json_array_foreach(rows, i, row)
        tree_note(node, "held", text_of(row, "received_at"), "held since then, %lld before it, behind %s",
                  number_of(row, "before_it"), text_or(row, "letters", "others that were held"));
    json_decref(rows);
    tell_letters(explainer, node, LETTERS, values, 2);
}

static void tell_decision(struct explainer *explainer, json_t *node, const json_t *event)
{
    const struct rule *rule = rule_of(text_of(event, "rule"));
    const json_t *result = json_object_get(event, "result");
    json_t *decision =
        tree_node("decision", text_of(event, "decided_at"), "decided %s%s%s by %s after %lld ms: %s",
                  text_of(event, "outcome"), text_of(event, "error_code") ? " " : "", text_or(event, "error_code", ""),
                  text_or(event, "rule", "no rule"), number_of(event, "lag_ms"), text_or(result, "message", ""));
    if (rule)
        tree_note(decision, "rule", NULL, "the rule: %s -> %s", rule->condition ? rule->condition : "always",
                  rule->effect ? rule->effect : "it waits");
    if (json_is_true(json_object_get(result, "pending")))
        tree_note(decision, "pending", NULL, "who asked is answered when its job ends");
    const char *values[] = {text_of(event, "id"), text_of(event, "user_id")};
    size_t i;
    json_t *row;
    json_t *rows = rows_of(explainer, AUDIT, values, 2);
    json_array_foreach(rows, i, row)
        tree_note(decision, "audit", NULL, "%s %s", text_of(row, "action"), text_or(row, "target", ""));
    json_decref(rows);
    tree_add(node, decision);
}

static json_t *explain_one_job(struct explainer *explainer, const json_t *job);

static json_t *explain_one_event(struct explainer *explainer, const json_t *event, bool is_root)
{
    const char *values[] = {text_of(event, "id"), text_of(event, "source"), text_of(event, "user_id")};
    json_t *node = tree_node("event", text_of(event, "received_at"), "%s %s from %s, user %s", text_of(event, "type"),
                             values[0], values[1], text_or(event, "user_id", "not known"));
    size_t i;
    json_t *job;
    (void)json_object_set(node, "event", (json_t *)(uintptr_t)event);
    if (is_told(explainer, "event", values[1], values[0]) || ++explainer->nodes > NODES_MAX) {
        tree_note(node, "told", NULL, explainer->nodes > NODES_MAX ? "the tree is too large to go on" : "told above");
        return node;
    }
    tree_note(node, "position", NULL, "%s partition %lld offset %lld%s", text_of(event, "topic"),
              number_of(event, "partition"), number_of(event, "log_offset"),
              number_of(event, "generation") ? ", a replay" : "");
    if (is_root)
        tell_message(explainer, node, event);
    tell_waits(explainer, node, event);
    tell_decision(explainer, node, event);
    json_t *jobs = values[2] ? rows_of(explainer, JOBS_OF_EVENT, values, 3) : json_array();
    json_array_foreach(jobs, i, job) tree_add(node, explain_one_job(explainer, job));
    if (!json_array_size(jobs) && json_array_size(json_object_get(json_object_get(event, "result"), "job_ids")) &&
        is_root)
        tree_note(node, "jobs", NULL,
                  "it made no job of its own; those that it changed are told with their own events");
    json_decref(jobs);
    return node;
}

static void tell_calls(struct explainer *explainer, json_t *node, const char *job_id)
{
    const char *values[] = {job_id};
    size_t i;
    json_t *row;
    json_t *rows = rows_of(explainer, CALLS, values, 1);
    json_array_foreach(rows, i, row) tree_note(
        node, "call", text_of(row, "at"), "%s: %s %s %s -> %lld, %s after %lld ms%s%s%s", text_of(row, "step"),
        text_of(row, "cloud"), text_of(row, "method"), text_of(row, "path"), number_of(row, "status"),
        text_of(row, "verdict"), number_of(row, "took_ms"), number_of(row, "attempt") > 0 ? ", once more" : "",
        text_of(row, "error") ? ": " : "", text_or(row, "error", ""));
    json_decref(rows);
}

static void tell_timers(struct explainer *explainer, json_t *node, const char *job_id)
{
    static const char *const KINDS[] = {"heartbeat_missed", "provision_timeout"};
    char ids[SL_ARRAY_LEN(KINDS)][SL_UUID_TEXT_BYTES];
    const char *values[SL_ARRAY_LEN(KINDS)];
    for (size_t k = 0; k < SL_ARRAY_LEN(KINDS); k++) {
        sl_uuid_format(timer_id_of(KINDS[k], sl_str_of(job_id)), ids[k]);
        values[k] = ids[k];
    }
    size_t i;
    json_t *row;
    json_t *rows = rows_of(explainer, TIMERS, values, SL_ARRAY_LEN(KINDS));
    json_array_foreach(rows, i, row)
        tree_note(node, "timer", text_of(row, "due_at"), "timer %s %s", text_of(row, "kind"),
                  text_of(row, "cancelled_at") ? "would have been due; it was cancelled"
                  : text_of(row, "decided_at") ? "was due, and was decided"
                                               : "is due");
    json_decref(rows);
}

static json_t *explain_one_job(struct explainer *explainer, const json_t *job)
{
    const char *id = text_of(job, "id");
    const char *values[] = {id};
    json_t *node = tree_node("job", text_of(job, "created_at"), "job %s %s%s%s%s%s %s%s%s%s", id, text_of(job, "kind"),
                             text_or(job, "backend", "")[0] ? " at " : "", text_or(job, "backend", ""),
                             text_of(job, "template") ? " " : "", text_or(job, "template", ""), text_of(job, "status"),
                             text_of(job, "error") ? ": " : "", text_or(job, "error", ""),
                             number_of(job, "generation") ? " (retried)" : "");
    size_t i;
    json_t *event;
    (void)json_object_set(node, "job", (json_t *)(uintptr_t)job);
    if (is_told(explainer, "job", "", id) || ++explainer->nodes > NODES_MAX) {
        tree_note(node, "told", NULL, explainer->nodes > NODES_MAX ? "the tree is too large to go on" : "told above");
        return node;
    }
    tell_calls(explainer, node, id);
    tell_timers(explainer, node, id);
    tell_letters(explainer, node, LETTERS_OF_JOB, values, 1);
    json_t *events = rows_of(explainer, EVENTS_OF_JOB, values, 1);
    json_array_foreach(events, i, event) tree_add(node, explain_one_event(explainer, event, false));
    json_decref(events);
    tree_sort(node);
    return node;
}

/* Prints and frees the tree, or says what failed. */
static enum ctl_exit finish(struct explainer *explainer, json_t *tree)
{
    enum ctl_exit code = CTL_DONE;
    json_decref(explainer->seen);
    if (explainer->failed) {
        code = ctl_fail(&explainer->err);
    } else if (explainer->ctl->options.json) {
        (void)json_dumpf(tree, stdout, JSON_INDENT(2));
        (void)fputc('\n', stdout);
    } else {
        tree_print(tree);
    }
    json_decref(tree);
    return code;
}

static struct explainer explainer_of(struct ctl *ctl)
{
    return (struct explainer){.ctl = ctl, .seen = json_object()};
}

static enum ctl_exit not_found(struct explainer *explainer, json_t *rows, const char *noun)
{
    enum ctl_exit code = CTL_FOUND;
    if (explainer->failed) {
        code = ctl_fail(&explainer->err);
    } else if (json_array_size(rows) > 1) {
        (void)fprintf(stderr, "sluicectl: %zu sources sent an event \"%s\": choose one with --source\n",
                      json_array_size(rows), explainer->ctl->options.words[2]);
        code = CTL_USAGE;
    } else {
        (void)fprintf(stderr, "sluicectl: no %s has the id \"%s\"; it may be pruned\n", noun,
                      explainer->ctl->options.words[2]);
    }
    json_decref(rows);
    json_decref(explainer->seen);
    return code;
}

/* The id as Postgres writes it; one that is none is nobody's. */
static bool read_id(const struct ctl *ctl, char ret_text[SL_UUID_TEXT_BYTES])
{
    struct sl_uuid id;
    if (!sl_uuid_parse(sl_str_of(ctl->options.words[2]), &id))
        return false;
    sl_uuid_format(id, ret_text);
    return true;
}

enum ctl_exit explain_event(struct ctl *ctl)
{
    struct explainer explainer = explainer_of(ctl);
    const char *values[] = {ctl->options.words[2], ctl->options.values[OPTION_SOURCE]};
    json_t *rows = rows_of(&explainer, EVENT, values, 2);
    if (json_array_size(rows) != 1)
        return not_found(&explainer, rows, "event");
    json_t *tree = explain_one_event(&explainer, json_array_get(rows, 0), true);
    json_decref(rows);
    return finish(&explainer, tree);
}

/* The event that made the job, with what else came of it. */
enum ctl_exit explain_job(struct ctl *ctl)
{
    struct explainer explainer = explainer_of(ctl);
    char id[SL_UUID_TEXT_BYTES] = "";
    const char *values[] = {id};
    json_t *rows = read_id(ctl, id) ? rows_of(&explainer, JOB, values, 1) : json_array();
    if (json_array_size(rows) != 1)
        return not_found(&explainer, rows, "job");
    const json_t *job = json_array_get(rows, 0);
    const char *cause[] = {text_of(job, "cause_event_id"), text_of(job, "cause_source")};
    json_t *events = rows_of(&explainer, EVENT, cause, 2);
    json_t *tree = NULL;
    if (json_array_size(events) == 1) {
        tree = explain_one_event(&explainer, json_array_get(events, 0), true);
    } else {
        tree = explain_one_job(&explainer, job);
        tree_note(tree, "cause", NULL, "the event that made it (%s) is pruned", text_or(job, "cause_event_id", "none"));
    }
    json_decref(events);
    json_decref(rows);
    return finish(&explainer, tree);
}

enum ctl_exit explain_agent(struct ctl *ctl)
{
    struct explainer explainer = explainer_of(ctl);
    char id[SL_UUID_TEXT_BYTES] = "";
    const char *values[] = {id};
    size_t i;
    json_t *row;
    json_t *rows = read_id(ctl, id) ? rows_of(&explainer, AGENT, values, 1) : json_array();
    if (json_array_size(rows) != 1)
        return not_found(&explainer, rows, "agent");
    const json_t *agent = json_array_get(rows, 0);
    json_t *tree = tree_node("agent", text_of(agent, "created_at"), "agent %s \"%s\" of user %s: %s%s%s", values[0],
                             text_of(agent, "name"), text_of(agent, "user_id"), text_of(agent, "status"),
                             text_of(agent, "status_reason") ? ", " : "", text_or(agent, "status_reason", ""));
    (void)json_object_set(tree, "agent", (json_t *)(uintptr_t)agent);
    json_t *events = rows_of(&explainer, EVENTS_OF_AGENT, values, 1);
    json_array_foreach(events, i, row) tree_add(tree, explain_one_event(&explainer, row, false));
    json_t *jobs = rows_of(&explainer, JOBS_OF_AGENT, values, 1);
    json_array_foreach(jobs, i, row)
    {
        char key[128];
        (void)snprintf(key, sizeof(key), "job  %s", text_of(row, "id"));
        if (!json_object_get(explainer.seen, key))
            tree_add(tree, explain_one_job(&explainer, row));
    }
    json_decref(jobs);
    json_decref(events);
    json_decref(rows);
    tree_sort(tree);
    return finish(&explainer, tree);
}
