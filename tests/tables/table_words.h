/* table_words.h - the words of the tables (README.md beside it): facts and events from text, plans to text. */
#ifndef TABLE_WORDS_H
#define TABLE_WORDS_H

#include "common/buf.h"
#include "tests/support/world.h"

/* "live; agent A active server=s1; job J stop queued A": adds the rows. False, and what is wrong in `ret_problem`,
 * if a word is not known. */
SL_MUST_CHECK bool table_facts(struct world *world, struct sl_str text, struct sl_str *ret_problem);

/* "command.agent.stop A": the event. */
SL_MUST_CHECK bool table_event(struct world *world, struct sl_str text, struct input *ret_input,
                               struct sl_str *ret_problem);

/* "A active->stopping; +stop A; audit agent_stop_queued": every change of the plan, in its order; "-" for none. */
void table_changes(const struct world *world, const struct plan *plan, struct sl_buf *buf);

#endif
