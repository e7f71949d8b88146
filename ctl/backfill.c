/* backfill.c - sluicectl stripe backfill: events that Stripe has and Sluice may have missed, from its Events API.
 *
 * Each is published as its webhook would have been: the same id, source, type and key, so that one which comes by its
 * webhook after all is a duplicate. Running it again sends what is still missing. The body is Stripe's event as its API
 * gives it; that it isn't byte for byte the webhook's changes no decision.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/json.h"
#include "ctl/feed.h"
#include "ctl/gap.h"
#include "ctl/progress.h"
#include "ctl/query.h"
#include "ingress/read.h"
#include "worker/clouds/stripe.h"
#include "worker/repair/ask.h"

#define EVENT_BYTES_MAX ((size_t)1024 * 1024) /* as ingress takes them */
#define ARENA_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define ID_BYTES        256
#define ACTION          "stripe_backfilled"

struct page {
    struct gap *gap;
    struct sl_buf text;
    char last_id[ID_BYTES];
    bool more, ok;
    struct sl_err *err;
};

static void see_event(void *arg, const json_t *event)
{
    struct page *page = arg;
    int64_t created_s = 0;
    char type[ID_BYTES];
    cloud_copy(page->last_id, sizeof(page->last_id), sl_json_str(event, "id"));
    cloud_copy(type, sizeof(type), sl_json_str(event, "type"));
    sl_buf_reset(&page->text);
    bool dated = sl_json_int(event, "created", &created_s) && created_s > 0 && created_s < INT64_MAX / 1000;
    if (page->ok && (!dated || !sl_json_write(event, &page->text)))
        page->ok =
            sl_err_set(page->err, SL_ERR_PERMANENT, "Stripe's event %s is too long, or has no time", page->last_id);
    page->ok =
        page->ok && gap_add(page->gap, page->last_id, NULL, type, created_s * 1000, sl_buf_str(&page->text), page->err);
}

static bool read_page(void *arg, const struct sl_http_response *response)
{
    struct page *page = arg;
    return stripe_read_events(response, see_event, page, &page->more);
}

static bool list_events(struct ctl *ctl, struct ask *ask, struct gap *gap, int64_t since_ms, int64_t until_ms,
                        struct sl_err *err)
{
    const struct cloud_account *account = NULL;
    struct page page = {.gap = gap, .more = true, .ok = true, .err = err};
    if (!ask_account(ask, CLOUD_STRIPE, &account, err))
        return false;
    sl_buf_init(&page.text, EVENT_BYTES_MAX);
    bool ok = true;
    while (ok && page.more) {
        char after[ID_BYTES];
        cloud_copy(after, sizeof(after), sl_str_of(page.last_id));
        ok = stripe_list_events(account, since_ms / 1000, until_ms / 1000, !ctl->options.all, sl_str_of(after),
                                &ask->request, err) &&
             ask_cloud(ask, CLOUD_STRIPE, false, read_page, &page, err) && page.ok;
        if (ok && page.more && sl_str_is(sl_str_of(after), page.last_id))
            ok = sl_err_set(err, SL_ERR_RETRY, "stripe: its list of events doesn't go on behind %s", after);
        progress_show("listed %zu events", gap->count);
    }
    progress_end();
    sl_buf_deinit(&page.text);
    return ok;
}

/* As ingress's directory: Postgres is where that comes from. */
static struct sl_str user_of_customer(void *arg, struct sl_str customer, struct sl_arena *arena)
{
    static const char WHOSE[] = "SELECT coalesce(user_id, '') FROM sluice.customers WHERE id = $1";
    struct sl_err no_matter; /* the customer is a key as well: the worker's lock on the user keeps order */
    const char *values[] = {sl_arena_cstr(arena, customer)};
    SL_PG_AUTO *row = NULL;
    if (!query_run(arg, WHOSE, values, 1, &row, &no_matter) || PQntuples(row) == 0)
        return SL_STR_NONE;
    return sl_arena_str(arena, sl_str_of(PQgetvalue(row, 0, 0)));
}

static bool send_one(struct ctl *ctl, struct feed *feed, struct gap *gap, const struct gap_item *item,
                     struct sl_arena *arena, struct sl_err *err)
{
    struct reading reading;
    struct problem problem = {0};
    char *text = NULL;
    if (!gap_text(gap, item, &text, err))
        return false;
    struct read_request request = {
        .body = {.ptr = text, .len = item->bytes}, .received_at_ms = sl_clock_wall_ms(), .arena = arena};
    bool ok = read_stripe(&request, &reading, &problem) ||
              sl_err_set(err, SL_ERR_PERMANENT, "Stripe's event %s is none that ingress would take", item->id);
    if (ok) {
        struct sl_event event = {
            .id = reading.id,
            .source = sl_str_of(gap->source),
            .type = reading.type,
            .subject = reading.subject,
            .partition_key = key_choose(&reading.key, reading.id, user_of_customer, ctl, arena),
            .content_type = SL_STR("application/json"),
            .data = reading.data,
            .time_ms = reading.time_ms,
            .received_at_ms = request.received_at_ms,
        };
        ok = feed_send(feed, &event, err);
    }
    free(text);
    return ok;
}

/* Oldest first; `*ret_sent` also when it fails half-way. */
static bool send_missing(struct ctl *ctl, struct gap *gap, int64_t rate, size_t *ret_sent, struct sl_err *err)
{
    struct feed *feed = feed_open(ctl->config, rate, err);
    if (!feed)
        return false;
    struct sl_arena *arena = sl_arena_create(ARENA_BYTES_MAX);
    bool ok = true;
    for (size_t i = 0; ok && i < gap->count && !progress_is_interrupted(); i++, sl_arena_reset(arena)) {
        if (gap->items[i].is_held)
            continue;
        ok = send_one(ctl, feed, gap, &gap->items[i], arena, err);
        progress_show("sent %zu", feed_delivered(feed));
    }
    ok = ok && feed_flush(feed, err);
    *ret_sent = feed_delivered(feed);
    progress_end();
    feed_close(feed);
    sl_arena_destroy(arena);
    return ok;
}

static const struct gap_limits LIMITS = {.sender = "Stripe", .keeps_days = 30, .rate_max = 100000};

static enum ctl_exit close_gap(struct ctl *ctl, struct gap *gap, const struct gap_span *span)
{
    struct sl_err err = {0};
    size_t sent = 0;
    if (!gap_look(ctl, gap, true, &err))
        return ctl_fail(&err);
    if (!ctl->options.dry_run &&
        (!send_missing(ctl, gap, span->rate, &sent, &err) || !gap_await(ctl, gap, span->wait_s, &err)))
        return gap_fail(ctl, gap, sent, ACTION, &err);
    return gap_report(ctl, gap, sent, ACTION);
}

enum ctl_exit stripe_backfill(struct ctl *ctl)
{
    struct sl_err err = {0};
    struct gap_span span = {0};
    struct gap gap;
    struct ask ask;
    if (!gap_read_span(ctl, &LIMITS, &span, &err)) {
        (void)ctl_fail(&err);
        return CTL_USAGE;
    }
    if (!gap_init(&gap, "/webhooks/stripe", &err))
        return ctl_fail(&err);
    if (!ask_init(&ask, ctl->config, &err)) {
        gap_deinit(&gap);
        return ctl_fail(&err);
    }
    progress_catch_signals();
    ask.stopping = progress_stopping;
    bool listed = list_events(ctl, &ask, &gap, span.since_ms, span.until_ms, &err);
    ask_deinit(&ask);
    gap_sort(&gap);
    enum ctl_exit code = listed ? close_gap(ctl, &gap, &span) : ctl_fail(&err);
    gap_deinit(&gap);
    return code;
}
