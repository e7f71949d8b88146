/* compare.h - the clouds against the books: what is missing, foreign, drifted, orphaned. Pure.
 *
 * Of an agent that is in motion, or has an open job, nothing is said: its job sees to it. A server that a failed agent
 * still has on its books is explained by them, because the user's data is on it.
 */
#ifndef REPAIR_COMPARE_H
#define REPAIR_COMPARE_H

#include "worker/repair/books.h"

enum finding_kind { FINDING_MISSING = 1, FINDING_FOREIGN, FINDING_DRIFTED, FINDING_ORPHANED, FINDING_KIND_COUNT };
const char *finding_kind_name(enum finding_kind kind); /* as in sluice.findings */

struct finding {
    enum finding_kind kind;
    enum cloud_id cloud;
    const char *mend;   /* what command.agent.repair calls it: "orphan", "gone", "off", "on"; NULL: by hand */
    const char *detail; /* a sentence for people, static */
    struct sl_str resource_id, name; /* borrowed from the sights or the books */
    const struct book *book;         /* NULL: of nobody on the books */
    double cost_per_day;             /* negative: not said */
};

struct findings {
    struct finding *items;
    size_t count;
    size_t in_motion; /* sights and agents of which nothing was said */
};

/* Everything in `arena`; `sights` and `books` outlive the findings. */
struct findings compare(const struct sights *sights, const struct books *books, struct sl_arena *arena);

#endif
