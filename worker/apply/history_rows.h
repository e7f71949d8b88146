/* history_rows.h - rows that outlive the event that made them: each with its texts in one block of memory, so that a
 * new version takes the place of the old one and nothing is left behind.
 *
 * For history.c and history_commons.c.
 */
#ifndef APPLY_HISTORY_ROWS_H
#define APPLY_HISTORY_ROWS_H

#include "worker/decide/commons.h"

enum row_kind {
    ROW_USER = 0,
    ROW_SUBSCRIPTION,
    ROW_AGENT,
    ROW_JOB,
    ROW_TIMER,
    ROW_USAGE,
    ROW_LINK,
    ROW_WORKSPACE,
    ROW_MEMBER,
    ROW_INVITE,
    ROW_CONNECTION,
    ROW_SHARED_WORKFLOW,
    ROW_RUN,
    ROW_EARLY_ACCESS,
    ROW_KIND_COUNT
};

/* A customer and whose it is. */
struct row_link {
    struct sl_str customer_id, user_id;
};

/* A copy of the row and of all that it points to, to be freed with free(). */
SL_MUST_CHECK void *row_keep(enum row_kind kind, const void *row);

/* Pointers in an order. All zero is an empty list. */
struct row_list {
    void **items;
    size_t count, cap;
};
void row_list_deinit(struct row_list *list);
void row_list_add(struct row_list *list, void *item);
/* Puts `now` in the place of `before`, which may be NULL or not be there: then at the end. */
void row_list_replace(struct row_list *list, const void *before, void *now);
void row_list_remove(struct row_list *list, const void *item);

#endif
