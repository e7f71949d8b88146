/* config.h - one INI file, a second laid over it, and the environment over both.
 *
 * A program declares its keys in a const table (section, key, type, default, range, help). For each of them the first
 * of these counts: SLUICE_<SECTION>_<KEY>, its well-known variable (`env_name`), SLUICE_CONFIG's file,
 * `deploy/sluice.conf` or --config FILE, the default. Each variable NAME may be given as NAME_FILE instead, naming a
 * file whose text, without newlines at its end, is the value; an empty variable is as good as none. `${VAR}` in a
 * file's value is the environment's VAR (or VAR_FILE), empty when unset. An empty value in a file empties a text, and
 * leaves every other type at its default. Sections with a name, `[plan starter]`, may be any number;
 * `[cloud *]` gives what the same file's `[cloud NAME]` does not. `;` and `#` begin a comment, ` ;` one behind a value.
 * All problems are collected, with file and line.
 * Immutable after loading; any thread may read. Reload makes a new object.
 */
#ifndef SL_CONFIG_H
#define SL_CONFIG_H

#include "common/err.h"
#include "common/secret.h"
#include "common/str.h"

enum sl_config_type {
    SL_CONFIG_TEXT = 1,
    SL_CONFIG_SECRET,   /* text that --check and logs never show */
    SL_CONFIG_INT,      /* range min..max */
    SL_CONFIG_SWITCH,   /* on off true false yes no */
    SL_CONFIG_DURATION, /* 500ms 60s 30m 12h 7d, kept in ms; 0 needs no unit */
    SL_CONFIG_SIZE,     /* 512 512B 4KiB 1MiB 1GiB, kept in bytes */
    SL_CONFIG_CHOICE,   /* one of `choices`, separated by '|', in either case; read back as spelled there */
    SL_CONFIG_TYPE_COUNT
};

struct sl_config_key {
    const char *section; /* "policy"; "plan *" for any named one; "cloud *" for each that has rows of its own */
    const char *key;
    enum sl_config_type type;
    const char *fallback; /* text form; NULL: none */
    const char *env_name; /* "DATABASE_URL", or NULL */
    int64_t min, max;     /* INT, DURATION (ms) and SIZE (bytes); both 0: no range */
    const char *choices;
    const char *help; /* one line, for the reference page */
};

struct sl_config;

#define SL_CONFIG_PROBLEMS_MAX 64
struct sl_config_problem {
    char place[160]; /* "deploy/sluice.conf:12", "SLUICE_POLICY_GRACE" */
    char text[256];  /* what is wrong and what would be right; never a secret's value */
};

/* Loads the `key_count` keys of the table. Sections and keys that are neither in it nor in sl_config_all_keys are
 * problems. `path` and `overlay_path` NULL or empty: no file. True when there is no problem. On false, problems are in
 * `ret_problems` (room for SL_CONFIG_PROBLEMS_MAX), ordered by place, and *ret_config is NULL. The caller destroys the
 * configuration. Not while another thread changes the environment. */
SL_MUST_CHECK bool sl_config_load(const struct sl_config_key *keys, size_t key_count, const char *path,
                                  const char *overlay_path, struct sl_config **ret_config,
                                  struct sl_config_problem *ret_problems, size_t *ret_problem_count);
void sl_config_destroy(struct sl_config *config); /* accepts NULL; wipes secrets */

/* Values by section and key; the key must be in the table (asserted). Text is borrowed from the configuration, empty
 * when unset. */
struct sl_str sl_config_text(const struct sl_config *config, const char *section, const char *key);
const char *sl_config_cstr(const struct sl_config *config, const char *section, const char *key);
int64_t sl_config_int(const struct sl_config *config, const char *section, const char *key); /* also ms and bytes */
bool sl_config_switch(const struct sl_config *config, const char *section, const char *key);
bool sl_config_is_set(const struct sl_config *config, const char *section, const char *key); /* not empty */

/* Named sections of a kind ("plan"): how many, and the i-th one's full name ("plan starter"): those of the files in
 * their order, then those that only the table names. Borrowed. */
size_t sl_config_section_count(const struct sl_config *config, const char *kind);
const char *sl_config_section(const struct sl_config *config, const char *kind, size_t index);

/* The keys of every program, so that one file serves all of them: kept in config_keys.c, generated pages read it too.
 */
const struct sl_config_key *sl_config_all_keys(size_t *ret_count);

#endif
