/* verify.c - what the verifiers share: the search for the spelling that was signed. */
#include "ingress/verify.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"

/* How senders' libraries spell JSON: compact (JavaScript, Go), with blanks (Python), indented (Stripe), keys sorted,
 * non-ASCII escaped. */
static const size_t SPELLINGS[] = {
    JSON_COMPACT,
    0,
    JSON_INDENT(2),
    JSON_INDENT(4),
    JSON_COMPACT | JSON_SORT_KEYS,
    JSON_SORT_KEYS,
    JSON_COMPACT | JSON_ENSURE_ASCII,
    JSON_ENSURE_ASCII,
    JSON_COMPACT | JSON_ESCAPE_SLASH,
};

/* With and without a newline at the end: editors and shells add one, proxies trim it. */
static bool spelling_matches(char *text, size_t len, verify_matches *matches, const void *arg)
{
    if (matches(arg, (struct sl_str){.ptr = text, .len = len}))
        return true;
    text[len] = '\n';
    return matches(arg, (struct sl_str){.ptr = text, .len = len + 1});
}

static bool body_trimmed_matches(struct sl_str body, verify_matches *matches, const void *arg)
{
    size_t len = body.len;
    while (len > 0 && strchr(" \t\r\n", body.ptr[len - 1]))
        len--;
    char *text = sl_malloc(len + 1);
    memcpy(text, body.ptr, len);
    bool found = spelling_matches(text, len, matches, arg);
    free(text);
    return found;
}

bool verify_is_altered(struct sl_str body, verify_matches *matches, const void *arg)
{
    if (body.len == 0 || body.len > VERIFY_ALTERED_BYTES_MAX)
        return false;
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(body, VERIFY_ALTERED_BYTES_MAX, &json, NULL))
        return false;
    if (body_trimmed_matches(body, matches, arg))
        return true;
    for (size_t i = 0; i < SL_ARRAY_LEN(SPELLINGS); i++) {
        size_t len = json_dumpb(json, NULL, 0, SPELLINGS[i]);
        if (len == 0 || len > 8 * (size_t)VERIFY_ALTERED_BYTES_MAX)
            continue;
        char *text = sl_malloc(len + 1);
        bool found = json_dumpb(json, text, len, SPELLINGS[i]) == len && spelling_matches(text, len, matches, arg);
        free(text);
        if (found)
            return true;
    }
    return false;
}
