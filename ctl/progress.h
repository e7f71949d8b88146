/* progress.h - of commands that take long: a line on stderr now and then, and an end that Ctrl-C asks for. */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include "common/base.h"

/* From now on SIGINT and SIGTERM only ask for the end; a second one ends at once. */
void progress_catch_signals(void);
bool progress_is_interrupted(void);
/* The same, in the form that waiting functions ask in. `arg` is not used. */
bool progress_stopping(void *arg);

/* At most one line a second: on a terminal the same line again and again, else a line each ten seconds. */
void progress_show(const char *format, ...) SL_PRINTF(1, 2);
void progress_end(void); /* leaves the terminal at the beginning of a line */
/* Waits; false as soon as the end is asked for. */
SL_MUST_CHECK bool progress_sleep(int64_t wait_ms);

#endif
