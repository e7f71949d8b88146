/* hosting.h - where and on what the servers of agents are made that no workflow makes: [region NAME], [plan NAME],
 * [cloud hetzner] and [cloud tailscale] of the configuration.
 *
 * A plain value whose texts live in the arena it was loaded with; immutable afterwards.
 */
#ifndef EXECUTE_HOSTING_H
#define EXECUTE_HOSTING_H

#include "common/arena.h"
#include "common/config.h"

#define HOSTING_REGIONS_MAX   32
#define HOSTING_LOCATIONS_MAX 8
#define HOSTING_PLANS_MAX     64

struct hosting_region {
    const char *name;
    const char *locations[HOSTING_LOCATIONS_MAX]; /* of Hetzner's, in the order in which they are tried */
    size_t location_count;
};

struct hosting_plan {
    const char *name;
    const char *server_type;
};

struct hosting {
    struct hosting_region regions[HOSTING_REGIONS_MAX];
    size_t region_count;
    struct hosting_plan plans[HOSTING_PLANS_MAX]; /* those that name a server type of their own */
    size_t plan_count;
    const char *server_type; /* of the others */
    const char *image;
    const char *tags; /* of the machines in the tailnet, comma-separated */
    int64_t key_expiry_s;
};

/* PERMANENT: too many regions, plans or locations, a region without a location, a name that no server type, location or
 * image can have. */
SL_MUST_CHECK bool hosting_load(const struct sl_config *config, struct sl_arena *arena, struct hosting *ret_hosting,
                                struct sl_err *err);
/* NULL: there is no such region. */
const struct hosting_region *hosting_region_of(const struct hosting *hosting, const char *name);
/* The server type of a plan; never NULL. */
const char *hosting_server_type(const struct hosting *hosting, const char *plan);

#endif
