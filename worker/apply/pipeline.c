/* pipeline.c - see pipeline.h. */
#include "worker/apply/pipeline.h"

void pipeline_init(struct pipeline *pipeline, struct sl_pg *pg, struct sl_err *err)
{
    *pipeline = (struct pipeline){.pg = pg, .ok = true, .err = err};
}

int pipeline_add(struct pipeline *pipeline, const char *sql, const struct sl_pg_params *params)
{
    return pipeline_added(pipeline, pipeline->ok && sl_pg_queue(pipeline->pg, sql, params, pipeline->err) ? 1 : -1);
}

int pipeline_added(struct pipeline *pipeline, int count)
{
    int first = pipeline->count;
    if (count < 0)
        pipeline->ok = false;
    else
        pipeline->count += count;
    SL_ASSERT(pipeline->count <= SL_PG_PIPELINE_MAX);
    return first;
}

bool pipeline_flush(struct pipeline *pipeline)
{
    return pipeline->ok && sl_pg_flush(pipeline->pg, pipeline->results, (size_t)pipeline->count, pipeline->err);
}

const PGresult *pipeline_result(const struct pipeline *pipeline, int index)
{
    SL_ASSERT(index < pipeline->count);
    return index < 0 ? NULL : pipeline->results[index];
}

void pipeline_deinit(struct pipeline *pipeline)
{
    for (int i = 0; i < pipeline->count; i++)
        PQclear(pipeline->results[i]);
    pipeline->count = 0;
}
