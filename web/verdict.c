/* verdict.c - see verdict.h. */
#include "web/verdict.h"

static const char *const CAUSE_NAMES[VERIFY_CAUSE_COUNT] = {
    [VERIFY_OK] = "ok",           [VERIFY_NO_HEADER] = "no_header", [VERIFY_MALFORMED] = "malformed",
    [VERIFY_STALE] = "stale",     [VERIFY_FUTURE] = "future",       [VERIFY_NO_MATCH] = "no_match",
    [VERIFY_ALTERED] = "altered", [VERIFY_CLAIMS] = "claims",       [VERIFY_NO_SECRET] = "no_secret",
};

const char *verify_cause_name(enum verify_cause cause)
{
    SL_ASSERT(cause >= 0 && cause < VERIFY_CAUSE_COUNT);
    return CAUSE_NAMES[cause];
}
