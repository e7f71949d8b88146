/* page.h - one thing on one page: its record, then tables of what belongs to it; as JSON one object with the tables as
 * arrays. */
#ifndef CTL_PAGE_H
#define CTL_PAGE_H

#include <jansson.h>

#include "ctl/ctl.h"

struct page_part {
    const char *name;       /* the JSON key */
    const char *title;      /* above the table */
    const char *empty_note; /* printed instead of an empty table */
    const char *sql;        /* its only parameter, $1, is the id */
};

struct page {
    const char *noun;   /* "user", for the refusal when there is none */
    const char *record; /* one row at most, $1 is the id; NULL: no record, and the parts take no parameter */
    const struct page_part *parts;
    size_t part_count;
    /* A last part that isn't a query, or NULL: appends its rows, objects, to `rows`; `print` shows them to people. */
    const char *extra_name;
    bool (*extra_collect)(struct ctl *ctl, json_t *rows, struct sl_err *err);
    void (*extra_print)(const json_t *rows);
};

/* CTL_FOUND, and a line on stderr, when nothing has the id. */
enum ctl_exit page_show(struct ctl *ctl, const struct page *page, const char *id);

#endif
