/* sight.c - see sight.h. */
#include "worker/repair/sight.h"

#include <stdlib.h>
#include <string.h>

#include "worker/clouds/hetzner.h"
#include "worker/clouds/provisioner.h"
#include "worker/clouds/tailscale.h"

#define PREFIX     "agent-"
#define PAGES_MAX  100000
#define UUID_CHARS (SL_UUID_TEXT_BYTES - 1)

struct sl_uuid sight_agent_of_name(struct sl_str name, bool may_be_numbered)
{
    struct sl_uuid id = {.bytes = {0}};
    struct sl_str prefix = SL_STR(PREFIX);
    if (!sl_str_starts_with(name, prefix) || name.len < prefix.len + UUID_CHARS)
        return id;
    struct sl_str rest = {.ptr = name.ptr + prefix.len + UUID_CHARS, .len = name.len - prefix.len - UUID_CHARS};
    bool is_numbered = rest.len > 1 && rest.ptr[0] == '-' &&
                       cloud_id_is_safe((struct sl_str){.ptr = rest.ptr + 1, .len = rest.len - 1}, 9, true);
    if (rest.len > 0 && !(may_be_numbered && is_numbered))
        return id;
    if (!sl_uuid_parse((struct sl_str){.ptr = name.ptr + prefix.len, .len = UUID_CHARS}, &id))
        return (struct sl_uuid){.bytes = {0}};
    return id;
}

/* Past the maximum the count alone goes on. */
static void add(struct sights *sights, const struct sight *sight)
{
    if (sights->count >= SIGHTS_MAX) {
        sights->count = SIGHTS_MAX + 1;
        return;
    }
    if (sights->count == sights->cap) {
        sights->cap = sights->cap ? sights->cap * 2 : 256;
        sights->items = sl_realloc(sights->items, sights->cap * sizeof(*sights->items));
    }
    sights->items[sights->count++] = *sight;
}

static void see_server(void *arg, const struct hetzner_listed *listed)
{
    const struct hetzner_server *server = &listed->server;
    struct sight sight = {
        .cloud = CLOUD_HETZNER,
        .named = sight_agent_of_name(sl_str_of(server->name), false),
        .has_label = server->agent_label[0] != '\0',
        .is_off = server->status == HETZNER_OFF && !server->locked,
        .is_running = server->status == HETZNER_RUNNING && !server->locked,
        .created_at_ms = listed->created_at_ms,
        .cost_per_day = listed->net_per_day,
    };
    if (!sl_uuid_parse(sl_str_of(server->agent_label), &sight.labelled))
        sight.labelled = (struct sl_uuid){.bytes = {0}};
    /* one that is being deleted is as good as gone */
    if ((!sight.has_label && sl_uuid_is_nil(sight.named)) || server->status == HETZNER_DELETING)
        return;
    cloud_copy(sight.id, sizeof(sight.id), sl_str_of(server->id));
    cloud_copy(sight.name, sizeof(sight.name), sl_str_of(server->name));
    add(arg, &sight);
}

static void see_device(void *arg, const struct tailscale_device *device)
{
    struct sight sight = {
        .cloud = CLOUD_TAILSCALE,
        .named = sight_agent_of_name(sl_str_of(device->hostname), true),
        .is_external = device->external,
        .created_at_ms = device->created_at_ms,
        .cost_per_day = -1,
    };
    if (sl_uuid_is_nil(sight.named))
        return;
    cloud_copy(sight.id, sizeof(sight.id), sl_str_of(device->id));
    cloud_copy(sight.name, sizeof(sight.name), sl_str_of(device->hostname));
    add(arg, &sight);
}

static void see_app(void *arg, const struct provisioner_listed *listed)
{
    struct sight sight = {.cloud = CLOUD_PROVISIONER, .cost_per_day = -1};
    cloud_copy(sight.id, sizeof(sight.id), sl_str_of(listed->name));
    cloud_copy(sight.name, sizeof(sight.name), sl_str_of(listed->name));
    cloud_copy(sight.subscription_id, sizeof(sight.subscription_id), sl_str_of(listed->subscription_id));
    add(arg, &sight);
}

struct page {
    struct sights *sights;
    int next;
};

static bool read_servers(void *arg, const struct sl_http_response *response)
{
    struct page *page = arg;
    return hetzner_read_page(response, see_server, page->sights, &page->next);
}

static bool read_currency(void *arg, const struct sl_http_response *response)
{
    return hetzner_read_currency(response, arg);
}

static bool read_devices(void *arg, const struct sl_http_response *response)
{
    return tailscale_read_devices(response, see_device, arg);
}

static bool read_apps(void *arg, const struct sl_http_response *response)
{
    return provisioner_read_apps(response, see_app, arg);
}

static bool look_at_servers(struct sights *sights, struct ask *ask, const struct cloud_account *account,
                            struct sl_err *err)
{
    struct page page = {.sights = sights, .next = 1};
    for (int pages = 0; page.next > 0; pages++) {
        if (pages == PAGES_MAX)
            return sl_err_set(err, SL_ERR_PERMANENT, "hetzner: the list of servers has no end");
        if (!hetzner_list_servers(account, page.next, &ask->request, err) ||
            !ask_cloud(ask, CLOUD_HETZNER, false, read_servers, &page, err))
            return false;
    }
    /* without it the costs are numbers all the same */
    struct sl_err no_matter;
    if (!hetzner_get_pricing(account, &ask->request, &no_matter) ||
        !ask_cloud(ask, CLOUD_HETZNER, false, read_currency, sights->currency, &no_matter))
        sights->currency[0] = '\0';
    return true;
}

static bool look_at(struct sights *sights, struct ask *ask, enum cloud_id id, struct sl_err *err)
{
    const struct cloud_account *account = NULL;
    if (!ask_account(ask, id, &account, err))
        return false;
    if (id == CLOUD_HETZNER)
        return look_at_servers(sights, ask, account, err);
    if (id == CLOUD_TAILSCALE)
        return tailscale_list_devices(account, &ask->request, err) &&
               ask_cloud(ask, id, false, read_devices, sights, err);
    return provisioner_list(account, &ask->request, err) && ask_cloud(ask, id, false, read_apps, sights, err);
}

static int by_id(const void *left, const void *right)
{
    const struct sight *a = left;
    const struct sight *b = right;
    return a->cloud != b->cloud ? (int)a->cloud - (int)b->cloud : strcmp(a->id, b->id);
}

/* A list that moved while its pages were turned shows some twice. */
static void drop_repeated(struct sights *sights)
{
    size_t kept = 0;
    if (sights->count > 1)
        qsort(sights->items, sights->count, sizeof(*sights->items), by_id);
    for (size_t i = 0; i < sights->count; i++)
        if (kept == 0 || by_id(&sights->items[kept - 1], &sights->items[i]) != 0)
            sights->items[kept++] = sights->items[i];
    sights->count = kept;
}

bool sights_look(struct sights *ret_sights, struct ask *ask, struct sl_err *err)
{
    static const enum cloud_id clouds[] = {CLOUD_HETZNER, CLOUD_TAILSCALE, CLOUD_PROVISIONER};
    struct sights sights = {.count = 0};
    for (size_t i = 0; i < SL_ARRAY_LEN(clouds); i++) {
        size_t before = sights.count;
        struct sl_err *problem = &sights.problems[clouds[i]];
        sights.is_seen[clouds[i]] = look_at(&sights, ask, clouds[i], problem);
        if (sights.count > SIGHTS_MAX)
            sights.is_seen[clouds[i]] = sl_err_set(problem, SL_ERR_PERMANENT, "%s: more than %d of ours are there",
                                                   cloud_of(clouds[i])->name, SIGHTS_MAX);
        if (!sights.is_seen[clouds[i]])
            sights.count = before;
        if (!ask_pause(ask, 0)) {
            sights_deinit(&sights);
            return sl_err_set(err, SL_ERR_RETRY, "interrupted while looking at the clouds");
        }
    }
    drop_repeated(&sights);
    *ret_sights = sights;
    return true;
}

void sights_deinit(struct sights *sights)
{
    free(sights->items);
    *sights = (struct sights){.count = 0};
}

static bool is_there(void *arg, const struct sl_http_response *response)
{
    struct hetzner_server server;
    *(bool *)arg = true;
    return hetzner_read_server(response, &server);
}

bool sights_confirm_gone(struct ask *ask, struct sl_str server_id, bool *ret_gone, struct sl_err *err)
{
    const struct cloud_account *account = NULL;
    bool found = false;
    if (!cloud_id_is_safe(server_id, HETZNER_ID_BYTES - 1, true)) {
        *ret_gone = true; /* no server has such an id */
        return true;
    }
    if (!ask_account(ask, CLOUD_HETZNER, &account, err) || !hetzner_get_server(account, server_id, &ask->request, err))
        return false;
    bool answered = ask_cloud(ask, CLOUD_HETZNER, false, is_there, &found, err);
    if (!answered && !(err->error_class == SL_ERR_PERMANENT && sl_str_is(sl_str_of(err->code), "gone")))
        return false;
    *ret_gone = !found;
    return true;
}
