/* call.c - see call.h. */
#include "tests/unit/ingress/call.h"

#include "tests/unit/web/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/json.h"

struct kit call_kit;
struct client_answer call_answer;

int call_set_up(void **state)
{
    (void)state;
    kit_start(&call_kit,
              "publish_deadline = 1s\ndrain_timeout = 2s\nbody_max = 64KiB\nin_flight_max = 1MiB\n"
              "in_flight_per_address = 1MiB\n",
              true);
    return 0;
}

int call_tear_down(void **state)
{
    (void)state;
    kit_stop(&call_kit);
    return 0;
}

unsigned call_port(void)
{
    return instance_port(call_kit.instance);
}

void call_expect(int status, const char *error_code)
{
    char text[64];
    if (call_answer.status != status)
        fail_msg("status %d, not %d: %s", call_answer.status, status, call_answer.body);
    if (!error_code)
        return;
    SL_JSON_AUTO *json = NULL;
    assert_true(sl_json_parse(sl_str_of(call_answer.body), 0, &json, NULL));
    assert_str(sl_json_str(json, "errorCode"), error_code);
    assert_string_equal(client_header(&call_answer, "content-type", text, sizeof(text)), "application/problem+json");
}

void call_stripe(const char *body)
{
    char field[128];
    char headers[256];
    kit_sign_stripe(body, strlen(body), field);
    (void)snprintf(headers, sizeof(headers), "Stripe-Signature: %s\r\nContent-Type: application/json\r\n", field);
    client_call(call_port(), "POST", "/webhooks/stripe", headers, body, &call_answer);
}

double call_metric(const char *line)
{
    struct client_answer *metrics = sl_calloc(1, sizeof(*metrics));
    client_call(call_port(), "GET", "/metrics", NULL, NULL, metrics);
    const char *found = strstr(metrics->body, line);
    double value = found ? strtod(found + strlen(line), NULL) : 0;
    free(metrics);
    return value;
}

/* Requests of all sources, and what became of them, summed over labels. */
double call_sum(const char *family)
{
    struct client_answer *metrics = sl_calloc(1, sizeof(*metrics));
    double sum = 0;
    client_call(call_port(), "GET", "/metrics", NULL, NULL, metrics);
    for (const char *line = metrics->body; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, family, strlen(family)) == 0 && line[strlen(family)] == '{')
            sum += strtod(strchr(line, '}') + 1, NULL);
        if (*line == '\0')
            break;
    }
    free(metrics);
    return sum;
}

/* Until it is at least one. */
void call_await(const char *line)
{
    int64_t until_ms = sl_clock_mono_ms() + CALL_PATIENCE_MS;
    do {
        instance_tick(call_kit.instance, sl_clock_mono_ms());
        if (sl_clock_mono_ms() > until_ms)
            fail_msg("never came: %s", line);
    } while (call_metric(line) < 1);
}
