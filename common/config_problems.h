/* config_problems.h - what is wrong with a configuration, collected while it is loaded. Of config*.c only. */
#ifndef SL_CONFIG_PROBLEMS_H
#define SL_CONFIG_PROBLEMS_H

#include "common/config.h"

/* The caller's rows, SL_CONFIG_PROBLEMS_MAX of them; what comes beyond is dropped, and what is there already isn't said
 * again. */
struct config_problems {
    struct sl_config_problem *rows;
    size_t count;
};

void config_problem_at(struct config_problems *problems, const char *place, const char *format, ...) SL_PRINTF(3, 4);
/* The place "path:line"; line 0: the path alone. */
void config_problem_in_file(struct config_problems *problems, const char *path, int line, const char *format, ...)
    SL_PRINTF(4, 5);
/* By file, line and text: the order in which somebody mends them. */
void config_problems_sort(struct config_problems *problems);

#endif
