/* metrics_test.c - the exposition format, label escaping, histograms, bounded series. */
#include "tests/unit/cmocka_all.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/metrics.h"
#include "common/utf8.h"

static char *rendered(struct sl_metrics *metrics)
{
    struct sl_buf out;
    sl_buf_init(&out, 1 << 22);
    assert_true(sl_metrics_render(metrics, &out));
    return sl_buf_take(&out);
}

static void counters_and_gauges(void **state)
{
    (void)state;
    struct sl_metrics *metrics = sl_metrics_create();
    struct sl_metric *requests =
        sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_requests_total", "source,status", "Requests.");
    struct sl_metric *depth = sl_metrics_family(metrics, SL_METRIC_GAUGE, "sluice_depth", "", "Depth \\ of\nit.");
    sl_metric_add(sl_metric_with(requests, "stripe", "200"), 2);
    sl_metric_add(sl_metric_with(requests, "stripe", "200"), 1);
    sl_metric_add(sl_metric_with(requests, "github", "503"), 1);
    sl_metric_set(sl_metric_plain(depth), 10);
    sl_metric_add(sl_metric_plain(depth), -14);
    assert_int_equal(sl_metric_value(sl_metric_plain(depth)), -4);
    assert_ptr_equal(sl_metrics_family(metrics, SL_METRIC_GAUGE, "sluice_depth", "", "again"), depth);
    char *text = rendered(metrics);
    assert_string_equal(text, "# HELP sluice_requests_total Requests.\n"
                              "# TYPE sluice_requests_total counter\n"
                              "sluice_requests_total{source=\"stripe\",status=\"200\"} 3\n"
                              "sluice_requests_total{source=\"github\",status=\"503\"} 1\n"
                              "# HELP sluice_depth Depth \\\\ of\\nit.\n"
                              "# TYPE sluice_depth gauge\n"
                              "sluice_depth -4\n");
    free(text);
    sl_metrics_destroy(metrics);
    sl_metrics_destroy(NULL);
}

static void a_plain_counter_starts_at_zero(void **state)
{
    (void)state;
    struct sl_metrics *metrics = sl_metrics_create();
    (void)sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_x_total", "", "X.");
    char *text = rendered(metrics);
    assert_non_null(strstr(text, "\nsluice_x_total 0\n"));
    free(text);
    sl_metrics_destroy(metrics);
}

static void label_values_are_escaped_cut_and_made_utf8(void **state)
{
    (void)state;
    struct sl_metrics *metrics = sl_metrics_create();
    struct sl_metric *family = sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_x_total", "v", "X.");
    char long_value[300];
    memset(long_value, 'y', sizeof(long_value));
    long_value[sizeof(long_value) - 1] = '\0';
    sl_metric_add(sl_metric_with(family, "a\"b\\c\nd"), 1);
    sl_metric_add(sl_metric_with(family, "x\xFFz"), 1);
    sl_metric_add(sl_metric_with(family, long_value), 1);
    sl_metric_add(sl_metric_with(family, ""), 1);
    char *text = rendered(metrics);
    assert_non_null(strstr(text, "{v=\"a\\\"b\\\\c\\nd\"} 1\n"));
    assert_non_null(strstr(text, "{v=\"x?z\"} 1\n"));
    assert_non_null(strstr(text, "{v=\"\"} 1\n"));
    char expected[160];
    (void)snprintf(expected, sizeof(expected), "{v=\"%.128s\"} 1\n", long_value);
    assert_non_null(strstr(text, expected));
    assert_true(sl_utf8_is_text(sl_str_of(text)));
    free(text);
    sl_metrics_destroy(metrics);
}

static void a_histogram_is_cumulative(void **state)
{
    (void)state;
    struct sl_metrics *metrics = sl_metrics_create();
    struct sl_metric *family = sl_metrics_family(metrics, SL_METRIC_HISTOGRAM, "sluice_x_seconds", "", "X.");
    struct sl_metric_series *series = sl_metric_plain(family);
    sl_metric_observe_ms(series, 0.5); /* on a bound: inside */
    sl_metric_observe_ms(series, 0.6);
    sl_metric_observe_ms(series, 250);
    sl_metric_observe_ms(series, 61000);
    sl_metric_observe_ms(series, -5);
    sl_metric_observe_ms(series, (double)NAN);
    sl_metric_observe_ms(series, (double)INFINITY);
    assert_int_equal(sl_metric_value(series), 7);
    char *text = rendered(metrics);
    static const char *const LINES[] = {
        "sluice_x_seconds_bucket{le=\"0.0005\"} 3\n", "sluice_x_seconds_bucket{le=\"0.001\"} 4\n",
        "sluice_x_seconds_bucket{le=\"0.1\"} 4\n",    "sluice_x_seconds_bucket{le=\"0.25\"} 5\n",
        "sluice_x_seconds_bucket{le=\"60\"} 5\n",     "sluice_x_seconds_bucket{le=\"+Inf\"} 7\n",
        "sluice_x_seconds_sum 1000000061.251100\n",   "sluice_x_seconds_count 7\n",
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(LINES); i++) {
        if (strstr(text, LINES[i]) == NULL) {
            fail_msg("no line %s in\n%s", LINES[i], text);
        }
    }
    free(text);
    sl_metrics_destroy(metrics);
}

static void histograms_with_labels_put_le_last(void **state)
{
    (void)state;
    struct sl_metrics *metrics = sl_metrics_create();
    struct sl_metric *family = sl_metrics_family(metrics, SL_METRIC_HISTOGRAM, "sluice_x_seconds", "cloud", "X.");
    sl_metric_observe_ms(sl_metric_with(family, "hetzner"), 1.25);
    char *text = rendered(metrics);
    assert_non_null(strstr(text, "sluice_x_seconds_bucket{cloud=\"hetzner\",le=\"0.001\"} 0\n"));
    assert_non_null(strstr(text, "sluice_x_seconds_sum{cloud=\"hetzner\"} 0.001250\n"));
    free(text);
    sl_metrics_destroy(metrics);
}

static void series_are_bounded(void **state)
{
    (void)state;
    struct sl_metrics *metrics = sl_metrics_create();
    struct sl_metric *family = sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_x_total", "a,b", "X.");
    struct sl_metric_series *first = sl_metric_with(family, "0", "b");
    for (int i = 0; i < 2000; i++) {
        char value[16];
        (void)snprintf(value, sizeof(value), "%d", i);
        sl_metric_add(sl_metric_with(family, value, "b"), 1);
    }
    assert_ptr_equal(sl_metric_with(family, "0", "b"), first);
    assert_ptr_equal(sl_metric_with(family, "1999", "b"), sl_metric_with(family, "other", "other"));
    assert_int_equal(sl_metric_value(sl_metric_with(family, "other", "other")), 2000 - (SL_METRICS_SERIES_MAX - 1));
    char *text = rendered(metrics);
    size_t lines = 0;
    for (const char *at = text; *at != '\0'; at++) {
        lines += *at == '\n' ? 1 : 0;
    }
    assert_int_equal(lines, 2 + SL_METRICS_SERIES_MAX);
    free(text);
    sl_metrics_destroy(metrics);
}

static void an_overflow_is_told(void **state)
{
    (void)state;
    struct sl_metrics *metrics = sl_metrics_create();
    (void)sl_metrics_family(metrics, SL_METRIC_HISTOGRAM, "sluice_x_seconds", "", "X.");
    struct sl_buf out;
    sl_buf_init(&out, 100);
    assert_false(sl_metrics_render(metrics, &out));
    sl_buf_deinit(&out);
    sl_metrics_destroy(metrics);
}

static void count_back(void *argument)
{
    sl_metric_add(sl_metric_plain(sl_metrics_family(argument, SL_METRIC_COUNTER, "a_total", "", "")), -1);
}

static void rename_labels(void *argument)
{
    (void)sl_metrics_family(argument, SL_METRIC_COUNTER, "a_total", "other", "");
}

static void bad_name(void *argument)
{
    (void)sl_metrics_family(argument, SL_METRIC_COUNTER, "a-total", "", "");
}

static void own_le(void *argument)
{
    (void)sl_metrics_family(argument, SL_METRIC_HISTOGRAM, "a_seconds", "le", "");
}

static void misuse_stops_the_process(void **state)
{
    (void)state;
    struct sl_metrics *metrics = sl_metrics_create();
    (void)sl_metrics_family(metrics, SL_METRIC_COUNTER, "a_total", "", "");
    assert_aborts(count_back, metrics);
    assert_aborts(rename_labels, metrics);
    assert_aborts(bad_name, metrics);
    assert_aborts(own_le, metrics);
    sl_metrics_destroy(metrics);
}

static void *count_many(void *argument)
{
    struct sl_metric *family = sl_metrics_family(argument, SL_METRIC_COUNTER, "sluice_x_total", "v", "X.");
    for (int i = 0; i < 20000; i++) {
        sl_metric_add(sl_metric_with(family, i % 2 == 0 ? "even" : "odd"), 1);
    }
    return NULL;
}

static void threads_count_together(void **state)
{
    (void)state;
    struct sl_metrics *metrics = sl_metrics_create();
    pthread_t threads[4];
    for (size_t i = 0; i < SL_ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, metrics), 0);
    }
    free(rendered(metrics)); /* meanwhile */
    for (size_t i = 0; i < SL_ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    struct sl_metric *family = sl_metrics_family(metrics, SL_METRIC_COUNTER, "sluice_x_total", "v", "X.");
    assert_int_equal(sl_metric_value(sl_metric_with(family, "even")), 40000);
    assert_int_equal(sl_metric_value(sl_metric_with(family, "odd")), 40000);
    sl_metrics_destroy(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges),
        cmocka_unit_test(a_plain_counter_starts_at_zero),
        cmocka_unit_test(label_values_are_escaped_cut_and_made_utf8),
        cmocka_unit_test(a_histogram_is_cumulative),
        cmocka_unit_test(histograms_with_labels_put_le_last),
        cmocka_unit_test(series_are_bounded),
        cmocka_unit_test(an_overflow_is_told),
        cmocka_unit_test(misuse_stops_the_process),
        cmocka_unit_test(threads_count_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
