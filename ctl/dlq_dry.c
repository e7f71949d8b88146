/* dlq_dry.c - see dlq_dry.h. Letters are decided in portions, in the order of the log: within one, each over what those
 * before it would leave.
 */
#include "ctl/dlq_dry.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/json.h"
#include "ctl/command.h"
#include "ctl/dlq_publish.h"
#include "ctl/dlq_reader.h"
#include "ctl/query.h"
#include "worker/apply/dry.h"

#define PAGE_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define DRY_BYTES_MAX  ((size_t)1024 * 1024 * 1024)
#define LINE_BYTES_MAX ((size_t)64 * 1024)

/* Beside what dry_run says: what keeps a letter from being decided at all. */
enum other { OTHER_UNDER_WAY = DRY_VERDICT_COUNT, OTHER_JOB_GONE, OTHER_GONE, VERDICT_COUNT };

struct dry {
    struct ctl *ctl;
    struct policy_set *policy;
    struct dlq_reader *reader;
    struct sl_arena *page_arena;
    struct sl_arena *arena;
    int64_t counts[VERDICT_COUNT];
    int64_t total;
};

static const char *verdict_name(int verdict)
{
    static const char *const OTHERS[] = {"under way", "job is gone", "message is gone"};
    return verdict < DRY_VERDICT_COUNT ? dry_verdict_name((enum dry_verdict)verdict)
                                       : OTHERS[verdict - OTHER_UNDER_WAY];
}

static void json_field(struct sl_buf *out, const char *name, struct sl_str value)
{
    (void)sl_buf_printf(out, ", \"%s\": ", name);
    if (sl_str_empty(value))
        (void)sl_buf_append_cstr(out, "null");
    else
        (void)sl_json_write_str(out, value);
}

static void print_json(const struct dlq_letter *letter, int verdict, const struct dry_result *result, bool is_first)
{
    struct sl_buf line;
    sl_buf_init(&line, LINE_BYTES_MAX);
    (void)sl_buf_printf(&line, "%s{\"id\": \"%s\"", is_first ? "" : ",\n", letter->id_text);
    json_field(&line, "event_id", letter->event_id);
    json_field(&line, "type", letter->type);
    json_field(&line, "user_id", letter->user_id);
    json_field(&line, "verdict", sl_str_of(verdict_name(verdict)));
    json_field(&line, "rule", result->rule ? sl_str_of(result->rule) : SL_STR_NONE);
    json_field(&line, "error_code", result->error_code);
    json_field(&line, "message", result->message);
    (void)sl_buf_append_cstr(&line, "}");
    (void)fwrite(line.data, 1, line.len, stdout);
    sl_buf_deinit(&line);
}

static void print_line(const struct dlq_letter *letter, int verdict, const struct dry_result *result)
{
    const struct sl_str dash = SL_STR("-");
    struct sl_str type = sl_str_empty(letter->type) ? dash : letter->type;
    struct sl_str user = sl_str_empty(letter->user_id) ? dash : letter->user_id;
    printf("%s  %-15s  %-36.*s  %-24.*s  %s%s%.*s%s%.*s\n", letter->id_text, verdict_name(verdict), (int)type.len,
           type.ptr, (int)user.len, user.ptr, result->rule ? result->rule : "-",
           sl_str_empty(result->error_code) ? "" : " ", SL_STR_ARG(result->error_code),
           sl_str_empty(result->message) ? "" : ": ", SL_STR_ARG(result->message));
}

static void tell(struct dry *dry, const struct dlq_letter *letter, int verdict, const struct dry_result *result)
{
    static const struct dry_result NOTHING;
    result = result ? result : &NOTHING;
    if (dry->ctl->options.json)
        print_json(letter, verdict, result, dry->total == 0);
    else
        print_line(letter, verdict, result);
    dry->counts[verdict]++;
    dry->total++;
}

/* The event of the letter, if it is to be decided; else *ret_verdict says why not, and *ret_result what it is. */
static bool event_of(struct dry *dry, const struct dlq_letter *letter, int64_t now_ms, struct sl_event *ret_event,
                     int *ret_verdict, struct dry_result *ret_result)
{
    struct sl_err err = {0};
    *ret_result = (struct dry_result){0};
    if (letter->state != DLQ_WAITS) {
        *ret_verdict = letter->state == DLQ_OVER        ? DRY_DUPLICATE
                       : letter->state == DLQ_UNDER_WAY ? OTHER_UNDER_WAY
                                                        : OTHER_JOB_GONE;
        return false;
    }
    if (dlq_letter_is_job(letter)) {
        struct sl_buf body;
        sl_buf_init(&body, COMMAND_BYTES_MAX);
        bool ok = dlq_retry_event(letter, now_ms, &body, ret_event, &err);
        SL_ASSERT(ok);
        ret_event->data = sl_arena_str(dry->arena, ret_event->data);
        sl_buf_deinit(&body);
        return true;
    }
    if (!letter->message) {
        *ret_verdict = OTHER_GONE;
        return false;
    }
    if (sl_kafka_event_of(letter->message, ret_event, &err))
        return true;
    *ret_verdict = DRY_UNREADABLE;
    ret_result->message = sl_arena_str(dry->arena, sl_str_of(err.message));
    return false;
}

/* Letters whose messages are there. */
static bool decide_portion(struct dry *dry, const struct dlq_letter *letters, size_t count, struct sl_err *err)
{
    const int64_t now_ms = sl_clock_wall_ms();
    struct sl_pg *pg = query_session(dry->ctl, err);
    sl_arena_reset(dry->arena);
    struct sl_event *events = sl_arena_alloc(dry->arena, count + 1, sizeof(*events));
    struct dry_result *decided = sl_arena_alloc(dry->arena, count + 1, sizeof(*decided));
    struct dry_result *others = sl_arena_alloc(dry->arena, count + 1, sizeof(*others));
    int *verdicts = sl_arena_alloc(dry->arena, count + 1, sizeof(*verdicts)); /* 0: to be decided */
    size_t event_count = 0;
    if (!pg)
        return false;
    for (size_t i = 0; i < count; i++)
        event_count += event_of(dry, &letters[i], now_ms, &events[event_count], &verdicts[i], &others[i]);
    if (event_count && !dry_run(pg, dry->policy, dry->arena, events, event_count, now_ms, decided, err))
        return false;
    for (size_t i = 0, next = 0; i < count; i++) {
        const struct dry_result *result = verdicts[i] ? &others[i] : &decided[next++];
        tell(dry, &letters[i], verdicts[i] ? verdicts[i] : (int)result->verdict, result);
    }
    return true;
}

static bool decide_all(struct dry *dry, const struct dlq_filter *filter, int64_t limit, struct sl_err *err)
{
    static struct dlq_letter letters[DLQ_PAGE_MAX];
    struct dlq_cursor cursor;
    if (!dlq_cursor_start(dry->ctl, filter, &cursor, err))
        return false;
    while (dry->total < limit) {
        size_t count = 0;
        size_t most = limit - dry->total < DLQ_PAGE_MAX ? (size_t)(limit - dry->total) : DLQ_PAGE_MAX;
        sl_arena_reset(dry->page_arena);
        if (!dlq_cursor_next(dry->ctl, filter, &cursor, most, dry->page_arena, letters, &count, err))
            return false;
        if (!count)
            break;
        for (size_t done = 0, portion = 0; done < count; done += portion) {
            if (!dlq_reader_fetch(dry->reader, letters + done, count - done, &portion, err))
                return false;
            bool ok = decide_portion(dry, letters + done, portion, err);
            dlq_reader_release(letters + done, portion);
            if (!ok)
                return false;
        }
    }
    return true;
}

static void print_counts(const struct dry *dry)
{
    bool json = dry->ctl->options.json;
    const char *separator = "";
    printf(json ? "],\n\"counts\": {" : "%" PRId64 " letters: ", dry->total);
    for (int i = 1; i < VERDICT_COUNT; i++) {
        if (!dry->counts[i])
            continue;
        printf(json ? "%s\"%s\": %" PRId64 : "%s%s %" PRId64, separator, verdict_name(i), dry->counts[i]);
        separator = ", ";
    }
    printf(json ? "}}\n" : "\n");
}

enum ctl_exit dlq_dry_run(struct ctl *ctl, const struct dlq_filter *filter, int64_t limit)
{
    struct sl_err err = {0};
    struct dry dry = {.ctl = ctl};
    bool ok = false;
    dry.page_arena = sl_arena_create(PAGE_BYTES_MAX);
    dry.arena = sl_arena_create(DRY_BYTES_MAX);
    dry.policy = policy_create(ctl->config, &err);
    dry.reader = dry.policy ? dlq_reader_create(ctl->config, &err) : NULL;
    if (dry.reader) {
        if (ctl->options.json)
            printf("{\"letters\": [");
        ok = decide_all(&dry, filter, limit, &err);
        print_counts(&dry);
    }
    dlq_reader_destroy(dry.reader);
    policy_destroy(dry.policy);
    sl_arena_destroy(dry.arena);
    sl_arena_destroy(dry.page_arena);
    if (!ok)
        return ctl_fail(&err);
    return dry.total == 0 && dlq_filter_names_nothing(filter) ? CTL_FOUND : CTL_DONE;
}
