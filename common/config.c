/* config.c - from the table, the files and the environment to values.
 *
 * Loading: read both files, name what nobody knows, list the sections there are, and resolve each key of each of them.
 * A value is stored under its full section ("cloud hetzner"), its key's row may be of "cloud hetzner" or "cloud *".
 * Sorted, found by bisection.
 */
#include "common/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_file.h"
#include "common/config_problems.h"
#include "common/config_value.h"

#define VARIABLE_BYTES 160
#define PREFIX         "SLUICE_"

struct value {
    const struct sl_config_key *key;
    const char *section; /* one of sl_config.sections */
    char *text;          /* NUL-terminated, never NULL */
    size_t len;
    int64_t number;
};

struct sl_config {
    char **sections; /* full names, no one twice */
    size_t section_count, section_cap;
    struct value *values;
    size_t value_count;
};

enum { BASE = 0, OVERLAY, FILE_COUNT };

struct loader {
    const struct sl_config_key *keys;
    size_t key_count;
    struct config_file files[FILE_COUNT];
    struct config_problems problems;
    struct sl_config *config;
};

/* "plan " of "plan starter" and of "plan *"; empty for a section without a name. */
static struct sl_str kind_of(const char *section)
{
    const char *blank = strchr(section, ' ');
    return blank == NULL ? SL_STR_NONE : (struct sl_str){.ptr = section, .len = (size_t)(blank - section) + 1};
}

static bool is_wildcard(const char *section)
{
    const struct sl_str kind = kind_of(section);
    return kind.len > 0 && strcmp(section + kind.len, "*") == 0;
}

static bool same_kind(const char *a, const char *b)
{
    const struct sl_str kind = kind_of(a);
    return kind.len > 0 && sl_str_equal(kind, kind_of(b));
}

/* Names of sections become parts of variables and of metrics. */
static bool is_plain_name(const char *name)
{
    const size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return len > 0 && name[len] == '\0';
}

/* Rows of the very section make it known; "plan *" alone makes every [plan NAME] known, beside rows of its own ("cloud
 * *") none. */
static bool knows_section(const struct sl_config_key *keys, size_t key_count, const char *section)
{
    bool is_open = false;
    bool is_closed = false;
    for (size_t i = 0; i < key_count; i++) {
        if (strcmp(keys[i].section, section) == 0) {
            return true;
        }
        if (is_wildcard(keys[i].section)) {
            is_open = is_open || same_kind(keys[i].section, section);
        } else {
            is_closed = is_closed || same_kind(keys[i].section, section);
        }
    }
    return is_open && !is_closed && is_plain_name(section + kind_of(section).len);
}

static bool row_is_for(const struct sl_config_key *key, const char *section)
{
    return strcmp(key->section, section) == 0 || (is_wildcard(key->section) && same_kind(key->section, section));
}

static bool knows_key(const struct sl_config_key *keys, size_t key_count, const char *section, const char *name)
{
    for (size_t i = 0; i < key_count; i++) {
        if (row_is_for(&keys[i], section) && strcmp(keys[i].key, name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_names(struct loader *loader, const struct config_file *file)
{
    size_t all_count;
    const struct sl_config_key *all = sl_config_all_keys(&all_count);
    for (size_t i = 0; i < file->section_count; i++) {
        const struct config_section *section = &file->sections[i];
        if (!knows_section(loader->keys, loader->key_count, section->name) &&
            !knows_section(all, all_count, section->name)) {
            config_problem_in_file(&loader->problems, file->path, section->line, "there is no section [%s]",
                                   section->name);
            continue;
        }
        for (size_t j = 0; j < section->entry_count; j++) {
            const char *name = section->entries[j].key;
            if (!knows_key(loader->keys, loader->key_count, section->name, name) &&
                !knows_key(all, all_count, section->name, name)) {
                config_problem_in_file(&loader->problems, file->path, section->entries[j].line,
                                       "[%s] has no key \"%.*s\"", section->name, CONFIG_NAME_BYTES_MAX, name);
            }
        }
    }
}

static void add_section(struct sl_config *config, const char *name)
{
    for (size_t i = 0; i < config->section_count; i++) {
        if (strcmp(config->sections[i], name) == 0) {
            return;
        }
    }
    if (config->section_count == config->section_cap) {
        config->section_cap = config->section_cap == 0 ? 32 : config->section_cap * 2;
        config->sections = sl_realloc(config->sections, config->section_cap * sizeof(config->sections[0]));
    }
    config->sections[config->section_count++] = sl_strdup(name);
}

static void list_sections(struct loader *loader)
{
    for (size_t f = 0; f < FILE_COUNT; f++) {
        for (size_t i = 0; i < loader->files[f].section_count; i++) {
            const char *name = loader->files[f].sections[i].name;
            if (!is_wildcard(name) && knows_section(loader->keys, loader->key_count, name)) {
                add_section(loader->config, name);
            }
        }
    }
    for (size_t i = 0; i < loader->key_count; i++) {
        if (!is_wildcard(loader->keys[i].section)) {
            add_section(loader->config, loader->keys[i].section);
        }
    }
}

/* SLUICE_PLAN_STARTER_PRICE of "plan starter" and "price". */
static void variable_of(const char *section, const char *key, char ret_name[VARIABLE_BYTES])
{
    (void)snprintf(ret_name, VARIABLE_BYTES, PREFIX "%s_%s", section, key);
    for (char *at = ret_name; *at != '\0'; at++) {
        if (*at >= 'a' && *at <= 'z') {
            *at = (char)(*at - 'a' + 'A');
        } else if (*at == ' ' || *at == '-') {
            *at = '_';
        }
    }
}

static const struct config_entry *find_entry(const struct config_file *file, const char *section, const char *key)
{
    const struct config_entry *found = NULL; /* the last: a section may occur again */
    for (size_t i = 0; i < file->section_count; i++) {
        if (strcmp(file->sections[i].name, section) != 0) {
            continue;
        }
        for (size_t j = 0; j < file->sections[i].entry_count; j++) {
            if (strcmp(file->sections[i].entries[j].key, key) == 0) {
                found = &file->sections[i].entries[j];
            }
        }
    }
    return found;
}

/* Stores the value. False: `reason` says why it can't be. */
static bool store(struct loader *loader, const struct sl_config_key *key, const char *section, struct sl_str text,
                  char reason[256])
{
    struct value value = {.key = key, .section = section};
    struct sl_str kept = SL_STR_NONE;
    /* Empty: texts are empty, the others have no value but their default, or none at all. */
    const bool is_text = key->type == SL_CONFIG_TEXT || key->type == SL_CONFIG_SECRET;
    if (!is_text && sl_str_trim(text).len == 0) {
        text = sl_str_of(key->fallback);
    }
    if (text.len > 0 && !config_value_parse(key, text, &kept, &value.number, reason)) {
        return false;
    }
    value.text = sl_malloc(kept.len + 1);
    value.len = kept.len;
    if (kept.len > 0) {
        memcpy(value.text, kept.ptr, kept.len);
    }
    value.text[kept.len] = '\0';
    loader->config->values[loader->config->value_count++] = value;
    return true;
}

static void resolve_from_file(struct loader *loader, const struct sl_config_key *key, const char *section,
                              const struct config_file *file, const struct config_entry *entry, struct sl_buf *text)
{
    char reason[256] = "";
    if (!config_value_expand(sl_str_of(entry->value), text, &loader->problems, reason) ||
        !store(loader, key, section, sl_buf_str(text), reason)) {
        config_problem_in_file(&loader->problems, file->path, entry->line, "%s: %s", key->key, reason);
    }
}

/* True when one of the key's variables is set, well or badly. */
static bool resolve_from_environment(struct loader *loader, const struct sl_config_key *key, const char *section,
                                     struct sl_buf *text)
{
    char own[VARIABLE_BYTES];
    variable_of(section, key->key, own);
    const char *const names[] = {own, key->env_name};
    for (size_t i = 0; i < SL_ARRAY_LEN(names); i++) {
        const enum config_found found =
            names[i] == NULL ? CONFIG_ABSENT : config_value_from_environment(names[i], text, &loader->problems);
        char reason[256] = "";
        if (found == CONFIG_FOUND && !store(loader, key, section, sl_buf_str(text), reason)) {
            config_problem_at(&loader->problems, names[i], "%s", reason);
        }
        if (found != CONFIG_ABSENT) {
            return true;
        }
    }
    return false;
}

static void resolve(struct loader *loader, const struct sl_config_key *key, const char *section)
{
    struct sl_buf text;
    sl_buf_init(&text, CONFIG_VALUE_BYTES_MAX);
    if (!resolve_from_environment(loader, key, section, &text)) {
        size_t f = FILE_COUNT;
        const struct config_entry *entry = NULL;
        while (f > 0 && entry == NULL) {
            f--;
            entry = find_entry(&loader->files[f], section, key->key);
            entry = entry != NULL ? entry : find_entry(&loader->files[f], key->section, key->key); /* [cloud *] */
        }
        if (entry != NULL) {
            resolve_from_file(loader, key, section, &loader->files[f], entry, &text);
        } else {
            char reason[256] = "";
            SL_ASSERT(
                store(loader, key, section, sl_str_of(key->fallback), reason)); /* the table's own defaults are right */
        }
    }
    sl_secret_wipe(text.data, text.cap);
    sl_buf_deinit(&text);
}

static int compare_to(const struct value *value, const char *section, const char *key)
{
    const int order = strcmp(value->section, section);
    return order != 0 ? order : strcmp(value->key->key, key);
}

static int compare_values(const void *a, const void *b)
{
    const struct value *right = b;
    return compare_to(a, right->section, right->key->key);
}

static void resolve_all(struct loader *loader)
{
    struct sl_config *config = loader->config;
    config->values = sl_calloc(config->section_count * loader->key_count, sizeof(config->values[0]));
    for (size_t i = 0; i < config->section_count; i++) {
        for (size_t j = 0; j < loader->key_count; j++) {
            if (row_is_for(&loader->keys[j], config->sections[i])) {
                resolve(loader, &loader->keys[j], config->sections[i]);
            }
        }
    }
    if (config->value_count > 1) {
        qsort(config->values, config->value_count, sizeof(config->values[0]), compare_values);
    }
}

bool sl_config_load(const struct sl_config_key *keys, size_t key_count, const char *path, const char *overlay_path,
                    struct sl_config **ret_config, struct sl_config_problem *ret_problems, size_t *ret_problem_count)
{
    struct loader loader = {.keys = keys, .key_count = key_count, .problems = {.rows = ret_problems}};
    loader.config = sl_calloc(1, sizeof(*loader.config));
    const char *const paths[FILE_COUNT] = {[BASE] = path, [OVERLAY] = overlay_path};
    for (size_t f = 0; f < FILE_COUNT; f++) {
        if (paths[f] != NULL && paths[f][0] != '\0') {
            config_file_read(&loader.files[f], paths[f], &loader.problems);
            check_names(&loader, &loader.files[f]);
        }
    }
    list_sections(&loader);
    resolve_all(&loader);
    for (size_t f = 0; f < FILE_COUNT; f++) {
        config_file_deinit(&loader.files[f]);
    }
    const bool good = loader.problems.count == 0;
    if (!good) {
        sl_config_destroy(loader.config);
        loader.config = NULL;
    }
    config_problems_sort(&loader.problems);
    *ret_config = loader.config;
    *ret_problem_count = loader.problems.count;
    return good;
}

void sl_config_destroy(struct sl_config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; i < config->value_count; i++) {
        sl_secret_wipe(config->values[i].text, config->values[i].len);
        free(config->values[i].text);
    }
    for (size_t i = 0; i < config->section_count; i++) {
        free(config->sections[i]);
    }
    free(config->values);
    free(config->sections);
    free(config);
}

static const struct value *value_of(const struct sl_config *config, const char *section, const char *key)
{
    size_t first = 0;
    size_t end = config->value_count;
    while (first < end) {
        const size_t middle = first + (end - first) / 2;
        const int order = compare_to(&config->values[middle], section, key);
        if (order == 0) {
            return &config->values[middle];
        }
        first = order < 0 ? middle + 1 : first;
        end = order < 0 ? end : middle;
    }
    SL_ASSERT(first < end); /* the key is in the table */
    return NULL;
}

struct sl_str sl_config_text(const struct sl_config *config, const char *section, const char *key)
{
    const struct value *value = value_of(config, section, key);
    return (struct sl_str){.ptr = value->text, .len = value->len};
}

const char *sl_config_cstr(const struct sl_config *config, const char *section, const char *key)
{
    return value_of(config, section, key)->text;
}

int64_t sl_config_int(const struct sl_config *config, const char *section, const char *key)
{
    const struct value *value = value_of(config, section, key);
    const enum sl_config_type type = value->key->type;
    SL_ASSERT(type == SL_CONFIG_INT || type == SL_CONFIG_DURATION || type == SL_CONFIG_SIZE);
    return value->number;
}

bool sl_config_switch(const struct sl_config *config, const char *section, const char *key)
{
    const struct value *value = value_of(config, section, key);
    SL_ASSERT(value->key->type == SL_CONFIG_SWITCH);
    return value->number != 0;
}

bool sl_config_is_set(const struct sl_config *config, const char *section, const char *key)
{
    return value_of(config, section, key)->len > 0;
}

static bool is_of_kind(const char *section, const char *kind)
{
    const struct sl_str its_kind = kind_of(section);
    return its_kind.len > 0 && sl_str_is((struct sl_str){.ptr = its_kind.ptr, .len = its_kind.len - 1}, kind);
}

size_t sl_config_section_count(const struct sl_config *config, const char *kind)
{
    size_t count = 0;
    for (size_t i = 0; i < config->section_count; i++) {
        count += is_of_kind(config->sections[i], kind) ? 1 : 0;
    }
    return count;
}

const char *sl_config_section(const struct sl_config *config, const char *kind, size_t index)
{
    for (size_t i = 0; i < config->section_count; i++) {
        if (is_of_kind(config->sections[i], kind)) {
            if (index == 0) {
                return config->sections[i];
            }
            index--;
        }
    }
    SL_ASSERT(index < sl_config_section_count(config, kind));
    return NULL;
}
