/* accounts.c - see accounts.h. */
#include "worker/clouds/accounts.h"

#define ARENA_BYTES_MAX     ((size_t)256 * 1024)
#define HETZNER_SECTION     "cloud hetzner"
#define TAILSCALE_SECTION   "cloud tailscale"
#define GITHUB_SECTION      "cloud github"
#define PROVISIONER_SECTION "cloud provisioner"
#define RESEND_SECTION      "cloud resend"
#define STRIPE_SECTION      "cloud stripe"

static const char *text_of(struct cloud_accounts *accounts, const struct sl_config *config, const char *section,
                           const char *key)
{
    return sl_arena_cstr(accounts->arena, sl_config_text(config, section, key));
}

static struct sl_str secret_of(struct cloud_accounts *accounts, const struct sl_config *config, const char *section,
                               const char *key)
{
    struct sl_secret *secret = sl_secret_create(sl_config_text(config, section, key));
    if (!secret)
        return SL_STR_NONE;
    SL_ASSERT(accounts->secret_count < SL_ARRAY_LEN(accounts->secrets));
    accounts->secrets[accounts->secret_count++] = secret;
    return sl_secret_borrow(secret);
}

/* Without the slashes at its end, which paths bring along. */
static const char *url_of(struct cloud_accounts *accounts, const struct sl_config *config, const char *section,
                          const char *key)
{
    struct sl_str url = sl_config_text(config, section, key);
    while (url.len > 0 && url.ptr[url.len - 1] == '/')
        url.len--;
    return sl_arena_cstr(accounts->arena, url);
}

static bool load_address(struct cloud_accounts *accounts, const struct sl_config *config, enum cloud_id id,
                         struct sl_err *err)
{
    const char *section = cloud_of(id)->section;
    struct cloud_account *account = &accounts->of[id];
    account->base_url = url_of(accounts, config, section, "base_url");
    account->connect_timeout_ms = (int)sl_config_int(config, section, "connect_timeout");
    account->timeout_ms = (int)sl_config_int(config, section, "timeout");
    struct sl_str url = sl_str_of(account->base_url);
    /* a cloud without an address of its own is told by what it misses */
    if (url.len > 0 && !sl_str_starts_with(url, SL_STR("http://")) && !sl_str_starts_with(url, SL_STR("https://")))
        return sl_err_set(err, SL_ERR_PERMANENT, "[%s] base_url is no URL: \"%s\"", section, account->base_url);
    return true;
}

static void load_credentials(struct cloud_accounts *accounts, const struct sl_config *config)
{
    accounts->of[CLOUD_HETZNER].token = secret_of(accounts, config, HETZNER_SECTION, "token");

    struct cloud_account *tailscale = &accounts->of[CLOUD_TAILSCALE];
    tailscale->token = secret_of(accounts, config, TAILSCALE_SECTION, "api_key");
    tailscale->oauth_client_id = secret_of(accounts, config, TAILSCALE_SECTION, "oauth_client_id");
    tailscale->oauth_client_secret = secret_of(accounts, config, TAILSCALE_SECTION, "oauth_client_secret");
    tailscale->tailnet = text_of(accounts, config, TAILSCALE_SECTION, "tailnet");
    if (tailscale->tailnet[0] == '\0')
        tailscale->tailnet = "-";

    struct cloud_account *github = &accounts->of[CLOUD_GITHUB];
    github->token = secret_of(accounts, config, GITHUB_SECTION, "token");
    github->owner = text_of(accounts, config, GITHUB_SECTION, "owner");
    github->repo = text_of(accounts, config, GITHUB_SECTION, "repo");
    github->workflow = text_of(accounts, config, GITHUB_SECTION, "workflow");
    github->ref = text_of(accounts, config, GITHUB_SECTION, "ref");
    github->api_version = text_of(accounts, config, GITHUB_SECTION, "api_version");
    github->app_url = url_of(accounts, config, GITHUB_SECTION, "app_url");

    struct cloud_account *stripe = &accounts->of[CLOUD_STRIPE];
    stripe->token = secret_of(accounts, config, STRIPE_SECTION, "secret_key");
    stripe->api_version = text_of(accounts, config, STRIPE_SECTION, "api_version");

    accounts->of[CLOUD_PROVISIONER].token = secret_of(accounts, config, PROVISIONER_SECTION, "api_key");

    struct cloud_account *resend = &accounts->of[CLOUD_RESEND];
    resend->token = secret_of(accounts, config, RESEND_SECTION, "api_key");
    resend->from = text_of(accounts, config, RESEND_SECTION, "from");
}

bool cloud_accounts_init(struct cloud_accounts *accounts, const struct sl_config *config, struct sl_err *err)
{
    *accounts = (struct cloud_accounts){.arena = sl_arena_create(ARENA_BYTES_MAX)};
    load_credentials(accounts, config);
    bool ok = true;
    for (int id = CLOUD_NONE + 1; ok && id < CLOUD_COUNT; id++)
        ok = load_address(accounts, config, (enum cloud_id)id, err);
    if (!ok)
        cloud_accounts_deinit(accounts);
    return ok;
}

void cloud_accounts_deinit(struct cloud_accounts *accounts)
{
    for (size_t i = 0; i < accounts->secret_count; i++)
        sl_secret_destroy(accounts->secrets[i]);
    sl_arena_destroy(accounts->arena);
    *accounts = (struct cloud_accounts){.arena = NULL};
}
