/* engine.h - carries out jobs: claims them, makes their cloud calls, records what came of each, and settles them.
 *
 * Input: queued rows of sluice.jobs. Output: calls to clouds; job.* events by way of the outbox; rows of job_calls and
 * cloud_state. One thread owns curl, a Postgres session and an outbox; only engine_wake, engine_reload and engine_drain
 * reach it from others. Invariants: no mutating call before its intent is committed; every write names the fence of the
 * claim; a call whose effect is unknown is looked at before it is made again; a drain or a cloud's refusal of our
 * credentials counts no attempt.
 */
#ifndef EXECUTE_ENGINE_H
#define EXECUTE_ENGINE_H

#include "common/admin.h"
#include "common/config.h"
#include "common/err.h"
#include "common/metrics.h"

struct engine;

/* What the engine needs of `config` is copied: it may be destroyed afterwards. `metrics` and `readiness` are borrowed
 * for the engine's life (readiness part "execute" says when Postgres is away; a cloud that is not configured is no
 * reason). `worker_id` is copied: it is jobs.worker and cloud_state.worker. Connects to nothing yet. NULL when curl or
 * the producer can't be made, or a setting makes no sense. */
SL_MUST_CHECK struct engine *engine_create(const struct sl_config *config, struct sl_metrics *metrics,
                                           struct sl_readiness *readiness, const char *worker_id, struct sl_err *err);

/* Starts the thread. Called once. */
SL_MUST_CHECK bool engine_start(struct engine *engine, struct sl_err *err);

/* There may be new or changed jobs. Any thread; an atomic store and at most one write(2). */
void engine_wake(struct engine *engine);

/* Claims nothing more, lets calls in the air end for `timeout_ms` at most, hands everything else back to the queue
 * without counting an attempt, and ends the thread. Blocks until then. True when every job was handed back or written;
 * false when Postgres was away (their leases run out, and another worker takes them up). Called once, from the thread
 * that created the engine. */
bool engine_drain(struct engine *engine, int timeout_ms);

/* New credentials, base URLs and limits from the next call on. Copied like in engine_create; the thread takes it over
 * when it comes round. False: the settings make no sense, the old ones stay. Postgres' and Kafka's addresses are not
 * re-read. */
SL_MUST_CHECK bool engine_reload(struct engine *engine, const struct sl_config *config, struct sl_err *err);

/* Drains with no patience where engine_drain was not called, then frees. Accepts NULL. */
void engine_destroy(struct engine *engine);

#endif
