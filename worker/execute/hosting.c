/* hosting.c - the tables of regions and server types, from the configuration. */
#include "worker/execute/hosting.h"

#include <string.h>

#define HETZNER_SECTION   "cloud hetzner"
#define TAILSCALE_SECTION "cloud tailscale"
#define NAME_LEN_MAX      63

/* "plan " of a section's full name is left away. */
static const char *name_of(const char *section)
{
    const char *blank = strchr(section, ' ');
    SL_ASSERT(blank);
    return blank + 1;
}

/* Names of Hetzner's catalogue: fsn1, cpx11, ubuntu-24.04. */
static bool is_name(struct sl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        if (!(byte >= 'a' && byte <= 'z') && !(byte >= '0' && byte <= '9') && byte != '-' && byte != '.')
            return false;
    }
    return text.len > 0 && text.len <= NAME_LEN_MAX;
}

static bool load_name(const struct sl_config *config, struct sl_arena *arena, const char *section, const char *key,
                      const char **ret_name, struct sl_err *err)
{
    struct sl_str text = sl_config_text(config, section, key);
    if (!is_name(text))
        return sl_err_set(err, SL_ERR_PERMANENT, "[%s] %s is no name of Hetzner's: \"%.63s\"", section, key,
                          sl_config_cstr(config, section, key));
    *ret_name = sl_arena_cstr(arena, text);
    return true;
}

static bool load_region(const struct sl_config *config, struct sl_arena *arena, const char *section,
                        struct hosting_region *region, struct sl_err *err)
{
    struct sl_str rest = sl_config_text(config, section, "locations");
    region->name = sl_arena_cstr(arena, sl_str_of(name_of(section)));
    while (rest.len > 0) {
        struct sl_str location = sl_str_trim(sl_str_cut(&rest, ','));
        if (!is_name(location))
            return sl_err_set(err, SL_ERR_PERMANENT, "[%s] locations holds what is no name of Hetzner's", section);
        if (region->location_count == HOSTING_LOCATIONS_MAX)
            return sl_err_set(err, SL_ERR_PERMANENT, "[%s] has more than %d locations", section, HOSTING_LOCATIONS_MAX);
        region->locations[region->location_count++] = sl_arena_cstr(arena, location);
    }
    if (region->location_count == 0)
        return sl_err_set(err, SL_ERR_PERMANENT, "[%s] has no locations", section);
    return true;
}

static bool load_regions(const struct sl_config *config, struct sl_arena *arena, struct hosting *hosting,
                         struct sl_err *err)
{
    size_t count = sl_config_section_count(config, "region");
    if (count > HOSTING_REGIONS_MAX)
        return sl_err_set(err, SL_ERR_PERMANENT, "there are more than %d regions", HOSTING_REGIONS_MAX);
    for (size_t i = 0; i < count; i++)
        if (!load_region(config, arena, sl_config_section(config, "region", i), &hosting->regions[i], err))
            return false;
    hosting->region_count = count;
    return true;
}

static bool load_plans(const struct sl_config *config, struct sl_arena *arena, struct hosting *hosting,
                       struct sl_err *err)
{
    for (size_t i = 0; i < sl_config_section_count(config, "plan"); i++) {
        const char *section = sl_config_section(config, "plan", i);
        if (!sl_config_is_set(config, section, "server_type"))
            continue;
        if (hosting->plan_count == HOSTING_PLANS_MAX)
            return sl_err_set(err, SL_ERR_PERMANENT, "more than %d plans name a server type", HOSTING_PLANS_MAX);
        struct hosting_plan *plan = &hosting->plans[hosting->plan_count];
        if (!load_name(config, arena, section, "server_type", &plan->server_type, err))
            return false;
        plan->name = sl_arena_cstr(arena, sl_str_of(name_of(section)));
        hosting->plan_count++;
    }
    return true;
}

bool hosting_load(const struct sl_config *config, struct sl_arena *arena, struct hosting *ret_hosting,
                  struct sl_err *err)
{
    struct hosting hosting = {.key_expiry_s = sl_config_int(config, TAILSCALE_SECTION, "key_expiry") / 1000};
    hosting.tags = sl_arena_cstr(arena, sl_config_text(config, TAILSCALE_SECTION, "tags"));
    if (!load_regions(config, arena, &hosting, err) || !load_plans(config, arena, &hosting, err) ||
        !load_name(config, arena, HETZNER_SECTION, "server_type", &hosting.server_type, err) ||
        !load_name(config, arena, HETZNER_SECTION, "image", &hosting.image, err))
        return false;
    *ret_hosting = hosting;
    return true;
}

const struct hosting_region *hosting_region_of(const struct hosting *hosting, const char *name)
{
    for (size_t i = 0; i < hosting->region_count; i++)
        if (strcmp(hosting->regions[i].name, name) == 0)
            return &hosting->regions[i];
    return NULL;
}

const char *hosting_server_type(const struct hosting *hosting, const char *plan)
{
    for (size_t i = 0; i < hosting->plan_count; i++)
        if (strcmp(hosting->plans[i].name, plan) == 0)
            return hosting->plans[i].server_type;
    return hosting->server_type;
}
