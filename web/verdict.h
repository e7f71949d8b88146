/* verdict.h - what a verifier says of a request: taken, or refused for which cause. A plain value. */
#ifndef WEB_VERDICT_H
#define WEB_VERDICT_H

#include "common/base.h"

enum verify_cause {
    VERIFY_OK = 0,
    VERIFY_NO_HEADER, /* nothing to judge by */
    VERIFY_MALFORMED, /* not of the scheme's form, or sent more than once */
    VERIFY_STALE,     /* rightly signed, too long ago; a token that has expired */
    VERIFY_FUTURE,    /* rightly signed, for a time too far ahead */
    VERIFY_NO_MATCH,  /* no secret gives this signature */
    VERIFY_ALTERED,   /* the signature is of this body in another spelling: something on the way rewrote it */
    VERIFY_CLAIMS,    /* a rightly signed token for somebody else: issuer, audience, subject */
    VERIFY_NO_SECRET, /* this source has none configured */
    VERIFY_CAUSE_COUNT
};

struct verdict {
    enum verify_cause cause;
    int64_t off_by_s;    /* STALE, FUTURE: how far beyond now, always positive */
    size_t secret_index; /* OK, STALE, FUTURE, CLAIMS: which secret matched, by position from 0 */
};

const char *verify_cause_name(enum verify_cause cause); /* "no_header" …: label of metrics, word of logs */

#endif
