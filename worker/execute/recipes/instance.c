/* instance.c - what the jobs about a provisioner's instance do alike. */
#include "worker/execute/recipes/recipes.h"

struct provisioner_limits instance_limits(const struct recipe_job *job)
{
    return (struct provisioner_limits){
        .agents = sl_str_of(recipe_arg(job, "agents")),
        .messages_per_day = sl_str_of(recipe_arg(job, "messages_per_day")),
        .memory_mb = sl_str_of(recipe_arg(job, "memory_mb")),
        .cpu = sl_str_of(recipe_arg(job, "cpu")),
    };
}
