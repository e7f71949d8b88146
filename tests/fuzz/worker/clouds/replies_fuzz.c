/* replies_fuzz.c - any status, headers and body as the reply of any cloud: the verdict on it, and every reader of that
 * cloud's replies.
 *
 * The verdict and its cause are in range, waits are never negative nor longer than a day, a refusal always has a
 * message that is printable; what a reader gives is text that ends within its room; the same reply twice gives the
 * same, byte for byte; a reader that refuses leaves what it was to fill untouched.
 *
 * Input: a byte for the cloud; one for how the call ended; two of the status; header lines "name: value", each up to
 * the next newline, until an empty one; the body.
 */
#include "common/utf8.h"
#include "tests/fuzz/bytes.h"
#include "worker/clouds/github.h"
#include "worker/clouds/graph.h"
#include "worker/clouds/hetzner.h"
#include "worker/clouds/provisioner.h"
#include "worker/clouds/resend.h"
#include "worker/clouds/stripe.h"
#include "worker/clouds/tailscale.h"
#include "worker/execute/classify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS    INT64_C(1763712000000)
#define UNTOUCHED 0x5A
#define DAY_MS    INT64_C(86400000)

/* Whatever a reader fills, and what it says beside it. */
struct reading {
    bool ok, found, more;
    union {
        struct hetzner_server server;
        struct hetzner_action action;
        struct tailscale_device device;
        struct tailscale_key key;
        struct tailscale_token token;
        struct github_run run;
        char run_id[GITHUB_ID_BYTES];
        struct provisioner_app app;
        char app_name[PROVISIONER_NAME_BYTES];
        char customer_id[STRIPE_ID_BYTES];
        struct stripe_session session;
        struct stripe_subscription subscription;
        char link[GRAPH_LINK_BYTES];
        uint8_t bytes[8192];
    } as;
};

typedef void reader(const struct sl_http_response *response, struct reading *reading);

#define ENDS(text) SL_ASSERT(memchr((text), '\0', sizeof(text)))

static void check_server(const struct hetzner_server *server)
{
    SL_ASSERT(server->status < HETZNER_STATUS_COUNT);
    ENDS(server->id);
    ENDS(server->name);
    ENDS(server->ipv4);
    ENDS(server->agent_label);
    ENDS(server->job_label);
    SL_ASSERT(cloud_id_is_safe(sl_str_of(server->id), HETZNER_ID_BYTES, true));
}

static void hetzner_server_of(const struct sl_http_response *response, struct reading *reading)
{
    reading->ok = hetzner_read_server(response, &reading->as.server);
    if (reading->ok)
        check_server(&reading->as.server);
}

static void hetzner_found_of(const struct sl_http_response *response, struct reading *reading)
{
    reading->ok = hetzner_read_found(response, &reading->found, &reading->as.server);
    if (reading->ok && reading->found)
        check_server(&reading->as.server);
}

static void hetzner_action_of(const struct sl_http_response *response, struct reading *reading)
{
    reading->ok = hetzner_read_action(response, &reading->as.action);
    if (!reading->ok)
        return;
    SL_ASSERT(reading->as.action.status >= HETZNER_ACTION_RUNNING && reading->as.action.status <= HETZNER_ACTION_ERROR);
    ENDS(reading->as.action.id);
    ENDS(reading->as.action.error.code);
    ENDS(reading->as.action.error.message);
}

static void check_device(const struct tailscale_device *device)
{
    ENDS(device->id);
    ENDS(device->hostname);
    ENDS(device->address);
    SL_ASSERT(device->id[0] != '\0');
}

static void tailscale_found_of(const struct sl_http_response *response, struct reading *reading)
{
    reading->ok = tailscale_read_found(response, SL_STR("agent-1"), &reading->found, &reading->as.device);
    if (!reading->ok || !reading->found)
        return;
    check_device(&reading->as.device);
    SL_ASSERT(!reading->as.device.external && strcmp(reading->as.device.hostname, "agent-1") == 0);
}

static void tailscale_device_of(const struct sl_http_response *response, struct reading *reading)
{
    reading->ok = tailscale_read_device(response, &reading->as.device);
    if (reading->ok)
        check_device(&reading->as.device);
}

static void tailscale_key_of(const struct sl_http_response *response, struct reading *reading)
{
    reading->ok = tailscale_read_key(response, &reading->as.key);
    if (!reading->ok)
        return;
    ENDS(reading->as.key.id);
    ENDS(reading->as.key.secret);
}

static void tailscale_token_of(const struct sl_http_response *response, struct reading *reading)
{
    reading->ok = tailscale_read_token(response, &reading->as.token);
    if (!reading->ok)
        return;
    ENDS(reading->as.token.text);
    SL_ASSERT(reading->as.token.text[0] != '\0' && reading->as.token.expires_in_ms >= 0);
}

static void github_dispatched_of(const struct sl_http_response *response, struct reading *reading)
{
    reading->ok = true;
    github_read_dispatched(response, reading->as.run_id);
    ENDS(reading->as.run_id);
}

static void check_run(const struct github_run *run)
{
    ENDS(run->id);
    ENDS(run->title);
    ENDS(run->conclusion);
    SL_ASSERT(run->created_at_ms >= 0 && run->id[0] != '\0');
}

static void github_found_of(const struct sl_http_response *response, struct reading *reading)
{
    reading->ok = github_read_found(response, SL_STR("sluice 1"), &reading->found, &reading->as.run, &reading->more);
    if (!reading->ok || !reading->found)
        return;
    check_run(&reading->as.run);
    SL_ASSERT(strcmp(reading->as.run.title, "sluice 1") == 0);
}

static void github_run_of(const struct sl_http_response *response, struct reading *reading)
{
    reading->ok = github_read_run(response, &reading->as.run);
    if (reading->ok)
        check_run(&reading->as.run);
}

static void provisioner_app_of(const struct sl_http_response *response, struct reading *reading)
{
    reading->ok = provisioner_read_app(response, &reading->as.app);
    if (!reading->ok)
        return;
    ENDS(reading->as.app.name);
    ENDS(reading->as.app.frontend_url);
    ENDS(reading->as.app.backend_url);
}

static void provisioner_found_of(const struct sl_http_response *response, struct reading *reading)
{
    reading->ok = provisioner_read_found(response, SL_STR("sub_1"), &reading->found, reading->as.app_name);
    if (reading->ok && reading->found)
        ENDS(reading->as.app_name);
}

static void stripe_customer_of(const struct sl_http_response *response, struct reading *reading)
{
    reading->ok = stripe_read_customer(response, reading->as.customer_id);
    if (reading->ok)
        ENDS(reading->as.customer_id);
}

static void stripe_session_of(const struct sl_http_response *response, struct reading *reading)
{
    reading->ok = stripe_read_session(response, &reading->as.session);
    if (!reading->ok)
        return;
    ENDS(reading->as.session.id);
    ENDS(reading->as.session.url);
}

static void stripe_subscription_of(const struct sl_http_response *response, struct reading *reading)
{
    reading->ok = stripe_read_subscription(response, &reading->as.subscription);
    if (!reading->ok)
        return;
    ENDS(reading->as.subscription.id);
    SL_ASSERT(reading->as.subscription.cancel_at_s >= 0 && reading->as.subscription.period_end_s >= 0);
}

static void graph_page_of(const struct sl_http_response *response, struct reading *reading)
{
    const struct cloud_account account = {.base_url = "https://graph.example/v1.0", .timeout_ms = 1};
    json_t *rows = NULL;
    struct sl_err err = {0};
    reading->ok = graph_read_page(&account, response, &rows, reading->as.link, &err);
    if (!reading->ok) {
        SL_ASSERT(!rows && (err.error_class == SL_ERR_RETRY || err.error_class == SL_ERR_PERMANENT));
        return;
    }
    ENDS(reading->as.link);
    SL_ASSERT(json_is_array(rows));
    reading->found = json_array_size(rows) > 0;
    json_decref(rows);
    /* The token goes nowhere but behind the base URL. */
    struct cloud_request request;
    cloud_request_init(&request);
    if (reading->as.link[0] && graph_next_page(&account, sl_str_of(reading->as.link), &request, &err))
        SL_ASSERT(sl_str_starts_with(sl_str_of(request.http.url), SL_STR("https://graph.example/v1.0")));
    cloud_request_deinit(&request);
}

static const struct {
    enum cloud_id cloud;
    reader *read;
} READERS[] = {
    {CLOUD_HETZNER, hetzner_server_of},      {CLOUD_HETZNER, hetzner_found_of},
    {CLOUD_HETZNER, hetzner_action_of},      {CLOUD_TAILSCALE, tailscale_found_of},
    {CLOUD_TAILSCALE, tailscale_device_of},  {CLOUD_TAILSCALE, tailscale_key_of},
    {CLOUD_TAILSCALE, tailscale_token_of},   {CLOUD_GITHUB, github_dispatched_of},
    {CLOUD_GITHUB, github_found_of},         {CLOUD_GITHUB, github_run_of},
    {CLOUD_PROVISIONER, provisioner_app_of}, {CLOUD_PROVISIONER, provisioner_found_of},
    {CLOUD_STRIPE, stripe_customer_of},      {CLOUD_STRIPE, stripe_session_of},
    {CLOUD_STRIPE, stripe_subscription_of},  {CLOUD_GRAPH, graph_page_of},
};

static void check_readers(enum cloud_id cloud, const struct sl_http_response *response)
{
    static struct reading first, again;
    for (size_t i = 0; i < SL_ARRAY_LEN(READERS); i++) {
        if (READERS[i].cloud != cloud)
            continue;
        memset(&first, 0, sizeof(first));
        memset(&again, 0, sizeof(again));
        memset(first.as.bytes, UNTOUCHED, sizeof(first.as.bytes));
        memset(again.as.bytes, UNTOUCHED, sizeof(again.as.bytes));
        READERS[i].read(response, &first);
        READERS[i].read(response, &again);
        SL_ASSERT(memcmp(&first, &again, sizeof(first)) == 0);
        for (size_t b = 0; !first.ok && b < sizeof(first.as.bytes); b++)
            SL_ASSERT(first.as.bytes[b] == UNTOUCHED);
    }
}

static void check_verdict(enum cloud_id id, bool mutates, const struct sl_http_response *response)
{
    static struct classification first, again;
    const struct cloud *cloud = cloud_of(id);
    classify(cloud, mutates, response, NOW_MS, &first);
    classify(cloud, mutates, response, NOW_MS, &again);
    SL_ASSERT(first.verdict == again.verdict && first.cause == again.cause && first.after_ms == again.after_ms);
    SL_ASSERT(strcmp(first.error.message, again.error.message) == 0 && strcmp(first.error.code, again.error.code) == 0);
    SL_ASSERT(verdict_name(first.verdict)[0] != '\0' && cause_name(first.cause));
    SL_ASSERT(first.after_ms >= 0 && first.after_ms <= DAY_MS);
    SL_ASSERT(first.attempts_max >= 0 && first.limits.retry_after_ms >= -1);
    SL_ASSERT(first.limits.retry_after_ms <= DAY_MS && first.limits.reset_at_ms <= NOW_MS + DAY_MS);
    SL_ASSERT(first.verdict != VERDICT_UNKNOWN || mutates);
    SL_ASSERT(first.verdict != VERDICT_DONE || (response->status >= 200 && response->status <= 299));
    SL_ASSERT((first.verdict == VERDICT_DONE) == (first.error.message[0] == '\0'));
    for (const char *at = first.error.message; *at; at++)
        SL_ASSERT((unsigned char)*at >= ' ' && *at != 0x7F);
    if (first.limits.known)
        SL_ASSERT(first.limits.limit > 0 && first.limits.remaining >= 0 && first.limits.refill_ms >= 0);
}

/* Names in lower case, as the client gives them. */
static size_t take_headers(struct fuzz_bytes *bytes, struct sl_http_response *response, struct sl_str *lines)
{
    size_t count = 0;
    while (bytes->left > 0 && count < SL_HTTP_RESPONSE_HEADERS_MAX) {
        const uint8_t *end = memchr(bytes->at, '\n', bytes->left);
        size_t len = end ? (size_t)(end - bytes->at) : bytes->left;
        struct fuzz_bytes line = {.at = bytes->at, .left = len};
        bytes->at += end ? len + 1 : len;
        bytes->left -= end ? len + 1 : len;
        if (len == 0)
            break;
        char *text = sl_calloc(1, len + 1);
        memcpy(text, line.at, len);
        lines[count++] = (struct sl_str){.ptr = text, .len = len};
        char *colon = strchr(text, ':');
        if (!colon)
            continue;
        *colon = '\0';
        response->headers[response->header_count++] =
            (struct sl_http_header){.name = text, .value = sl_str_trim(sl_str_of(colon + 1))};
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sl_err LOST = {.error_class = SL_ERR_RETRY, .message = "connection reset"};
    static struct sl_str lines[SL_HTTP_RESPONSE_HEADERS_MAX];
    struct fuzz_bytes bytes = {.at = data, .left = size};
    enum cloud_id cloud = (enum cloud_id)(1 + fuzz_byte(&bytes) % (CLOUD_COUNT - 1));
    unsigned end = fuzz_byte(&bytes);
    struct sl_http_response response = {.end = end % 16 == 15   ? SL_HTTP_UNKNOWN
                                               : end % 16 == 14 ? SL_HTTP_NOT_SENT
                                                                : SL_HTTP_ANSWERED};
    int status = (int)((fuzz_byte(&bytes) << 8 | fuzz_byte(&bytes)) % 600);
    size_t line_count = take_headers(&bytes, &response, lines);
    struct sl_str body = fuzz_rest(&bytes);
    if (response.end == SL_HTTP_ANSWERED) {
        response.status = status < 100 ? 200 : status;
        response.body = body;
    } else {
        response.header_count = 0;
        response.err = end % 32 < 16 ? &LOST : NULL;
    }
    check_verdict(cloud, end & 128, &response);
    if (response.end == SL_HTTP_ANSWERED)
        check_readers(cloud, &response);
    for (size_t i = 0; i < line_count; i++)
        fuzz_free(lines[i]);
    fuzz_free(body);
    return 0;
}
