/* config_fuzz.c - any text as a configuration file.
 *
 * It loads or is told what is wrong with it, never both: problems are ordered, printable, and none stands there twice,
 * the same when it is read again; a secret's value is in none. Where it loads, every value is of its type and within
 * its range, and a file written of those values gives the same ones.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/config.h"
#include "common/utf8.h"
#include "tests/fuzz/bytes.h"

int LLVMFuzzerInitialize(int *argument_count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sl_config_key KEYS[] = {
    {"policy", "grace", SL_CONFIG_DURATION, "7d", NULL, 0, INT64_C(2592000000), NULL, ""},
    {"policy", "free_tier", SL_CONFIG_SWITCH, "off", NULL, 0, 0, NULL, ""},
    {"policy", "on_payment_failed", SL_CONFIG_CHOICE, "stop", NULL, 0, 0, "stop|keep", ""},
    {"ingress", "body_bytes_max", SL_CONFIG_SIZE, "1MiB", NULL, 1024, 16777216, NULL, ""},
    {"ingress", "listen", SL_CONFIG_TEXT, "127.0.0.1:8080", NULL, 0, 0, NULL, ""},
    {"ingress", "jwt_secret", SL_CONFIG_SECRET, NULL, NULL, 0, 0, NULL, ""},
    {"plan *", "max_agents", SL_CONFIG_INT, "1", NULL, -1, 1000, NULL, ""},
    {"plan *", "price", SL_CONFIG_TEXT, NULL, NULL, 0, 0, NULL, ""},
    {"cloud *", "timeout", SL_CONFIG_DURATION, "30s", NULL, 1000, 600000, NULL, ""},
    {"cloud hetzner", "token", SL_CONFIG_SECRET, NULL, NULL, 0, 0, NULL, ""},
};

static int file; /* in memory */
static char path[32];

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    file = memfd_create("config", MFD_CLOEXEC);
    SL_ASSERT(file >= 0 && clearenv() == 0); /* ${HOME} is not the same everywhere */
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    return 0;
}

static struct sl_config *load(struct sl_str text, struct sl_config_problem *problems, size_t *ret_count)
{
    struct sl_config *config = NULL;
    SL_ASSERT(ftruncate(file, 0) == 0 && pwrite(file, text.ptr, text.len, 0) == (ssize_t)text.len);
    memset(problems, 0, SL_CONFIG_PROBLEMS_MAX * sizeof(*problems));
    *ret_count = SIZE_MAX;
    bool good = sl_config_load(KEYS, SL_ARRAY_LEN(KEYS), path, NULL, &config, problems, ret_count);
    SL_ASSERT(good == (config != NULL) && good == (*ret_count == 0) && *ret_count <= SL_CONFIG_PROBLEMS_MAX);
    return config;
}

static void check_problems(const struct sl_config_problem *problems, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        SL_ASSERT(problems[i].place[0] != '\0' && problems[i].text[0] != '\0');
        SL_ASSERT(memchr(problems[i].place, '\0', sizeof(problems[i].place)));
        SL_ASSERT(memchr(problems[i].text, '\0', sizeof(problems[i].text)));
        for (const char *at = problems[i].text; *at; at++)
            SL_ASSERT((unsigned char)*at >= 0x20 && *at != 0x7F);
        int order = i == 0 ? -1 : strverscmp(problems[i - 1].place, problems[i].place);
        SL_ASSERT(order < 0 || (order == 0 && strcmp(problems[i - 1].text, problems[i].text) < 0));
    }
}

/* Can it stand behind a key as it is? A secret, which no problem may show, is left out. */
static bool is_simple(struct sl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == ';' || text.ptr[i] == '$' || (unsigned char)text.ptr[i] < 0x20)
            return false;
    }
    return sl_str_trim(text).len == text.len;
}

static void write_value(const struct sl_config *config, const char *section, const struct sl_config_key *key,
                        struct sl_buf *out)
{
    int64_t number = 0;
    switch (key->type) {
    case SL_CONFIG_TEXT:
    case SL_CONFIG_SECRET:
    case SL_CONFIG_CHOICE:
        if (is_simple(sl_config_text(config, section, key->key)))
            (void)sl_buf_printf(out, "%s = %s\n", key->key, sl_config_cstr(config, section, key->key));
        break;
    case SL_CONFIG_SWITCH:
        (void)sl_buf_printf(out, "%s = %s\n", key->key, sl_config_switch(config, section, key->key) ? "on" : "off");
        break;
    case SL_CONFIG_INT:
    case SL_CONFIG_DURATION:
    case SL_CONFIG_SIZE:
        number = sl_config_int(config, section, key->key);
        SL_ASSERT(number >= key->min && number <= key->max);
        (void)sl_buf_printf(out, "%s = %" PRId64 "%s\n", key->key, number, key->type == SL_CONFIG_DURATION ? "ms" : "");
        break;
    case SL_CONFIG_TYPE_COUNT:
        break;
    }
}

static void check_value(const struct sl_config *a, const struct sl_config *b, const char *section,
                        const struct sl_config_key *key)
{
    struct sl_str text = sl_config_text(a, section, key->key);
    SL_ASSERT(key->type != SL_CONFIG_TEXT || sl_utf8_is_text(text));
    SL_ASSERT(key->type != SL_CONFIG_CHOICE || sl_str_is(text, "stop") || sl_str_is(text, "keep"));
    if (key->type == SL_CONFIG_INT || key->type == SL_CONFIG_DURATION || key->type == SL_CONFIG_SIZE)
        SL_ASSERT(sl_config_int(a, section, key->key) == sl_config_int(b, section, key->key));
    else if (key->type == SL_CONFIG_SWITCH)
        SL_ASSERT(sl_config_switch(a, section, key->key) == sl_config_switch(b, section, key->key));
    else if (is_simple(text))
        SL_ASSERT(sl_str_equal(text, sl_config_text(b, section, key->key)));
}

typedef void each_value(const struct sl_config_key *key, const char *section, void *arg);

static void each(const struct sl_config *config, each_value *visit, void *arg)
{
    for (size_t k = 0; k < SL_ARRAY_LEN(KEYS); k++) {
        const struct sl_config_key *key = &KEYS[k];
        if (strcmp(key->section, "cloud *") == 0) {
            visit(key, "cloud hetzner", arg);
        } else if (strcmp(key->section, "plan *") != 0) {
            visit(key, key->section, arg);
        } else {
            for (size_t i = 0; i < sl_config_section_count(config, "plan"); i++)
                visit(key, sl_config_section(config, "plan", i), arg);
        }
    }
}

struct pair {
    const struct sl_config *first, *again;
    struct sl_buf text;
};

static void write_one(const struct sl_config_key *key, const char *section, void *arg)
{
    struct pair *pair = arg;
    (void)sl_buf_printf(&pair->text, "[%s]\n", section);
    write_value(pair->first, section, key, &pair->text);
}

static void check_one(const struct sl_config_key *key, const char *section, void *arg)
{
    const struct pair *pair = arg;
    check_value(pair->first, pair->again, section, key);
}

static void check_written_again(const struct sl_config *config)
{
    static struct sl_config_problem problems[SL_CONFIG_PROBLEMS_MAX];
    size_t count = 0;
    struct pair pair = {.first = config};
    sl_buf_init(&pair.text, (size_t)1 << 20);
    each(config, write_one, &pair);
    SL_ASSERT(!pair.text.overflow);
    struct sl_config *again = load(sl_buf_str(&pair.text), problems, &count);
    SL_ASSERT(again);
    pair.again = again;
    each(config, check_one, &pair);
    sl_config_destroy(again);
    sl_buf_deinit(&pair.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sl_config_problem problems[SL_CONFIG_PROBLEMS_MAX], problems_again[SL_CONFIG_PROBLEMS_MAX];
    struct sl_str text = {.ptr = (const char *)data, .len = size};
    size_t count = 0;
    size_t count_again = 0;
    struct sl_config *config = load(text, problems, &count);
    struct sl_config *again = load(text, problems_again, &count_again);
    SL_ASSERT(count == count_again && memcmp(problems, problems_again, sizeof(problems)) == 0);
    check_problems(problems, count);
    if (config)
        check_written_again(config);
    sl_config_destroy(config);
    sl_config_destroy(again);
    return 0;
}
