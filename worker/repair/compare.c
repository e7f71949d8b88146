/* compare.c - see compare.h. */
#include "worker/repair/compare.h"

#include <stdlib.h>
#include <string.h>

static const char *const KIND_NAMES[FINDING_KIND_COUNT] = {
    [FINDING_MISSING] = "missing",
    [FINDING_FOREIGN] = "foreign",
    [FINDING_DRIFTED] = "drifted",
    [FINDING_ORPHANED] = "orphaned",
};

const char *finding_kind_name(enum finding_kind kind)
{
    SL_ASSERT(kind > 0 && kind < FINDING_KIND_COUNT);
    return KIND_NAMES[kind];
}

struct verdict_of {
    enum finding_kind kind; /* 0: as it should be */
    const char *mend, *detail;
};

static bool is_live(enum agent_status status)
{
    return status != AGENT_NONE && status != AGENT_DRAFT && status != AGENT_FAILED && status != AGENT_DESTROYED;
}

static struct verdict_of judge_orphan(const struct book *book, bool is_on_books)
{
    if (book->status == AGENT_FAILED && is_on_books)
        return (struct verdict_of){.kind = 0};
    bool has_anything =
        !sl_str_empty(book->server_id) || !sl_str_empty(book->device_id) || !sl_str_empty(book->app_name);
    if (book->status == AGENT_FAILED && has_anything)
        return (struct verdict_of){FINDING_ORPHANED, NULL, "its agent has failed, and keeps another with its data"};
    static const char *const details[AGENT_STATUS_COUNT] = {
        [AGENT_DRAFT] = "its agent is a draft: nothing should be there",
        [AGENT_FAILED] = "its agent has failed, and doesn't know it",
        [AGENT_DESTROYED] = "its agent is destroyed",
    };
    return (struct verdict_of){FINDING_ORPHANED, "orphan", details[book->status]};
}

static struct verdict_of judge_server(const struct sight *sight, const struct book *book)
{
    bool is_on_books = book && sl_str_is(book->server_id, sight->id);
    if (sight->has_label && sl_uuid_is_nil(sight->labelled))
        return (struct verdict_of){FINDING_FOREIGN, NULL, "its label sluice-agent is no agent's id"};
    if (!sight->has_label && !is_on_books)
        return (struct verdict_of){FINDING_FOREIGN, NULL, "it has an agent's name, but no label"};
    if (!book)
        return (struct verdict_of){FINDING_ORPHANED, NULL,
                                   "labelled for an agent that isn't on these books: perhaps another installation's"};
    if (!is_live(book->status))
        return judge_orphan(book, is_on_books);
    if (sl_str_empty(book->server_id))
        return (struct verdict_of){FINDING_DRIFTED, NULL, "its agent is on the books without a server"};
    if (!is_on_books)
        return (struct verdict_of){FINDING_ORPHANED, NULL, "a second server: its agent runs on another"};
    if (book->status == AGENT_ACTIVE && sight->is_off)
        return (struct verdict_of){FINDING_DRIFTED, "off", "it is off, though its agent is active"};
    if (book->status == AGENT_PAUSED && sight->is_running)
        return (struct verdict_of){FINDING_DRIFTED, "on", "it runs, though its agent is paused"};
    return (struct verdict_of){.kind = 0};
}

static struct verdict_of judge_device(const struct sight *sight, const struct book *book)
{
    if (sight->is_external)
        return (struct verdict_of){FINDING_FOREIGN, NULL, "shared in from another tailnet"};
    if (!book)
        return (struct verdict_of){FINDING_FOREIGN, NULL, "it has the name of an agent that isn't on these books"};
    if (!is_live(book->status))
        return judge_orphan(book, sl_str_is(book->device_id, sight->id));
    if (!sl_str_empty(book->device_id) && !sl_str_is(book->device_id, sight->id))
        return (struct verdict_of){FINDING_DRIFTED, NULL, "a second device: its agent is known by another"};
    return (struct verdict_of){.kind = 0};
}

static struct verdict_of judge_app(const struct sight *sight, const struct book *book)
{
    if (!book)
        return (struct verdict_of){FINDING_FOREIGN, NULL, "of a subscription that isn't on these books"};
    if (is_live(book->status))
        return (struct verdict_of){.kind = 0};
    return judge_orphan(book, sl_str_is(book->app_name, sight->id));
}

static const struct book *book_of(const struct books *books, const struct sight *sight)
{
    if (sight->cloud == CLOUD_PROVISIONER)
        return books_of_app(books, sight);
    bool by_label = sight->cloud == CLOUD_HETZNER && sight->has_label;
    return books_find(books, by_label ? sight->labelled : sight->named);
}

static bool is_resting(const struct book *book)
{
    return !book->is_in_motion && !book->has_open_job;
}

static void judge_sight(const struct sight *sight, const struct books *books, struct findings *findings)
{
    const struct book *book = book_of(books, sight);
    if (book && !is_resting(book)) {
        findings->in_motion++;
        return;
    }
    struct verdict_of verdict = sight->cloud == CLOUD_HETZNER     ? judge_server(sight, book)
                                : sight->cloud == CLOUD_TAILSCALE ? judge_device(sight, book)
                                                                  : judge_app(sight, book);
    if (!verdict.kind)
        return;
    findings->items[findings->count++] = (struct finding){
        .kind = verdict.kind,
        .cloud = sight->cloud,
        .mend = verdict.mend,
        .detail = verdict.detail,
        .resource_id = sl_str_of(sight->id),
        .name = sl_str_of(sight->name),
        .book = book,
        .cost_per_day = sight->cost_per_day,
    };
}

static bool is_shown(const struct sights *sights, enum cloud_id cloud, struct sl_str id)
{
    size_t low = 0;
    for (size_t high = sights->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        const struct sight *sight = &sights->items[middle];
        int order = sight->cloud != cloud ? (int)sight->cloud - (int)cloud : sl_str_compare(sl_str_of(sight->id), id);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool is_missing(const struct sights *sights, enum cloud_id cloud, struct sl_str id)
{
    return !sl_str_empty(id) && sights->is_seen[cloud] && !is_shown(sights, cloud, id);
}

/* Another server that is labelled for the agent: a rollback would find it by its name, and delete it. */
static bool has_another(const struct book *book, const struct sights *sights)
{
    for (size_t i = 0; i < sights->count; i++) {
        const struct sight *sight = &sights->items[i];
        if (sight->cloud == CLOUD_HETZNER && sight->has_label && sl_uuid_equal(sight->labelled, book->agent_id))
            return true;
    }
    return false;
}

static void judge_book(const struct book *book, const struct sights *sights, struct findings *findings)
{
    struct finding finding = {.kind = FINDING_MISSING, .book = book, .cost_per_day = -1};
    if (book->status != AGENT_ACTIVE && book->status != AGENT_PAUSED)
        return;
    if (!is_resting(book)) {
        findings->in_motion++;
        return;
    }
    if (book->is_provisioners && is_missing(sights, CLOUD_PROVISIONER, book->app_name)) {
        finding.cloud = CLOUD_PROVISIONER;
        finding.resource_id = book->app_name;
        finding.detail = "its agent is on the books with it, but the provisioner hasn't got it";
        finding.mend = "gone";
    } else if (!book->is_provisioners && is_missing(sights, CLOUD_HETZNER, book->server_id)) {
        finding.cloud = CLOUD_HETZNER;
        finding.resource_id = book->server_id;
        bool is_replaced = has_another(book, sights);
        finding.detail = is_replaced ? "the cloud hasn't got it, but another that is labelled for its agent"
                                     : "its agent is on the books with it, but the cloud hasn't got it";
        finding.mend = is_replaced ? NULL : "gone";
    } else if (book->status == AGENT_ACTIVE && is_missing(sights, CLOUD_TAILSCALE, book->device_id)) {
        /* one that is ephemeral goes with a longer silence of its machine, and comes back under another id */
        finding.cloud = CLOUD_TAILSCALE;
        finding.resource_id = book->device_id;
        finding.detail = "its agent is active, but not in the tailnet";
    } else {
        return;
    }
    finding.name = finding.resource_id;
    findings->items[findings->count++] = finding;
}

static int compare_keys(const void *left, const void *right)
{
    const struct finding *a = left;
    const struct finding *b = right;
    if (a->kind != b->kind)
        return (int)a->kind - (int)b->kind;
    if (a->cloud != b->cloud)
        return (int)a->cloud - (int)b->cloud;
    return sl_str_compare(a->resource_id, b->resource_id);
}

/* Two agents may be on the books with one server: callbacks say what they like. The ledger has one row of it. */
static void keep_first_of_each(struct findings *findings)
{
    size_t kept = 0;
    if (findings->count)
        qsort(findings->items, findings->count, sizeof(*findings->items), compare_keys);
    for (size_t i = 0; i < findings->count; i++) {
        if (!kept || compare_keys(&findings->items[kept - 1], &findings->items[i]) != 0)
            findings->items[kept++] = findings->items[i];
    }
    findings->count = kept;
}

struct findings compare(const struct sights *sights, const struct books *books, struct sl_arena *arena)
{
    struct findings findings = {.count = 0};
    findings.items = sl_arena_alloc(arena, sights->count + books->count + 1, sizeof(*findings.items));
    for (size_t i = 0; i < sights->count; i++)
        judge_sight(&sights->items[i], books, &findings);
    for (size_t i = 0; i < books->count; i++)
        judge_book(&books->items[i], sights, &findings);
    keep_first_of_each(&findings);
    return findings;
}
