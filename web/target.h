/* target.h - a request's target as it came, before libmicrohttpd decodes it.
 *
 * The library gives the path decoded, and as a C string: "/a%00/b" arrives as "/a", and "/a%2fb" as "/a/b", which would
 * be other routes than those that a proxy before us saw. Such a path is none of ours. Pure; any thread.
 */
#ifndef WEB_TARGET_H
#define WEB_TARGET_H

#include "common/base.h"

/* Whether the path of a target (what stands before a '?') reads the same decoded as not: no "%00", no "%2f", and every
 * '%' before two hexadecimal digits. Source: RFC 3986, 2.2 and 7.3. */
bool target_is_plain(const char *target);

#endif
