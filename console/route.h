/* route.h - the console's paths: a table of what stands behind each. Pure. */
#ifndef CONSOLE_ROUTE_H
#define CONSOLE_ROUTE_H

#include "console/read.h"

enum route_kind { ROUTE_READ = 1, ROUTE_STREAM, ROUTE_PAGE };

struct route {
    const char *name; /* label of metrics */
    const char *path; /* "{id}" is a UUID */
    enum route_kind kind;
    const struct read *read; /* of a ROUTE_READ */
    const char *noun;        /* "agent": what is not there when it isn't, or NULL */
};

/* NULL: no such path, or its id is no UUID. `ret_id` is nil where the path has none. */
const struct route *route_find(struct sl_str path, struct sl_uuid *ret_id);

#endif
