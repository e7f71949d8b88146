/* metrics.c - the registry and its text form.
 *
 * Invariants: 1. families and series are only ever added, and never move: pointers to them stay good; 2. what changes
 * without the lock is atomic; 3. every label value is UTF-8 of at most LABEL_VALUE_BYTES_MAX bytes. Source: Prometheus
 * "Exposition formats", text format 0.0.4.
 */
#include "common/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

#define FAMILIES_MAX          256
#define LABELS_MAX            8
#define LABEL_VALUE_BYTES_MAX 128
#define SLOTS                 ((size_t)2 * SL_METRICS_SERIES_MAX) /* a power of two; never more than half full */

/* Upper bounds of the buckets in microseconds, and as they are written in seconds. */
static const struct {
    int64_t le_us;
    const char *le;
} BUCKETS[] = {
    {500, "0.0005"}, {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"}, {25000, "0.025"},
    {50000, "0.05"}, {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},  {1000000, "1"},  {2500000, "2.5"},
    {5000000, "5"},  {10000000, "10"}, {30000000, "30"}, {60000000, "60"},
};
#define BUCKET_COUNT SL_ARRAY_LEN(BUCKETS)

struct sl_metric_series {
    enum sl_metric_type type;
    _Atomic int64_t value;                     /* histograms: observations */
    _Atomic int64_t sum_us;                    /* histograms */
    _Atomic int64_t buckets[BUCKET_COUNT + 1]; /* each for itself; the last is +Inf */
    char *values[LABELS_MAX];
};

struct sl_metric {
    pthread_mutex_t *lock; /* the registry's */
    enum sl_metric_type type;
    char *name;
    char *labels; /* as given */
    char *help;
    char *label_names[LABELS_MAX];
    size_t label_count;
    struct sl_metric_series *series[SL_METRICS_SERIES_MAX]; /* in the order of their making */
    size_t series_count;
    struct sl_metric_series *slots[SLOTS]; /* by hash, open addressing */
};

struct sl_metrics {
    pthread_mutex_t lock;
    struct sl_metric *families[FAMILIES_MAX];
    size_t family_count;
};

struct sl_metrics *sl_metrics_create(void)
{
    struct sl_metrics *metrics = sl_calloc(1, sizeof(*metrics));
    SL_ASSERT(pthread_mutex_init(&metrics->lock, NULL) == 0);
    return metrics;
}

static void destroy_family(struct sl_metric *family)
{
    for (size_t i = 0; i < family->series_count; i++) {
        for (size_t j = 0; j < family->label_count; j++) {
            free(family->series[i]->values[j]);
        }
        free(family->series[i]);
    }
    for (size_t i = 0; i < family->label_count; i++) {
        free(family->label_names[i]);
    }
    free(family->name);
    free(family->labels);
    free(family->help);
    free(family);
}

void sl_metrics_destroy(struct sl_metrics *metrics)
{
    if (metrics == NULL) {
        return;
    }
    for (size_t i = 0; i < metrics->family_count; i++) {
        destroy_family(metrics->families[i]);
    }
    SL_ASSERT(pthread_mutex_destroy(&metrics->lock) == 0);
    free(metrics);
}

static void lock(pthread_mutex_t *mutex)
{
    SL_ASSERT(pthread_mutex_lock(mutex) == 0);
}

static void unlock(pthread_mutex_t *mutex)
{
    SL_ASSERT(pthread_mutex_unlock(mutex) == 0);
}

/* [a-zA-Z_][a-zA-Z0-9_]*; colons are for recording rules. */
static bool is_name(struct sl_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        const char byte = name.ptr[i];
        const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
        if (!letter && (i == 0 || byte < '0' || byte > '9')) {
            return false;
        }
    }
    return name.len > 0;
}

static char *copy_of(struct sl_str text)
{
    char *copy = sl_malloc(text.len + 1);
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    copy[text.len] = '\0';
    return copy;
}

static struct sl_metric *make_family(pthread_mutex_t *mutex, enum sl_metric_type type, const char *name,
                                     const char *labels, const char *help)
{
    SL_ASSERT(is_name(sl_str_of(name)));
    struct sl_metric *family = sl_calloc(1, sizeof(*family));
    family->lock = mutex;
    family->type = type;
    family->name = sl_strdup(name);
    family->labels = sl_strdup(labels);
    family->help = sl_strdup(help);
    struct sl_str rest = sl_str_of(labels);
    while (rest.len > 0) {
        const struct sl_str label = sl_str_cut(&rest, ',');
        SL_ASSERT(family->label_count < LABELS_MAX && is_name(label));
        SL_ASSERT(type != SL_METRIC_HISTOGRAM || !sl_str_is(label, "le"));
        family->label_names[family->label_count++] = copy_of(label);
    }
    return family;
}

static struct sl_metric *find_family(const struct sl_metrics *metrics, const char *name)
{
    for (size_t i = 0; i < metrics->family_count; i++) {
        if (strcmp(metrics->families[i]->name, name) == 0) {
            return metrics->families[i];
        }
    }
    return NULL;
}

static const char *const NO_VALUES[] = {NULL}; /* of a family without labels: none is looked at */

static size_t hash_of(const char *const *values, size_t count)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < count; i++) {
        const char *at = values[i];
        do {
            hash = (hash ^ (unsigned char)*at) * 1099511628211u;
        } while (*at++ != '\0');
    }
    return (size_t)(hash ^ hash >> 32);
}

static bool has_values(const struct sl_metric_series *series, const char *const *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(series->values[i], values[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* The slot of the series with these values, or the free one where it belongs. */
static struct sl_metric_series **slot_of(struct sl_metric *family, const char *const *values)
{
    size_t at = hash_of(values, family->label_count) % SLOTS;
    while (family->slots[at] != NULL && !has_values(family->slots[at], values, family->label_count)) {
        at = (at + 1) % SLOTS;
    }
    return &family->slots[at];
}

static struct sl_metric_series *find_or_make(struct sl_metric *family, const char *const *values)
{
    static const char *const OTHER[LABELS_MAX] = {"other", "other", "other", "other",
                                                  "other", "other", "other", "other"};
    struct sl_metric_series **slot = slot_of(family, values);
    if (*slot == NULL && family->series_count >= SL_METRICS_SERIES_MAX - 1) {
        values = OTHER;
        slot = slot_of(family, values);
    }
    if (*slot == NULL) {
        struct sl_metric_series *series = sl_calloc(1, sizeof(*series));
        series->type = family->type;
        for (size_t i = 0; i < family->label_count; i++) {
            series->values[i] = sl_strdup(values[i]);
        }
        SL_ASSERT(family->series_count < SL_METRICS_SERIES_MAX);
        family->series[family->series_count++] = series;
        *slot = series;
    }
    return *slot;
}

struct sl_metric *sl_metrics_family(struct sl_metrics *metrics, enum sl_metric_type type, const char *name,
                                    const char *labels, const char *help)
{
    lock(&metrics->lock);
    struct sl_metric *family = find_family(metrics, name);
    if (family == NULL) {
        SL_ASSERT(metrics->family_count < FAMILIES_MAX);
        family = make_family(&metrics->lock, type, name, labels, help);
        metrics->families[metrics->family_count++] = family;
        if (family->label_count == 0) {
            (void)find_or_make(family, NO_VALUES); /* a counter that has not counted yet reads 0, not nothing */
        }
    }
    SL_ASSERT(family->type == type && strcmp(family->labels, labels) == 0);
    unlock(&metrics->lock);
    return family;
}

/* UTF-8 within the limit, whatever came: `storage` holds it. */
static const char *clean_value(const char *value, char storage[LABEL_VALUE_BYTES_MAX + 1])
{
    const struct sl_str kept = sl_utf8_cut(sl_str_of(value), LABEL_VALUE_BYTES_MAX);
    size_t len = 0;
    for (size_t i = 0; i < kept.len;) {
        const size_t bytes = sl_utf8_bytes_at(kept, i);
        const size_t step = bytes > 0 ? bytes : 1;
        for (size_t j = 0; j < step; j++) {
            storage[len++] = bytes > 0 ? kept.ptr[i + j] : '?';
        }
        i += step;
    }
    storage[len] = '\0';
    return storage;
}

struct sl_metric_series *sl_metric_series_at(struct sl_metric *family, const char *const *values, size_t value_count)
{
    SL_ASSERT(value_count == family->label_count);
    char storage[LABELS_MAX][LABEL_VALUE_BYTES_MAX + 1];
    const char *clean[LABELS_MAX] = {NULL};
    for (size_t i = 0; i < value_count; i++) {
        SL_ASSERT(values[i] != NULL);
        clean[i] = clean_value(values[i], storage[i]);
    }
    lock(family->lock);
    struct sl_metric_series *series = find_or_make(family, clean);
    unlock(family->lock);
    return series;
}

void sl_metric_add(struct sl_metric_series *series, int64_t count)
{
    SL_ASSERT(series->type == SL_METRIC_GAUGE || (series->type == SL_METRIC_COUNTER && count >= 0));
    atomic_fetch_add_explicit(&series->value, count, memory_order_relaxed);
}

void sl_metric_set(struct sl_metric_series *series, int64_t value)
{
    SL_ASSERT(series->type == SL_METRIC_GAUGE);
    atomic_store_explicit(&series->value, value, memory_order_relaxed);
}

void sl_metric_observe_ms(struct sl_metric_series *series, double ms)
{
    SL_ASSERT(series->type == SL_METRIC_HISTOGRAM);
    /* The comparison also sends NaN to 0; a clock that jumped must not make a bucket count backwards. */
    const int64_t us = ms > 0 ? ms < 1e12 ? (int64_t)(ms * 1000) : (int64_t)1e15 : 0;
    size_t bucket = 0;
    while (bucket < BUCKET_COUNT && us > BUCKETS[bucket].le_us) {
        bucket++;
    }
    atomic_fetch_add_explicit(&series->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&series->sum_us, us, memory_order_relaxed);
    atomic_fetch_add_explicit(&series->value, 1, memory_order_relaxed);
}

int64_t sl_metric_value(const struct sl_metric_series *series)
{
    return atomic_load_explicit(&series->value, memory_order_relaxed);
}

static void append_escaped(struct sl_buf *out, const char *text, bool in_quotes)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            (void)sl_buf_append_cstr(out, "\\n");
        } else if (*text == '\\' || (*text == '"' && in_quotes)) {
            (void)sl_buf_append_char(out, '\\');
            (void)sl_buf_append_char(out, *text);
        } else {
            (void)sl_buf_append_char(out, *text);
        }
    }
}

/* name_suffix{label="value",le="…"} and the blank; `le` NULL: none. */
static void append_head(struct sl_buf *out, const struct sl_metric *family, const struct sl_metric_series *series,
                        const char *suffix, const char *le)
{
    (void)sl_buf_printf(out, "%s%s", family->name, suffix);
    char separator = '{';
    for (size_t i = 0; i < family->label_count; i++) {
        (void)sl_buf_printf(out, "%c%s=\"", separator, family->label_names[i]);
        append_escaped(out, series->values[i], true);
        (void)sl_buf_append_char(out, '"');
        separator = ',';
    }
    if (le != NULL) {
        (void)sl_buf_printf(out, "%cle=\"%s\"", separator, le);
        separator = ',';
    }
    (void)sl_buf_append_cstr(out, separator == ',' ? "} " : " ");
}

static void append_histogram(struct sl_buf *out, const struct sl_metric *family, const struct sl_metric_series *series)
{
    int64_t count = 0;
    for (size_t i = 0; i <= BUCKET_COUNT; i++) {
        count += atomic_load_explicit(&series->buckets[i], memory_order_relaxed);
        append_head(out, family, series, "_bucket", i < BUCKET_COUNT ? BUCKETS[i].le : "+Inf");
        (void)sl_buf_printf(out, "%lld\n", (long long)count);
    }
    const int64_t sum_us = atomic_load_explicit(&series->sum_us, memory_order_relaxed);
    append_head(out, family, series, "_sum", NULL);
    (void)sl_buf_printf(out, "%lld.%06lld\n", (long long)(sum_us / 1000000), (long long)(sum_us % 1000000));
    /* Not series->value, which another thread may just have moved on: _count must be the +Inf bucket. */
    append_head(out, family, series, "_count", NULL);
    (void)sl_buf_printf(out, "%lld\n", (long long)count);
}

static void append_family(struct sl_buf *out, const struct sl_metric *family)
{
    static const char *const TYPES[] = {
        [SL_METRIC_COUNTER] = "counter", [SL_METRIC_GAUGE] = "gauge", [SL_METRIC_HISTOGRAM] = "histogram"};
    (void)sl_buf_printf(out, "# HELP %s ", family->name);
    append_escaped(out, family->help, false);
    (void)sl_buf_printf(out, "\n# TYPE %s %s\n", family->name, TYPES[family->type]);
    for (size_t i = 0; i < family->series_count; i++) {
        const struct sl_metric_series *series = family->series[i];
        if (family->type == SL_METRIC_HISTOGRAM) {
            append_histogram(out, family, series);
        } else {
            append_head(out, family, series, "", NULL);
            (void)sl_buf_printf(out, "%lld\n", (long long)sl_metric_value(series));
        }
    }
}

bool sl_metrics_render(struct sl_metrics *metrics, struct sl_buf *out)
{
    lock(&metrics->lock);
    for (size_t i = 0; i < metrics->family_count; i++) {
        append_family(out, metrics->families[i]);
    }
    unlock(&metrics->lock);
    return !out->overflow;
}
