/* undo.h - the functions of an undoing's steps, in the order in which they come. Private to this folder: the table is
 * in destroy.c. */
#ifndef EXECUTE_RECIPES_UNDO_H
#define EXECUTE_RECIPES_UNDO_H

#include "worker/execute/recipes/recipes.h"

#define STEP_PREPARE(name)                                                                                             \
    struct step_result name(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,            \
                            struct cloud_request *request)
#define STEP_DONE_BY(name)                                                                                             \
    struct step_result name(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,            \
                            const struct sl_http_response *response)
#define STEP_REFUSED_BY(name)                                                                                          \
    struct step_result name(struct recipe_job *job, const struct recipe_settings *settings, int64_t now_ms,            \
                            const struct classification *refusal)

/* undo_run.c: the workflow's run */
STEP_PREPARE(find_run_prepare);
STEP_DONE_BY(find_run_done);
STEP_REFUSED_BY(run_refused);
STEP_PREPARE(check_run_prepare);
STEP_DONE_BY(check_run_done);
STEP_PREPARE(cancel_run_prepare);
STEP_DONE_BY(cancel_run_done);
STEP_REFUSED_BY(cancel_run_refused);
STEP_PREPARE(wait_run_prepare);
STEP_DONE_BY(wait_run_done);

/* undo_server.c: the server */
STEP_PREPARE(find_server_prepare);
STEP_DONE_BY(find_server_done);
STEP_REFUSED_BY(find_server_refused);
STEP_PREPARE(find_by_name_prepare);
STEP_DONE_BY(find_by_name_done);
STEP_PREPARE(delete_server_prepare);
STEP_DONE_BY(delete_server_done);
STEP_REFUSED_BY(delete_server_refused);
STEP_PREPARE(wait_gone_prepare);
STEP_DONE_BY(wait_gone_done);
STEP_REFUSED_BY(wait_gone_refused);
STEP_PREPARE(recheck_prepare);
STEP_DONE_BY(recheck_done);

/* undo_device.c: the Tailscale device */
STEP_PREPARE(find_device_prepare);
STEP_DONE_BY(find_device_done);
STEP_REFUSED_BY(find_device_refused);
STEP_PREPARE(find_device_by_name_prepare);
STEP_DONE_BY(find_device_by_name_done);
STEP_PREPARE(delete_device_prepare);
STEP_DONE_BY(delete_device_done);
STEP_REFUSED_BY(delete_device_refused);

#endif
