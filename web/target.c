/* target.c - see target.h. */
#include "web/target.h"

#include <ctype.h>
#include <strings.h>

static bool is_hex(char digit)
{
    return isxdigit((unsigned char)digit) != 0;
}

bool target_is_plain(const char *target)
{
    for (const char *at = target; *at != '\0' && *at != '?'; at++) {
        if (*at != '%')
            continue;
        if (!is_hex(at[1]) || !is_hex(at[2]) || strncasecmp(at + 1, "00", 2) == 0 || strncasecmp(at + 1, "2f", 2) == 0)
            return false;
    }
    return true;
}
