/* redeliver.c - sluicectl github redeliver: failed deliveries of the repository's webhook, asked for again.
 *
 * GitHub repeats none by itself, and keeps them for three days. A redelivery comes through ingress under the same GUID,
 * which is the event's id: one that arrived after all is a duplicate. Each GUID is asked for once a run, unless a later
 * delivery of it succeeded; running it again asks for what is still missing.
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "ctl/gap.h"
#include "ctl/progress.h"
#include "worker/clouds/github.h"
#include "worker/repair/ask.h"

#define PATH   "/webhooks/github" /* and behind /api */
#define ACTION "github_redelivered"

struct hooks {
    const char *wanted_id; /* NULL: whichever leads to ingress */
    struct github_hook chosen;
    int count;
};

static void see_hook(void *arg, const struct github_hook *hook)
{
    struct hooks *hooks = arg;
    size_t length = strlen(hook->url);
    bool leads_here = length >= strlen(PATH) && strcmp(hook->url + length - strlen(PATH), PATH) == 0;
    if (hooks->wanted_id ? strcmp(hook->id, hooks->wanted_id) != 0 : !leads_here)
        return;
    hooks->chosen = *hook;
    hooks->count++;
}

static bool read_hooks(void *arg, const struct sl_http_response *response)
{
    return github_read_hooks(response, see_hook, arg);
}

static bool choose_hook(struct ctl *ctl, struct ask *ask, const struct cloud_account *account,
                        struct github_hook *ret_hook, struct sl_err *err)
{
    struct hooks hooks = {.wanted_id = ctl->options.values[OPTION_HOOK]};
    if (!github_list_hooks(account, &ask->request, err) ||
        !ask_cloud(ask, CLOUD_GITHUB, false, read_hooks, &hooks, err))
        return false;
    if (hooks.count != 1) {
        (void)sl_err_set(err, SL_ERR_PERMANENT, "%d webhooks of %s/%s %s", hooks.count, account->owner, account->repo,
                         hooks.wanted_id ? "have that id" : "lead to " PATH);
        sl_err_hint(err, "give one by --hook ID; gh api repos/%s/%s/hooks lists them", account->owner, account->repo);
        return false;
    }
    *ret_hook = hooks.chosen;
    return true;
}

struct page {
    struct gap *gap;
    int64_t since_ms, until_ms;
    bool successes; /* marks what has arrived since, instead of adding */
    bool is_over;   /* a delivery before `since_ms` was shown */
    bool ok;
    char cursor[GITHUB_CURSOR_BYTES];
    struct sl_err *err;
};

static void see_delivery(void *arg, const struct github_delivery *delivery)
{
    struct page *page = arg;
    page->is_over = page->is_over || delivery->delivered_at_ms < page->since_ms;
    bool is_meant = delivery->delivered_at_ms >= page->since_ms &&
                    (page->successes || page->until_ms == 0 || delivery->delivered_at_ms < page->until_ms);
    /* a ping is answered, and goes no further */
    if (!page->ok || !is_meant || strcmp(delivery->event, "ping") == 0)
        return;
    struct gap_item *known = page->successes ? gap_find(page->gap, delivery->guid) : NULL;
    if (known)
        known->is_answered = true;
    if (!page->successes)
        page->ok = gap_add(page->gap, delivery->guid, delivery->id, delivery->event, delivery->delivered_at_ms,
                           SL_STR_NONE, page->err);
}

static bool read_deliveries(void *arg, const struct sl_http_response *response)
{
    struct page *page = arg;
    return github_read_deliveries(response, see_delivery, page, page->cursor);
}

static bool list_deliveries(struct ask *ask, const struct cloud_account *account, const char *hook_id,
                            struct page *page, struct sl_err *err)
{
    const char *status = page->successes ? "success" : "failure";
    bool ok = true;
    page->ok = true;
    page->is_over = false;
    page->cursor[0] = '\0';
    page->err = err;
    do {
        char cursor[GITHUB_CURSOR_BYTES];
        memcpy(cursor, page->cursor, sizeof(cursor));
        ok = github_list_deliveries(account, sl_str_of(hook_id), status, cursor, &ask->request, err) &&
             ask_cloud(ask, CLOUD_GITHUB, false, read_deliveries, page, err) && page->ok;
        if (ok && cursor[0] != '\0' && strcmp(cursor, page->cursor) == 0)
            ok = sl_err_set(err, SL_ERR_RETRY, "github: its list of deliveries doesn't go on");
        progress_show("listed %zu failed deliveries", page->gap->count);
    } while (ok && !page->is_over && page->cursor[0] != '\0');
    progress_end();
    return ok;
}

static bool read_nothing(void *arg, const struct sl_http_response *response)
{
    (void)arg;
    (void)response;
    return true;
}

/* One attempt for each that neither is held nor has arrived since. */
static bool ask_again(struct ask *ask, const struct cloud_account *account, const char *hook_id, struct gap *gap,
                      int64_t rate, size_t *ret_asked, struct sl_err *err)
{
    for (size_t i = 0; i < gap->count && !progress_is_interrupted(); i++) {
        struct gap_item *item = &gap->items[i];
        if (item->is_held || item->is_answered)
            continue;
        if (!github_redeliver(account, sl_str_of(hook_id), sl_str_of(item->sender_id), &ask->request, err))
            return false;
        bool accepted = ask_cloud(ask, CLOUD_GITHUB, true, read_nothing, NULL, err);
        if (!accepted && err->error_class != SL_ERR_PERMANENT)
            return false;
        if (!accepted)
            (void)fprintf(stderr, "sluicectl: %s: %s\n", item->id, err->message);
        item->is_refused = !accepted;
        *ret_asked += accepted;
        progress_show("asked for %zu", *ret_asked);
        if (!ask_pause(ask, 1000 / rate))
            break;
    }
    progress_end();
    return true;
}

static bool has_missing(const struct gap *gap)
{
    for (size_t i = 0; i < gap->count; i++)
        if (!gap->items[i].is_held)
            return true;
    return false;
}

/* GitHub's secondary limit is 80 requests a minute that make something. */
static const struct gap_limits LIMITS = {
    .sender = "GitHub", .keeps_days = 3, .rate_min = 1, .rate_max = 100, .rate_default = 1};

static enum ctl_exit close_gap(struct ctl *ctl, struct ask *ask, struct gap *gap, const struct gap_span *span)
{
    struct sl_err err = {0};
    const struct cloud_account *account = NULL;
    struct github_hook hook;
    size_t asked = 0;
    struct page page = {.gap = gap, .since_ms = span->since_ms, .until_ms = span->until_ms};
    if (!ask_account(ask, CLOUD_GITHUB, &account, &err) || !choose_hook(ctl, ask, account, &hook, &err) ||
        !list_deliveries(ask, account, hook.id, &page, &err))
        return ctl_fail(&err);
    gap_sort(gap);
    if (!gap_look(ctl, gap, true, &err))
        return ctl_fail(&err);
    page.successes = true;
    if (has_missing(gap) && !list_deliveries(ask, account, hook.id, &page, &err))
        return ctl_fail(&err);
    if (!ctl->options.dry_run &&
        (!ask_again(ask, account, hook.id, gap, span->rate, &asked, &err) || !gap_await(ctl, gap, span->wait_s, &err)))
        return gap_fail(ctl, gap, asked, ACTION, &err);
    return gap_report(ctl, gap, asked, ACTION);
}

enum ctl_exit github_redeliver_run(struct ctl *ctl)
{
    struct sl_err err = {0};
    struct gap_span span = {0};
    struct gap gap;
    struct ask ask;
    if (!gap_read_span(ctl, &LIMITS, &span, &err)) {
        (void)ctl_fail(&err);
        return CTL_USAGE;
    }
    if (!gap_init(&gap, "/webhooks/github", &err))
        return ctl_fail(&err);
    if (!ask_init(&ask, ctl->config, &err)) {
        gap_deinit(&gap);
        return ctl_fail(&err);
    }
    progress_catch_signals();
    ask.stopping = progress_stopping;
    enum ctl_exit code = close_gap(ctl, &ask, &gap, &span);
    ask_deinit(&ask);
    gap_deinit(&gap);
    return code;
}
