/* args.c - the bounded copy of jobs.args. */
#include "worker/execute/args.h"

#include <stdlib.h>
#include <string.h>

#include "common/base.h"
#include "common/secret.h"

static void append(struct args *args, const char *text, size_t len)
{
    memcpy(args->pairs + args->len, text, len);
    args->pairs[args->len + len] = '\0';
    args->len += len + 1;
}

bool args_read(json_t *json, struct args *ret_args, struct sl_err *err)
{
    const char *name = NULL;
    json_t *value = NULL;
    size_t bytes = 0;
    if (!json_is_object(json))
        return sl_err_set(err, SL_ERR_PERMANENT, "jobs.args is no JSON object");
    json_object_foreach(json, name, value) if (json_is_string(value)) bytes +=
        strlen(name) + json_string_length(value) + 2;
    if (bytes > ARGS_BYTES_MAX)
        return sl_err_set(err, SL_ERR_PERMANENT, "jobs.args holds %zu bytes of text, more than the %d allowed", bytes,
                          ARGS_BYTES_MAX);

    struct args args = {.pairs = bytes > 0 ? sl_calloc(1, bytes) : NULL};
    json_object_foreach(json, name, value)
    {
        if (!args.pairs || !json_is_string(value))
            continue;
        append(&args, name, strlen(name));
        append(&args, json_string_value(value), json_string_length(value));
    }
    SL_ASSERT(args.len == bytes);
    *ret_args = args;
    return true;
}

void args_deinit(struct args *args)
{
    if (args->pairs)
        sl_secret_wipe(args->pairs, args->len);
    free(args->pairs);
    *args = (struct args){0};
}

bool args_next(const struct args *args, size_t *at, const char **ret_name, const char **ret_value)
{
    if (*at >= args->len)
        return false;
    const char *name = args->pairs + *at;
    const char *value = name + strlen(name) + 1;
    *at = (size_t)(value - args->pairs) + strlen(value) + 1;
    *ret_name = name;
    *ret_value = value;
    return true;
}

const char *args_text(const struct args *args, const char *name)
{
    const char *known = NULL;
    const char *value = NULL;
    for (size_t at = 0; args_next(args, &at, &known, &value);)
        if (strcmp(known, name) == 0)
            return value;
    return "";
}
