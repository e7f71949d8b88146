/* gap.c - see gap.h. */
#include "ctl/gap.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/json.h"
#include "ctl/audit.h"
#include "ctl/progress.h"
#include "ctl/query.h"

#define DAY_MS         (INT64_C(24) * 3600 * 1000)
#define LOOKED_AT_ONCE 5000
#define LOOK_EVERY_MS  300
#define ARENA_BYTES    ((size_t)64 * 1024 * 1024)
#define SHOWN_MAX      1000 /* missing ids that are printed for people */

static const char HELD[] = "SELECT id FROM sluice.events WHERE source = $2 AND id = ANY($1) ORDER BY id COLLATE \"C\"";

bool gap_read_span(const struct ctl *ctl, const struct gap_limits *limits, struct gap_span *ret_span,
                   struct sl_err *err)
{
    const int64_t now_ms = sl_clock_wall_ms();
    struct gap_span span = {0};
    if (!options_time(&ctl->options, OPTION_SINCE, now_ms, &span.since_ms, err) ||
        !options_time(&ctl->options, OPTION_UNTIL, now_ms, &span.until_ms, err) ||
        !options_int(&ctl->options, OPTION_RATE, limits->rate_default, limits->rate_min, limits->rate_max, &span.rate,
                     err) ||
        !options_int(&ctl->options, OPTION_WAIT, 60, 0, 3600, &span.wait_s, err))
        return false;
    if (!span.since_ms)
        return sl_err_set(err, SL_ERR_PERMANENT, "--since is missing: from when on?");
    if (span.since_ms < now_ms - limits->keeps_days * DAY_MS)
        (void)fprintf(stderr, "sluicectl: %s keeps them for %d days: what is older can't be had from it\n",
                      limits->sender, limits->keeps_days);
    *ret_span = span;
    return true;
}

bool gap_init(struct gap *gap, const char *source, struct sl_err *err)
{
    *gap = (struct gap){.source = source, .spool = tmpfile()};
    return gap->spool || sl_err_set(err, SL_ERR_PERMANENT, "no temporary file can be made");
}

static void free_item(struct gap_item *item)
{
    free(item->id);
    free(item->type);
    free(item->sender_id);
}

void gap_deinit(struct gap *gap)
{
    for (size_t i = 0; i < gap->count; i++)
        free_item(&gap->items[i]);
    free(gap->items);
    free(gap->by_id);
    if (gap->spool)
        (void)fclose(gap->spool);
    *gap = (struct gap){.source = NULL};
}

bool gap_add(struct gap *gap, const char *id, const char *sender_id, const char *type, int64_t at_ms,
             struct sl_str text, struct sl_err *err)
{
    if (gap->count == GAP_MAX) {
        (void)sl_err_set(err, SL_ERR_PERMANENT, "there are more than %d events", GAP_MAX);
        sl_err_hint(err, "take a part at a time, with --since and --until");
        return false;
    }
    struct gap_item item = {.at_ms = at_ms, .spooled_at = -1, .bytes = text.len};
    if (text.len > 0) {
        item.spooled_at = ftell(gap->spool);
        if (item.spooled_at < 0 || fwrite(text.ptr, 1, text.len, gap->spool) != text.len)
            return sl_err_set(err, SL_ERR_PERMANENT, "the temporary file can't take the events");
    }
    item.id = sl_strdup(id);
    item.type = sl_strdup(type);
    item.sender_id = sender_id ? sl_strdup(sender_id) : NULL;
    if (gap->count == gap->cap) {
        gap->cap = gap->cap ? gap->cap * 2 : 256;
        gap->items = sl_realloc(gap->items, gap->cap * sizeof(*gap->items));
    }
    gap->items[gap->count++] = item;
    return true;
}

static int by_id_newest(const void *left, const void *right)
{
    const struct gap_item *a = left;
    const struct gap_item *b = right;
    int order = strcmp(a->id, b->id);
    return order ? order : (a->at_ms < b->at_ms) - (a->at_ms > b->at_ms);
}

static int by_time(const void *left, const void *right)
{
    const struct gap_item *a = left;
    const struct gap_item *b = right;
    int order = (a->at_ms > b->at_ms) - (a->at_ms < b->at_ms);
    /* of one second the list's order, which is the file's, newest first */
    return order ? order : (a->spooled_at < b->spooled_at) - (a->spooled_at > b->spooled_at);
}

static int of_id(const void *left, const void *right)
{
    const struct gap_item *const *a = left;
    const struct gap_item *const *b = right;
    return strcmp((*a)->id, (*b)->id);
}

struct gap_item *gap_find(const struct gap *gap, const char *id)
{
    size_t low = 0;
    for (size_t high = gap->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(gap->by_id[middle]->id, id);
        if (order == 0)
            return gap->by_id[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void gap_sort(struct gap *gap)
{
    size_t kept = 0;
    if (gap->count == 0)
        return;
    qsort(gap->items, gap->count, sizeof(*gap->items), by_id_newest);
    for (size_t i = 0; i < gap->count; i++) {
        if (kept > 0 && strcmp(gap->items[kept - 1].id, gap->items[i].id) == 0)
            free_item(&gap->items[i]);
        else
            gap->items[kept++] = gap->items[i];
    }
    gap->count = kept;
    qsort(gap->items, gap->count, sizeof(*gap->items), by_time);
    gap->by_id = sl_realloc(gap->by_id, gap->count * sizeof(struct gap_item *));
    for (size_t i = 0; i < gap->count; i++)
        gap->by_id[i] = &gap->items[i];
    qsort(gap->by_id, gap->count, sizeof(struct gap_item *), of_id);
}

bool gap_text(struct gap *gap, const struct gap_item *item, char **ret_text, struct sl_err *err)
{
    SL_ASSERT(item->spooled_at >= 0);
    char *text = sl_malloc(item->bytes + 1);
    if (fseek(gap->spool, item->spooled_at, SEEK_SET) != 0 || fread(text, 1, item->bytes, gap->spool) != item->bytes) {
        free(text);
        return sl_err_set(err, SL_ERR_PERMANENT, "the temporary file can't be read");
    }
    text[item->bytes] = '\0';
    *ret_text = text;
    return true;
}

static bool is_among(const PGresult *rows, const char *id)
{
    int low = 0;
    for (int high = PQntuples(rows); low < high;) {
        int middle = low + (high - low) / 2;
        int order = sl_str_compare(sl_pg_get_text(rows, middle, 0), sl_str_of(id));
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Those from `*at` on that are not held yet, a statement's worth. */
static bool look_at_some(struct sl_pg *pg, struct gap *gap, struct sl_arena *arena, size_t *at, struct sl_err *err)
{
    struct sl_pg_array *ids = sl_pg_array_create(arena, SL_PG_TEXT);
    struct sl_pg_params params;
    SL_PG_AUTO *rows = NULL;
    size_t first = *at;
    size_t next = first;
    for (; next < gap->count && sl_pg_array_count(ids) < LOOKED_AT_ONCE; next++)
        if (!gap->items[next].is_held)
            sl_pg_array_text(ids, sl_str_of(gap->items[next].id));
    *at = next;
    if (sl_pg_array_count(ids) == 0)
        return true;
    sl_pg_params_init(&params, arena);
    sl_pg_array(&params, ids);
    sl_pg_text(&params, sl_str_of(gap->source));
    if (!sl_pg_run(pg, HELD, &params, &rows, err))
        return false;
    for (size_t i = first; i < next; i++)
        gap->items[i].is_held = gap->items[i].is_held || is_among(rows, gap->items[i].id);
    return true;
}

bool gap_look(struct ctl *ctl, struct gap *gap, bool first, struct sl_err *err)
{
    struct sl_pg *pg = query_session(ctl, err);
    if (!pg)
        return false;
    struct sl_arena *arena = sl_arena_create(ARENA_BYTES);
    bool ok = true;
    for (size_t at = 0; ok && at < gap->count; sl_arena_reset(arena))
        ok = look_at_some(pg, gap, arena, &at, err);
    sl_arena_destroy(arena);
    for (size_t i = 0; ok && first && i < gap->count; i++)
        gap->items[i].was_held = gap->items[i].is_held;
    return ok;
}

static size_t count_held(const struct gap *gap)
{
    size_t held = 0;
    for (size_t i = 0; i < gap->count; i++)
        held += gap->items[i].is_held;
    return held;
}

static bool may_come(const struct gap *gap)
{
    for (size_t i = 0; i < gap->count; i++)
        if (!gap->items[i].is_held && !gap->items[i].is_refused)
            return true;
    return false;
}

bool gap_await(struct ctl *ctl, struct gap *gap, int64_t wait_s, struct sl_err *err)
{
    const int64_t deadline_ms = sl_clock_mono_ms() + wait_s * 1000;
    for (;;) {
        if (!gap_look(ctl, gap, false, err))
            return false;
        if (!may_come(gap) || sl_clock_mono_ms() >= deadline_ms || !progress_sleep(LOOK_EVERY_MS))
            break;
        progress_show("waiting: %zu of %zu are held", count_held(gap), gap->count);
    }
    progress_end();
    return true;
}

static json_t *missing_ids(const struct gap *gap)
{
    json_t *ids = json_array();
    for (size_t i = 0; i < gap->count; i++)
        if (!gap->items[i].is_held)
            (void)json_array_append_new(ids, json_string(gap->items[i].id));
    return ids;
}

static void print_missing(const struct gap *gap)
{
    int shown = 0;
    for (size_t i = 0; i < gap->count && shown < SHOWN_MAX; i++) {
        const struct gap_item *item = &gap->items[i];
        char at[SL_CLOCK_ISO_BYTES];
        if (item->is_held)
            continue;
        shown++;
        sl_clock_format_iso(item->at_ms, at);
        printf("  %s  %s  %s%s\n", item->id, at, item->type, item->is_refused ? "  (refused)" : "");
    }
}

enum ctl_exit gap_report(struct ctl *ctl, const struct gap *gap, size_t asked, const char *action)
{
    struct sl_err err = {0};
    size_t held = count_held(gap);
    size_t before = 0;
    char target[64];
    for (size_t i = 0; i < gap->count; i++)
        before += gap->items[i].was_held;
    SL_JSON_AUTO *counts = json_pack("{s:s, s:b, s:I, s:I, s:I, s:I}", "source", gap->source, "dry_run",
                                     ctl->options.dry_run, "listed", (json_int_t)gap->count, "held_before",
                                     (json_int_t)before, "asked", (json_int_t)asked, "held", (json_int_t)held);
    if (!ctl->options.dry_run) {
        char *detail = json_dumps(counts, JSON_COMPACT);
        (void)snprintf(target, sizeof(target), "source:%s", gap->source);
        bool written = audit_write(ctl, action, target, NULL, detail, &err);
        free(detail);
        if (!written)
            return ctl_fail(&err);
    }
    if (ctl->options.json) {
        (void)json_object_set_new(counts, "missing", missing_ids(gap));
        (void)json_dumpf(counts, stdout, JSON_COMPACT);
        (void)fputc('\n', stdout);
        return held == gap->count ? CTL_DONE : CTL_FOUND;
    }
    printf("sent %zu, held %zu, missing ", gap->count, held);
    if (held == gap->count)
        printf("none\n");
    else
        printf("%zu:\n", gap->count - held);
    print_missing(gap);
    return held == gap->count ? CTL_DONE : CTL_FOUND;
}

enum ctl_exit gap_fail(struct ctl *ctl, const struct gap *gap, size_t asked, const char *action,
                       const struct sl_err *err)
{
    enum ctl_exit code = ctl_fail(err);
    if (asked)
        (void)gap_report(ctl, gap, asked, action);
    return code;
}
