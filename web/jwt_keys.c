/* jwt_keys.c - see jwt_keys.h. */
#include "web/jwt_keys.h"

#include <stdio.h>

#define SECTION "ingress"

size_t jwt_keys_load(struct jwt_keys *keys, const struct sl_config *config,
                     struct sl_config_problem ret_problems[JWT_KEYS_PROBLEMS_MAX])
{
    struct sl_err err = {0};
    size_t count = 0;
    *keys = (struct jwt_keys){.secrets = {.count = 0}};
    if (!sl_secrets_init(&keys->secrets, sl_config_text(config, SECTION, "jwt_secret"))) {
        struct sl_config_problem *problem = &ret_problems[count++];
        (void)snprintf(problem->place, sizeof(problem->place), "SLUICE_JWT_SECRET");
        (void)snprintf(problem->text, sizeof(problem->text), "holds more than %d secrets", SL_SECRETS_MAX);
    }
    if (sl_config_is_set(config, SECTION, "jwt_jwks_file") &&
        !jwks_read(sl_config_cstr(config, SECTION, "jwt_jwks_file"), &keys->jwks, &err)) {
        struct sl_config_problem *problem = &ret_problems[count++];
        (void)snprintf(problem->place, sizeof(problem->place), "[ingress] jwt_jwks_file");
        (void)snprintf(problem->text, sizeof(problem->text), "%s", err.message);
    }
    keys->policy = (struct jwt_policy){
        .secrets = &keys->secrets,
        .jwks = keys->jwks.count > 0 ? &keys->jwks : NULL,
        .issuer = sl_config_text(config, SECTION, "jwt_issuer"),
        .audience = sl_config_text(config, SECTION, "jwt_audience"),
    };
    return count;
}

void jwt_keys_deinit(struct jwt_keys *keys)
{
    sl_secrets_deinit(&keys->secrets);
    jwks_deinit(&keys->jwks);
}

bool jwt_keys_are_set(const struct jwt_keys *keys)
{
    return keys->secrets.count > 0 || keys->policy.jwks;
}
