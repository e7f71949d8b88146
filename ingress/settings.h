/* settings.h - what a request is judged by: secrets, keys and limits out of the configuration, as one immutable object.
 *
 * A request keeps the settings it came in under; SIGHUP puts new ones in their place for those that come later.
 * Reference counted; any thread.
 */
#ifndef INGRESS_SETTINGS_H
#define INGRESS_SETTINGS_H

#include "common/config.h"
#include "common/seal.h"
#include "ingress/address.h"
#include "ingress/admission.h"
#include "ingress/source.h"
#include "web/jwt_keys.h"

#define SETTINGS_HEADERS_BYTES_MAX 65536 /* room kept for headers in a message */
#define SETTINGS_WARNINGS_MAX      (SOURCE_COUNT + 1)
#define SETTINGS_WARNING_BYTES     160

struct settings {
    struct sl_config *config;
    struct sl_secrets secrets[SOURCE_COUNT];
    int64_t tolerance_s[SOURCE_COUNT];
    struct jwt_keys jwt;
    struct sl_seal_ring *ring; /* the data keys: commands' secrets are published sealed */
    struct networks trusted_proxies;
    struct admission_limits limits;
    int64_t body_bytes_max;
};

struct settings_problems {
    struct sl_config_problem items[SL_CONFIG_PROBLEMS_MAX];
    size_t count;
};

/* Reads and checks everything that a request depends on, without network. NULL with all problems listed. The caller
 * releases it. */
SL_MUST_CHECK struct settings *settings_load(const char *path, const char *overlay_path,
                                             struct settings_problems *ret_problems);
struct settings *settings_hold(struct settings *settings); /* one more holder */
void settings_release(struct settings *settings);          /* the last one frees; accepts NULL */

/* Which sources answer 503 because nothing verifies them: a sentence each that names the variable. Not a problem: an
 * installation need not have every source. */
size_t settings_warnings(const struct settings *settings,
                         char ret_warnings[SETTINGS_WARNINGS_MAX][SETTINGS_WARNING_BYTES]);

/* The place where the current settings stand. */
struct settings_store;
SL_MUST_CHECK struct settings_store *settings_store_create(struct settings *first); /* takes `first` */
void settings_store_destroy(struct settings_store *store);                          /* accepts NULL */
struct settings *settings_current(struct settings_store *store);                    /* the caller releases it */
void settings_replace(struct settings_store *store, struct settings *next);         /* takes `next` */

#endif
