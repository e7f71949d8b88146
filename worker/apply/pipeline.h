/* pipeline.h - statements queued together and their results, freed together: sl_pg's pipeline with the bookkeeping. */
#ifndef APPLY_PIPELINE_H
#define APPLY_PIPELINE_H

#include "common/pg.h"

struct pipeline {
    struct sl_pg *pg;
    PGresult *results[SL_PG_PIPELINE_MAX];
    int count;
    bool ok; /* false once a statement could not be queued */
    struct sl_err *err;
};

void pipeline_init(struct pipeline *pipeline, struct sl_pg *pg, struct sl_err *err);
/* Gives the index of the statement's result. After a failure nothing more is queued; the flush says so. */
int pipeline_add(struct pipeline *pipeline, const char *sql, const struct sl_pg_params *params);
/* Counts statements that somebody else queued (outbox_queue, positions_queue_move); negative or false is a failure. */
int pipeline_added(struct pipeline *pipeline, int count);
SL_MUST_CHECK bool pipeline_flush(struct pipeline *pipeline);
/* The result at an index from pipeline_add; NULL for -1. Borrowed until pipeline_deinit. */
const PGresult *pipeline_result(const struct pipeline *pipeline, int index);
void pipeline_deinit(struct pipeline *pipeline);

#endif
