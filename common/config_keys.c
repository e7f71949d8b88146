/* config_keys.c - every key of the configuration, with its default and its meaning. deploy/sluice.conf shows the same
 * keys, and a test compares. A section "plan *" stands for any number of named ones; "cloud *" for the clouds that have
 * rows of their own.
 */
#include "common/config.h"

#define SECOND_MS ((int64_t)1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define KIB       ((int64_t)1024)
#define MIB       (1024 * KIB)
#define GIB       (1024 * MIB)

/* section, key, fallback, variable, …, help */
#define TEXT(s, k, f, e, h)                                                                                            \
    {                                                                                                                  \
        .section = (s), .key = (k), .type = SL_CONFIG_TEXT, .fallback = (f), .env_name = (e), .help = (h)              \
    }
#define SECRET(s, k, e, h)                                                                                             \
    {                                                                                                                  \
        .section = (s), .key = (k), .type = SL_CONFIG_SECRET, .env_name = (e), .help = (h)                             \
    }
#define SWITCH(s, k, f, h)                                                                                             \
    {                                                                                                                  \
        .section = (s), .key = (k), .type = SL_CONFIG_SWITCH, .fallback = (f), .help = (h)                             \
    }
#define RANGED(t, s, k, f, a, z, h)                                                                                    \
    {                                                                                                                  \
        .section = (s), .key = (k), .type = (t), .fallback = (f), .min = (a), .max = (z), .help = (h)                  \
    }
#define INT(s, k, f, a, z, h)      RANGED(SL_CONFIG_INT, s, k, f, a, z, h)
#define DURATION(s, k, f, a, z, h) RANGED(SL_CONFIG_DURATION, s, k, f, a, z, h)
#define SIZE(s, k, f, a, z, h)     RANGED(SL_CONFIG_SIZE, s, k, f, a, z, h)
#define CHOICE(s, k, f, e, c, h)                                                                                       \
    {                                                                                                                  \
        .section = (s), .key = (k), .type = SL_CONFIG_CHOICE, .fallback = (f), .env_name = (e), .choices = (c),        \
        .help = (h)                                                                                                    \
    }

static const struct sl_config_key KEYS[] = {
    CHOICE("log", "level", "info", NULL, "debug|info|warn|error", "least important lines that are written"),
    CHOICE("log", "format", "logfmt", NULL, "logfmt|json", "how a line on stderr looks"),

    SWITCH("sandbox", "enabled", "on",
           "a serving program gives up files, ports and system calls that it does not need"),
    TEXT("sandbox", "read_paths", NULL, NULL,
         "files and folders, comma-separated, that it may read beside those named here and the system's"),

    TEXT("kafka", "brokers", NULL, "KAFKA_BROKERS", "host:port, comma-separated, of the brokers asked first"),
    CHOICE("kafka", "security_protocol", "plaintext", "KAFKA_SECURITY_PROTOCOL",
           "plaintext|ssl|sasl_plaintext|sasl_ssl", "how the brokers are talked to"),
    CHOICE("kafka", "sasl_mechanism", NULL, "KAFKA_SASL_MECHANISM", "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512",
           "with sasl_plaintext and sasl_ssl"),
    TEXT("kafka", "sasl_username", NULL, "KAFKA_SASL_USERNAME", "user at the brokers"),
    SECRET("kafka", "sasl_password", "KAFKA_SASL_PASSWORD", "password at the brokers"),
    TEXT("kafka", "ssl_ca", NULL, "KAFKA_SSL_CA",
         "authorities that vouch for the brokers: a file's path or PEM text; empty: the system's"),
    TEXT("kafka", "ssl_certificate", NULL, "KAFKA_SSL_CERTIFICATE", "our certificate: a file's path or PEM text"),
    SECRET("kafka", "ssl_key", "KAFKA_SSL_KEY", "our certificate's key: a file's path or PEM text"),
    INT("kafka", "events_partitions", "12", 1, 10000,
        "partitions of the events topic when it is made; never changed afterwards"),
    INT("kafka", "replication", "1", 1, 15, "replicas of each topic when it is made; 3 where there are three brokers"),
    DURATION("kafka", "retention", "400d", DAY_MS, 36500 * DAY_MS,
             "how long the events topic keeps raw payloads: the audit trail"),

    SECRET("postgres", "url", "DATABASE_URL", "connection string, postgres://user:password@host/database"),

    TEXT("ingress", "listen", "127.0.0.1:8080", NULL,
         "ADDRESS:PORT or [ADDRESS]:PORT for webhooks and commands; port 0: a free one"),
    INT("ingress", "max_connections", "10000", 1, 1000000, "open connections; more are refused"),
    INT("ingress", "connections_per_address", "5000", 0, 1000000,
        "open connections of one address, a proxy's too; 0: no limit"),
    SIZE("ingress", "body_max", "1MiB", KIB, MIB, "longest body that is accepted; longer ones get 413"),
    SIZE("ingress", "in_flight_max", "64MiB", MIB, 64 * GIB,
         "bytes of all requests under way; beyond it 503 with Retry-After"),
    SIZE("ingress", "in_flight_per_address", "0", 0, 64 * GIB, "the same for one address; 0: half of in_flight_max"),
    DURATION("ingress", "publish_deadline", "8s", 100, 5 * MINUTE_MS,
             "longest wait for Kafka before the answer is 503; GitHub waits for 10 s"),
    DURATION("ingress", "request_timeout", "30s", 100, 10 * MINUTE_MS, "in which a request has to arrive whole"),
    DURATION("ingress", "linger", "0ms", 0, SECOND_MS, "how long the producer waits to fill a batch"),
    INT("ingress", "rate_per_address", "0", 0, 1000000, "requests of one address in a second; 0: no limit"),
    DURATION("ingress", "drain_timeout", "20s", 0, 10 * MINUTE_MS, "for requests under way after SIGTERM"),
    TEXT("ingress", "trusted_proxies", NULL, NULL,
         "addresses and prefixes (10.0.0.0/8), comma-separated, whose X-Forwarded-For counts"),
    INT("ingress", "early_access_per_minute", "10", 1, 1000000, "public sign-ups of one address in a minute"),
    SECRET("ingress", "jwt_secret", "SLUICE_JWT_SECRET", "secrets of HS256 tokens, comma-separated while rotating"),
    TEXT("ingress", "jwt_jwks_file", NULL, NULL, "file with the JWKS of RS256 and ES256 tokens"),
    TEXT("ingress", "jwt_issuer", NULL, NULL, "what a token's iss must be; empty: not checked"),
    TEXT("ingress", "jwt_audience", NULL, NULL, "what a token's aud must name; empty: not checked"),

    SECRET("source stripe", "secret", "STRIPE_WEBHOOK_SECRET", "whsec_…, comma-separated while rotating"),
    DURATION("source stripe", "tolerance", "300s", SECOND_MS, DAY_MS,
             "how far a signature's time may be off, both ways"),
    SECRET("source github", "secret", "GITHUB_WEBHOOK_SECRET",
           "of the repository's webhook, comma-separated while rotating"),
    SECRET("source callback", "secret", "GITHUB_CALLBACK_SECRET",
           "the workflow signs its callbacks with it, comma-separated while rotating"),
    SECRET("source dashboard", "secret", "DASHBOARD_WEBHOOK_SECRET",
           "whsec_…, Standard Webhooks, comma-separated while rotating"),
    DURATION("source dashboard", "tolerance", "300s", SECOND_MS, DAY_MS,
             "how far webhook-timestamp may be off, both ways"),

    TEXT("worker", "admin_listen", "127.0.0.1:0", NULL,
         "ADDRESS:PORT of healthz, readyz and metrics; port 0: a free one, see the log"),
    INT("worker", "batch_events", "500", 1, 4000, "events that one transaction decides at most"),
    DURATION("worker", "batch_wait", "2ms", 0, SECOND_MS, "how long a batch waits for more events"),
    TEXT("worker", "group", "sluice-worker", NULL, "consumer group"),
    DURATION("worker", "lease", "30s", SECOND_MS, HOUR_MS, "a job whose worker is silent for so long goes to another"),
    DURATION("worker", "sweep_interval", "1s", 10, HOUR_MS, "how often timers, leases and left-overs are looked at"),
    DURATION("worker", "poll_interval", "250ms", 10, MINUTE_MS,
             "how often jobs are looked for when nobody woke the executor"),
    INT("worker", "jobs_in_flight", "2000", 1, 100000, "jobs that one worker has under way"),
    DURATION("worker", "reconcile_interval", "15m", 0, DAY_MS,
             "how often one of the workers lists the clouds and writes down what isn't as the books say; 0: never"),
    DURATION("worker", "orphan_grace", "15m", 0, DAY_MS,
             "what was first seen more lately is left alone by sluicectl reconcile --fix"),
    DURATION("worker", "drain_timeout", "20s", 0, 10 * MINUTE_MS, "for calls under way after SIGTERM"),

    SECRET("worker", "data_keys", "SLUICE_DATA_KEYS",
           "ID:BASE64 of 32 bytes, comma-separated, the first is for new data: tokens of connections at rest, and"
           " invitations"),

    TEXT("console", "listen", "127.0.0.1:8090", NULL,
         "ADDRESS:PORT or [ADDRESS]:PORT for the read API, streams and pages; port 0: a free one"),
    SECRET("console", "token", NULL, "of ops, who may read for any user; comma-separated while rotating"),
    INT("console", "max_connections", "4000", 2, 1000000, "open connections; more are refused"),
    DURATION("console", "request_timeout", "30s", 100, 10 * MINUTE_MS, "in which a request has to arrive"),
    INT("console", "pool", "8", 1, 64, "sessions with Postgres"),
    INT("console", "pool_queue", "256", 1, 100000, "reads that wait for a session; more get 503"),
    DURATION("console", "pool_wait", "2s", 10, MINUTE_MS, "how long a read waits for a session before it gets 503"),
    DURATION("console", "statement_timeout", "5s", 10, 5 * MINUTE_MS, "of one read"),
    INT("console", "streams", "2000", 1, 1000000, "open streams; more get 503"),
    INT("console", "streams_per_user", "10", 1, 1000, "of one user"),
    SIZE("console", "stream_buffer", "256KiB", KIB, 64 * MIB,
         "what waits for the reader of one stream; one that is slower is cut off"),
    SIZE("console", "streams_buffer", "32MiB", MIB, 16 * GIB, "the same for all streams"),
    DURATION("console", "heartbeat", "15s", 10, HOUR_MS, "a stream that is silent for so long gets a comment"),
    INT("console", "resume_max", "200000", 0, INT32_MAX,
        "outcomes of a partition that are read again for a Last-Event-ID at most; older ones go on from now"),
    DURATION("console", "drain_timeout", "20s", 0, 10 * MINUTE_MS, "for requests under way after SIGTERM"),

    SWITCH("policy", "free_tier", "off", "off: no active subscription means NO_ACTIVE_SUBSCRIPTION"),
    CHOICE("policy", "on_payment_failed", "stop", NULL, "stop|keep",
           "what happens to running agents; data is kept in any case"),
    DURATION("policy", "grace", "7d", 0, 3650 * DAY_MS, "from a failed payment to the end of provisioner instances"),
    DURATION("policy", "grace_warning", "1d", 0, 3650 * DAY_MS,
             "so long before that end the user is warned; a shorter grace warns at six sevenths of it"),
    SWITCH("policy", "resume_on_payment", "off", "start what the failed payment stopped once it is paid"),
    CHOICE("policy", "on_subscription_deleted", "destroy", NULL, "destroy|keep", "what happens to the user's agents"),
    SWITCH("policy", "checkout_provisions", "on", "a completed checkout that names an agent provisions it"),
    CHOICE("policy", "unknown_customer", "park", NULL, "park|create", "events of customers that no user is known for"),
    DURATION("policy", "heartbeat", "60s", 10, DAY_MS, "how often a workflow under way reports"),
    INT("policy", "heartbeats_missed", "3", 1, 1000, "so many in a row missed fail the job"),
    DURATION("policy", "provision_timeout", "30m", 10, 7 * DAY_MS, "in which a provision has to be done"),
    DURATION("policy", "stop_grace", "60s", 0, DAY_MS, "from a graceful shutdown to the power switch"),
    DURATION("policy", "stale_run", "60m", 10, 365 * DAY_MS, "a run that has not ended by then counts as stale"),
    DURATION("policy", "invite_expiry", "7d", 10, 3650 * DAY_MS, "how long an invitation may be accepted"),
    DURATION("policy", "answer_timeout", "2m", 10, HOUR_MS,
             "how long the cloud call behind a waiting command is tried: a checkout, a resumed subscription"),
    TEXT("policy", "default_region", "us-east", NULL, "of commands and checkouts that name none"),

    TEXT("plan *", "price", NULL, NULL, "Stripe's price id; empty: nobody is on this plan by a price"),
    INT("plan *", "agents", "1", -1, 1000000, "agents at a time; -1: unlimited"),
    INT("plan *", "messages_per_day", "100", -1, INT32_MAX, "messages a day; -1: unlimited"),
    INT("plan *", "memory_mb", "256", 1, 16777216, "memory of an agent, in MiB"),
    TEXT("plan *", "cpu", "0.25", NULL, "processors of an agent, a decimal number"),
    CHOICE("plan *", "backend", "github-actions", NULL, "github-actions|hetzner|provisioner", "where its agents live"),
    CHOICE("plan *", "on_subscribe", "nothing", NULL, "nothing|provision",
           "provision: a new subscription brings an instance"),
    TEXT("plan *", "server_type", NULL, NULL,
         "Hetzner's server type of its agents that no workflow makes; empty: [cloud hetzner] server_type"),
    INT("plan *", "members", "0", -1, 1000000, "members of a workspace, invitations included; -1: unlimited; 0: none"),
    INT("plan *", "runs", "50", -1, INT32_MAX, "runs of a workspace in a billing cycle; -1: unlimited"),

    TEXT("region *", "locations", NULL, NULL,
         "Hetzner's locations, comma-separated, in the order in which they are tried"),

    TEXT("email", "templates", NULL, NULL,
         "folder with NAME.subject, NAME.txt and NAME.html of every e-mail; empty: the built-in texts"),

    INT("cloud *", "concurrency", "64", 1, 10000, "calls of one worker under way"),
    DURATION("cloud *", "timeout", "30s", 10, HOUR_MS, "of a whole call"),
    DURATION("cloud *", "connect_timeout", "5s", 10, 10 * MINUTE_MS, "of connecting, TLS included"),
    DURATION("cloud *", "poll", "500ms", 10, HOUR_MS,
             "first interval of asking after what takes its time; grows tenfold"),
    INT("cloud *", "attempts", "8", 1, 1000, "of one step, then its job is failed"),
    DURATION("cloud *", "backoff_base", "1s", 1, HOUR_MS, "wait after a first failure; doubles, with full jitter"),
    DURATION("cloud *", "backoff_cap", "60s", 1, DAY_MS, "longest wait between attempts"),
    INT("cloud *", "breaker_failures", "5", 1, 10000, "in a row open the circuit breaker"),
    DURATION("cloud *", "breaker_open", "15s", 10, DAY_MS, "until one call tries again"),

    TEXT("cloud hetzner", "base_url", "https://api.hetzner.cloud/v1", "HCLOUD_ENDPOINT", "with /v1"),
    SECRET("cloud hetzner", "token", "HCLOUD_TOKEN", "of the project, read and write"),
    TEXT("cloud hetzner", "image", "ubuntu-24.04", NULL, "of servers that no workflow makes"),
    TEXT("cloud hetzner", "server_type", "cpx11", NULL, "of those whose plan names none"),

    TEXT("cloud tailscale", "base_url", "https://api.tailscale.com", "TAILSCALE_BASE_URL", "without /api/v2"),
    SECRET("cloud tailscale", "api_key", "TAILSCALE_API_KEY", "instead of the OAuth client"),
    TEXT("cloud tailscale", "tailnet", "-", "TAILSCALE_TAILNET", "its name; -: the key's own"),
    TEXT("cloud tailscale", "tags", "tag:agent", NULL, "of servers that no workflow makes, comma-separated"),
    DURATION("cloud tailscale", "key_expiry", "600s", 60 * SECOND_MS, 600 * SECOND_MS,
             "life of the auth key with which such a server joins"),
    TEXT("cloud tailscale", "oauth_client_id", NULL, "TAILSCALE_OAUTH_CLIENT_ID", "instead of the API key"),
    SECRET("cloud tailscale", "oauth_client_secret", "TAILSCALE_OAUTH_CLIENT_SECRET",
           "of that client, scopes devices and auth_keys"),

    TEXT("cloud github", "base_url", "https://api.github.com", "GITHUB_API_URL", "up to the host"),
    SECRET("cloud github", "token", "GITHUB_PAT", "may dispatch and cancel workflows of the repository"),
    TEXT("cloud github", "owner", NULL, "GITHUB_REPO_OWNER", "of the repository with the workflow"),
    TEXT("cloud github", "repo", NULL, "GITHUB_REPO_NAME", "the repository with the workflow"),
    TEXT("cloud github", "workflow", "provision-agent.yml", "GITHUB_WORKFLOW", "file name of the workflow"),
    TEXT("cloud github", "ref", "main", "GITHUB_REF", "branch or tag that it runs on"),
    TEXT("cloud github", "app_url", NULL, "APP_URL", "where the workflow reaches ingress for its callbacks"),
    TEXT("cloud github", "api_version", "2022-11-28", NULL, "X-GitHub-Api-Version"),
    DURATION("cloud github", "look_window", "20s", 10, HOUR_MS, "how late a dispatched run may appear in lists"),
    DURATION("cloud github", "run_stop_max", "5m", 10, DAY_MS, "how long a destroy waits for a cancelled run's end"),

    TEXT("cloud provisioner", "base_url", NULL, "DOKKU_PROVISIONER_URL", "up to the host"),
    SECRET("cloud provisioner", "api_key", "PROVISIONER_API_KEY", "of the provisioner"),

    TEXT("cloud stripe", "base_url", "https://api.stripe.com", "STRIPE_API_BASE", "without /v1"),
    SECRET("cloud stripe", "secret_key", "STRIPE_SECRET_KEY", "sk_… or rk_…"),
    TEXT("cloud stripe", "api_version", "2026-10-28.endive", NULL, "Stripe-Version of our requests"),

    TEXT("cloud graph", "base_url", "https://graph.microsoft.com", "GRAPH_BASE_URL", "Microsoft Graph, without /v1.0"),

    TEXT("cloud resend", "base_url", "https://api.resend.com", "RESEND_BASE_URL", "up to the host"),
    SECRET("cloud resend", "api_key", "RESEND_API_KEY", "re_…"),
    TEXT("cloud resend", "from", NULL, "EMAIL_FROM", "sender of e-mails"),
    TEXT("cloud resend", "admin_email", NULL, "ADMIN_EMAIL", "who is told of failed jobs"),
};

const struct sl_config_key *sl_config_all_keys(size_t *ret_count)
{
    *ret_count = SL_ARRAY_LEN(KEYS);
    return KEYS;
}
