/* partitions.h - where this worker stands in each partition it is assigned, and what of that Kafka has been told.
 *
 * Three positions of a partition: `fetched` (the next message expected from Kafka) >= `next` (the next one to be
 * decided, as in Postgres)
 * >= `published` (outcomes below it are known to be in Kafka). The outcomes between the last two fly: they are entered
 * in the order of their offsets and confirmed in any. Belongs to apply's thread. Invariants in partitions.c, asserted
 * by partition_check.
 */
#ifndef APPLY_PARTITIONS_H
#define APPLY_PARTITIONS_H

#include "common/base.h"

#define PARTITIONS_MAX 4096

struct flying_outcome {
    int64_t offset;
    bool confirmed;
};

struct partition {
    bool assigned;
    uint32_t epoch; /* raised by each assignment: a confirmation of an earlier one says nothing about this */
    int64_t fetched;
    int64_t next;
    int64_t published;
    int64_t published_stored; /* as last written to Postgres */
    int64_t hole;             /* a gap in the log was met here and looked at again; -1: none */
    bool outcome_failed; /* an outcome could not be delivered: positions are read anew, and it is announced again */
    struct flying_outcome *flying; /* a ring */
    size_t flying_cap, flying_head, flying_count;
    uint64_t flying_first; /* the number of the ring's first entry, counted from the assignment on */
};

struct partitions {
    struct partition *rows; /* by number */
    size_t count;
};

void partitions_deinit(struct partitions *partitions);
/* Forgets all assignments. */
void partitions_revoke(struct partitions *partitions);
/* Starts anew at the given positions. */
void partitions_assign(struct partitions *partitions, int32_t number, int64_t next, int64_t published);
/* NULL when the partition isn't assigned. */
struct partition *partitions_find(struct partitions *partitions, int32_t number);

/* An outcome of `offset` is about to be announced: gives its number for partition_confirm. Offsets rise. */
uint64_t partition_fly(struct partition *partition, int64_t offset);
/* It is in Kafka (or needs no announcement). Moves `published` over all that are confirmed in a row. */
void partition_confirm(struct partition *partition, uint64_t number);
void partition_check(const struct partition *partition);

#endif
