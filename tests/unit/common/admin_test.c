/* admin_test.c - readiness and the admin paths, from the function and over HTTP. */
#include "tests/unit/cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/admin.h"
#include "common/http.h"

#define WAIT_MS 20000
#define ROUNDS  2000

struct world {
    struct sl_metrics *metrics;
    struct sl_readiness *readiness;
    struct sl_buf out;
};

static int make_world(void **state)
{
    static struct world world;
    world.metrics = sl_metrics_create();
    world.readiness = sl_readiness_create();
    sl_buf_init(&world.out, 1024 * 1024);
    sl_metric_add(
        sl_metric_plain(sl_metrics_family(world.metrics, SL_METRIC_COUNTER, "sluice_test_total", "", "Tests.")), 3);
    *state = &world;
    return 0;
}

static int drop_world(void **state)
{
    struct world *world = *state;
    sl_metrics_destroy(world->metrics);
    sl_readiness_destroy(world->readiness);
    sl_buf_deinit(&world->out);
    return 0;
}

static void expect_reason(struct world *world, const char *reason)
{
    sl_buf_reset(&world->out);
    assert_int_equal(sl_readiness_get(world->readiness, &world->out), reason == NULL);
    assert_str_is(sl_buf_str(&world->out), reason != NULL ? reason : "");
}

static void readiness_is_the_first_reason(void **state)
{
    struct world *world = *state;
    expect_reason(world, NULL);
    sl_readiness_set(world->readiness, "postgres", "");
    sl_readiness_set(world->readiness, "kafka", "no broker");
    expect_reason(world, "kafka: no broker");
    sl_readiness_set(world->readiness, "postgres", "away");
    expect_reason(world, "postgres: away");
    sl_readiness_set(world->readiness, "postgres", "starting");
    expect_reason(world, "postgres: starting");
    sl_readiness_set(world->readiness, "postgres", "");
    sl_readiness_set(world->readiness, "kafka", "");
    expect_reason(world, NULL);
}

static void long_reasons_are_cut_between_characters(void **state)
{
    struct world *world = *state;
    char reason[401];
    for (size_t i = 0; i < 400; i += 2) {
        memcpy(reason + i, "\xc3\xa4", 2);
    }
    reason[400] = '\0';
    sl_readiness_set(world->readiness, "a", reason);
    sl_buf_reset(&world->out);
    assert_false(sl_readiness_get(world->readiness, &world->out));
    assert_int_equal(world->out.len, strlen("a: ") + 158);
    assert_memory_equal(world->out.data + 3, reason, 158);
}

static void set_too_many_parts(void *readiness)
{
    for (int i = 0; i < 17; i++) {
        char part[8];
        (void)snprintf(part, sizeof(part), "p%d", i);
        sl_readiness_set(readiness, part, "");
    }
}

static void parts_are_bounded(void **state)
{
    struct world *world = *state;
    assert_aborts(set_too_many_parts, world->readiness);
}

static void *flip(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        sl_readiness_set(arg, "flip", i % 2 == 0 ? "no" : "");
    }
    return NULL;
}

static void readiness_is_shared_between_threads(void **state)
{
    struct world *world = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, flip, world->readiness), 0);
    for (int i = 0; i < ROUNDS; i++) {
        sl_buf_reset(&world->out);
        if (!sl_readiness_get(world->readiness, &world->out)) {
            assert_str_is(sl_buf_str(&world->out), "flip: no");
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    expect_reason(world, NULL);
}

static void answers_by_path(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *path;
        const char *reason;
        int status; /* 0: no admin path */
        const char *content_type;
        const char *body; /* how it begins */
    } ROWS[] = {
        {"/healthz", "down", 200, "application/json", "{\"status\":\"ok\"}"},
        {"/health", "down", 200, "application/json", "{\"status\":\"healthy\",\"service\":\"sluice-test\"}"},
        {"/readyz", "", 200, "application/json", "{\"ready\":true}"},
        {"/readyz", "say \"no\"", 503, "application/json", "{\"ready\":false,\"reason\":\"part: say \\\"no\\\"\"}"},
        {"/metrics", "", 200, "text/plain; version=0.0.4", "# HELP sluice_test_total Tests.\n"},
        {"/", "", 0, NULL, ""},
        {"/healthz/", "", 0, NULL, ""},
        {"/HEALTHZ", "", 0, NULL, ""},
        {"", "", 0, NULL, ""},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct sl_admin_answer answer = {0};
        sl_readiness_set(world->readiness, "part", ROWS[i].reason);
        sl_buf_reset(&world->out);
        assert_int_equal(
            sl_admin_answer(ROWS[i].path, "sluice-test", world->metrics, world->readiness, &world->out, &answer),
            ROWS[i].status != 0);
        assert_int_equal(answer.status, ROWS[i].status);
        assert_true(sl_str_starts_with(sl_buf_str(&world->out), sl_str_of(ROWS[i].body)));
        if (ROWS[i].status != 0) {
            assert_string_equal(answer.content_type, ROWS[i].content_type);
        }
    }
}

static void metrics_that_do_not_fit_are_an_error(void **state)
{
    struct world *world = *state;
    struct sl_admin_answer answer = {0};
    struct sl_buf small;
    sl_buf_init(&small, 8);
    assert_true(sl_admin_answer("/metrics", "sluice-test", world->metrics, world->readiness, &small, &answer));
    assert_int_equal(answer.status, 500);
    sl_buf_deinit(&small);
}

static void listen_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int family; /* 0: refused */
        int port;
    } ROWS[] = {
        {"127.0.0.1:8080", AF_INET, 8080},
        {"0.0.0.0:0", AF_INET, 0},
        {"[::1]:65535", AF_INET6, 65535},
        {"[::]:1", AF_INET6, 1},
        {"127.0.0.1", 0, 0},
        {"127.0.0.1:", 0, 0},
        {"127.0.0.1:65536", 0, 0},
        {"127.0.0.1:-1", 0, 0},
        {"127.0.0.1:+1", 0, 0},
        {"127.0.0.1:1 ", 0, 0},
        {"127.0.0.1:99999999999999999999", 0, 0},
        {"::1:80", 0, 0},
        {"[::1:80", 0, 0},
        {"[]:80", 0, 0},
        {"[127.0.0.1]:80", 0, 0},
        {":80", 0, 0},
        {"localhost:80", 0, 0},
        {"", 0, 0},
        {":", 0, 0},
        {"]:80", 0, 0},
        {"[:80", 0, 0},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct sockaddr_storage address = {.ss_family = AF_UNIX};
        struct sl_err err = {0};
        assert_int_equal(sl_admin_parse_listen(ROWS[i].text, &address, &err), ROWS[i].family != 0);
        if (ROWS[i].family == 0) {
            assert_int_equal(err.error_class, SL_ERR_PERMANENT);
            assert_int_equal(address.ss_family, AF_UNIX); /* untouched */
        } else {
            assert_int_equal(address.ss_family, ROWS[i].family);
            /* the port stands at the same place in both */
            assert_int_equal(ntohs(((const struct sockaddr_in *)&address)->sin_port), ROWS[i].port);
        }
    }
}

struct seen {
    int status;
    char content_type[64];
    char allow[16];
    char body[256];
};

static void see(void *arg, const struct sl_http_response *response)
{
    struct seen *seen = arg;
    assert_int_equal(response->end, SL_HTTP_ANSWERED);
    const struct sl_str content_type = sl_http_header_of(response, "content-type");
    const struct sl_str allow = sl_http_header_of(response, "allow");
    seen->status = response->status;
    (void)snprintf(seen->content_type, sizeof(seen->content_type), "%" SL_STR_FMT, SL_STR_ARG(content_type));
    (void)snprintf(seen->allow, sizeof(seen->allow), "%" SL_STR_FMT, SL_STR_ARG(allow));
    (void)snprintf(seen->body, sizeof(seen->body), "%" SL_STR_FMT, SL_STR_ARG(response->body));
}

static struct seen ask(const struct sl_admin *admin, const char *method, const char *path)
{
    struct sl_err err = {0};
    struct seen seen = {0};
    char url[64];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", sl_admin_port(admin), path);
    const struct sl_http_request request = {
        .method = method,
        .url = url,
        .body = strcmp(method, "POST") == 0 ? SL_STR("some body") : SL_STR_NONE,
        .connect_timeout_ms = WAIT_MS,
        .timeout_ms = WAIT_MS,
    };
    struct sl_http *http = sl_http_create(1, "sluice-test", NULL, &err);
    assert_non_null(http);
    assert_true(sl_http_start(http, &request, see, &seen, &err));
    while (sl_http_in_flight(http) > 0) {
        sl_http_poll(http, WAIT_MS);
    }
    sl_http_destroy(http);
    return seen;
}

static void server_answers(void **state)
{
    struct world *world = *state;
    struct sl_err err = {0};
    char service[] = "sluice-test";
    struct sl_admin *admin = sl_admin_start("127.0.0.1:0", service, world->metrics, world->readiness, &err);
    assert_non_null(admin);
    memset(service, 'x', sizeof(service) - 1); /* a copy was taken */
    static const struct {
        const char *method;
        const char *path;
        int status;
        const char *body;
    } ROWS[] = {
        {"GET", "/healthz", 200, "{\"status\":\"ok\"}"},
        {"GET", "/healthz?verbose=1", 200, "{\"status\":\"ok\"}"},
        {"GET", "/health", 200, "{\"status\":\"healthy\",\"service\":\"sluice-test\"}"},
        {"GET", "/readyz", 200, "{\"ready\":true}"},
        {"GET", "/", 404, "{\"error\":\"not found\"}"},
        {"POST", "/", 404, "{\"error\":\"not found\"}"},
        {"POST", "/healthz", 405, "{\"error\":\"only GET\"}"},
        {"DELETE", "/metrics", 405, "{\"error\":\"only GET\"}"},
        {"HEAD", "/healthz", 405, ""},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        const struct seen seen = ask(admin, ROWS[i].method, ROWS[i].path);
        assert_int_equal(seen.status, ROWS[i].status);
        assert_string_equal(seen.body, ROWS[i].body);
        assert_string_equal(seen.content_type, "application/json");
        assert_string_equal(seen.allow, ROWS[i].status == 405 ? "GET" : "");
    }
    const struct seen metrics = ask(admin, "GET", "/metrics");
    assert_string_equal(metrics.content_type, "text/plain; version=0.0.4");
    assert_non_null(strstr(metrics.body, "sluice_test_total 3\n"));
    sl_readiness_set(world->readiness, "drain", "stopping");
    assert_int_equal(ask(admin, "GET", "/readyz").status, 503);

    char taken[32];
    (void)snprintf(taken, sizeof(taken), "127.0.0.1:%d", sl_admin_port(admin));
    assert_null(sl_admin_start(taken, "sluice-test", world->metrics, world->readiness, &err));
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
    assert_non_null(strstr(err.message, taken));
    sl_admin_stop(admin);
    sl_admin_stop(NULL);
    assert_null(sl_admin_start("nowhere", "sluice-test", world->metrics, world->readiness, &err));
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_world, drop_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(readiness_is_the_first_reason),
        test(long_reasons_are_cut_between_characters),
        test(parts_are_bounded),
        test(readiness_is_shared_between_threads),
        test(answers_by_path),
        test(metrics_that_do_not_fit_are_an_error),
        cmocka_unit_test(listen_addresses),
        test(server_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
