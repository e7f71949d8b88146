/* rowset.h - the outbox rows that are in hand: produced, and not yet deleted. A bounded set of row ids (positive), by
 * open addressing. Belongs to one outbox, and so to one thread.
 */
#ifndef OUTBOX_ROWSET_H
#define OUTBOX_ROWSET_H

#include "common/base.h"

struct rowset;

SL_MUST_CHECK struct rowset *rowset_create(size_t capacity);
void rowset_destroy(struct rowset *rows); /* accepts NULL */

bool rowset_has(const struct rowset *rows, int64_t row_id);
/* Adding to a full set is asserted against: ask rowset_is_full first. Adding twice is adding once. */
void rowset_add(struct rowset *rows, int64_t row_id);
void rowset_remove(struct rowset *rows, int64_t row_id); /* one that isn't there: nothing happens */
bool rowset_is_full(const struct rowset *rows);
size_t rowset_count(const struct rowset *rows);

#endif
