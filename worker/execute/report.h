/* report.h - the job.* events by which the executor tells the rules what became of a job. */
#ifndef EXECUTE_REPORT_H
#define EXECUTE_REPORT_H

#include "common/event.h"
#include "worker/execute/flight.h"

#define REPORT_BYTES_MAX (FINDINGS_JSON_BYTES_MAX + 16384)

/* The event of an end: job.dispatched (WAITING), job.succeeded, job.failed, job.cancelled; other ends have none
 * (asserted). Its strings live in `arena`. The id is derived from job, fence and type: the same end twice is the same
 * event. */
void report_event(const struct flight *flight, enum flight_end end, int64_t now_ms, struct sl_arena *arena,
                  struct sl_event *ret_event);

#endif
