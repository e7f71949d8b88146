/* commons_rows.h - writes what events of a batch changed of that which users share. */
#ifndef APPLY_COMMONS_ROWS_H
#define APPLY_COMMONS_ROWS_H

#include "worker/apply/attempt.h"
#include "worker/apply/pipeline.h"

/* Queues one statement a table and kind of change, and nothing where nothing changed: what goes before what comes. */
void commons_rows_queue(const struct attempt *attempt, struct pipeline *pipeline);

#endif
