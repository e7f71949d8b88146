/* books.c - see books.h. */
#include "worker/repair/books.h"

#include <stdlib.h>
#include <string.h>

static const char NOW[] = "SELECT now()";

/* Ids that are no agent's find nothing; $2 are names of apps, $3 subscriptions. */
static const char READ[] =
    "SELECT a.id, a.user_id, a.status, a.backend = 'provisioner', coalesce(a.server_id, ''),"
    " coalesce(a.tailscale_device_id, ''), coalesce(a.app_name, ''), coalesce(a.subscription_id, ''),"
    " coalesce(j.open, false), greatest(a.updated_at, j.updated_at) >= $4,"
    " md5(concat_ws('|', a.status, a.server_id, a.tailscale_device_id, a.app_name, j.seq, j.fence, j.open))"
    " FROM sluice.agents a LEFT JOIN LATERAL (SELECT max(seq) AS seq, max(fence) AS fence,"
    "  bool_or(status IN ('queued', 'running', 'waiting')) AS open, max(updated_at) AS updated_at"
    "  FROM sluice.jobs WHERE user_id = a.user_id AND agent_id = a.id) AS j ON true"
    " WHERE a.id = ANY($1) OR a.app_name = ANY($2) OR a.subscription_id = ANY($3) OR (a.status IN ('active', 'paused')"
    " AND coalesce(a.server_id, a.app_name, a.tailscale_device_id) IS NOT NULL) ORDER BY a.id";

bool books_begin(struct sl_pg *pg, int64_t *ret_began_at_ms, struct sl_err *err)
{
    SL_PG_AUTO *row = NULL;
    if (!sl_pg_run(pg, NOW, NULL, &row, err))
        return false;
    *ret_began_at_ms = sl_pg_get_at_ms(row, 0, 0);
    return true;
}

static struct book read_book(const PGresult *rows, int row, struct sl_arena *arena)
{
    struct sl_str texts[7];
    static const int columns[] = {1, 4, 5, 6, 7, 10};
    for (size_t i = 0; i < SL_ARRAY_LEN(columns); i++)
        texts[i] = sl_arena_str(arena, sl_pg_get_text(rows, row, columns[i]));
    return (struct book){
        .agent_id = sl_pg_get_uuid(rows, row, 0),
        .user_id = texts[0],
        .server_id = texts[1],
        .device_id = texts[2],
        .app_name = texts[3],
        .subscription_id = texts[4],
        .digest = texts[5],
        .status = agent_status_parse(sl_pg_get_text(rows, row, 2)),
        .is_provisioners = sl_pg_get_bool(rows, row, 3),
        .has_open_job = sl_pg_get_bool(rows, row, 8),
        .is_in_motion = sl_pg_get_bool(rows, row, 9),
    };
}

bool books_read(struct sl_pg *pg, struct sl_arena *arena, const struct sights *sights, int64_t began_at_ms,
                struct books *ret_books, struct sl_err *err)
{
    struct sl_pg_array *ids = sl_pg_array_create(arena, SL_PG_UUID);
    struct sl_pg_array *apps = sl_pg_array_create(arena, SL_PG_TEXT);
    struct sl_pg_array *subscriptions = sl_pg_array_create(arena, SL_PG_TEXT);
    for (size_t i = 0; i < sights->count; i++) {
        const struct sight *sight = &sights->items[i];
        struct sl_uuid subscriber;
        if (!sl_uuid_is_nil(sight->named))
            sl_pg_array_uuid(ids, sight->named);
        if (!sl_uuid_is_nil(sight->labelled))
            sl_pg_array_uuid(ids, sight->labelled);
        if (sight->cloud != CLOUD_PROVISIONER)
            continue;
        if (sl_uuid_parse(sl_str_of(sight->subscription_id), &subscriber))
            sl_pg_array_uuid(ids, subscriber);
        sl_pg_array_text(apps, sl_str_of(sight->name));
        sl_pg_array_text(subscriptions, sl_str_of(sight->subscription_id));
    }
    struct sl_pg_params params;
    SL_PG_AUTO *rows = NULL;
    sl_pg_params_init(&params, arena);
    sl_pg_array(&params, ids);
    sl_pg_array(&params, apps);
    sl_pg_array(&params, subscriptions);
    sl_pg_at_ms(&params, began_at_ms);
    if (!sl_pg_run(pg, READ, &params, &rows, err))
        return false;
    struct books books = {.count = (size_t)PQntuples(rows)};
    books.items = sl_arena_alloc(arena, books.count + 1, sizeof(*books.items));
    for (size_t i = 0; i < books.count; i++)
        books.items[i] = read_book(rows, (int)i, arena);
    *ret_books = books;
    return true;
}

static int by_agent(const void *left, const void *right)
{
    const struct book *a = left;
    const struct book *b = right;
    return memcmp(a->agent_id.bytes, b->agent_id.bytes, sizeof(a->agent_id.bytes));
}

const struct book *books_find(const struct books *books, struct sl_uuid agent_id)
{
    const struct book wanted = {.agent_id = agent_id};
    if (sl_uuid_is_nil(agent_id) || books->count == 0)
        return NULL;
    return bsearch(&wanted, books->items, books->count, sizeof(*books->items), by_agent);
}

/* An app of somebody alive goes before one that a former agent of the subscription had. */
const struct book *books_of_app(const struct books *books, const struct sight *app)
{
    struct sl_uuid id;
    struct sl_str name = sl_str_of(app->name);
    struct sl_str subscription = sl_str_of(app->subscription_id);
    const struct book *found = sl_uuid_parse(subscription, &id) ? books_find(books, id) : NULL;
    for (size_t i = 0; i < books->count; i++) {
        const struct book *book = &books->items[i];
        bool is_its = !sl_str_empty(book->app_name)
                          ? sl_str_equal(book->app_name, name)
                          : !sl_str_empty(subscription) && sl_str_equal(book->subscription_id, subscription);
        if (is_its && (!found || found->status == AGENT_DESTROYED))
            found = book;
    }
    return found;
}
