/* rollback.c - takes back what a provision that failed left behind: a destroy of the agent's things that keeps the
 * agent. */
#include "worker/execute/recipes/recipes.h"

const struct recipe RECIPE_ROLLBACK = {.kind = JOB_ROLLBACK,
                                       .home = CLOUD_HETZNER,
                                       .steps = UNDO_STEPS,
                                       .step_count = UNDO_STEP_COUNT,
                                       .first = "find_run"};
