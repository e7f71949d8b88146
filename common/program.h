/* program.h - how a program that serves begins: its options, its log, its signals. For main.c alone.
 */
#ifndef SL_PROGRAM_H
#define SL_PROGRAM_H

#include <signal.h>

#include "common/config.h"

#define SL_PROGRAM_EXIT_USAGE  2
#define SL_PROGRAM_EXIT_CONFIG 78 /* EX_CONFIG of sysexits.h */

struct sl_program {
    const char *name;    /* "sluice-ingress" */
    const char *usage;   /* what --help prints */
    const char *config;  /* filled in: --config, else deploy/sluice.conf where it is there, else NULL */
    const char *overlay; /* filled in: SLUICE_CONFIG, or NULL */
    bool checks;         /* filled in: --check */
};

/* Reads the options. False: the process is to end with `ret_status`, everything having been printed (--help, --version,
 * a mistake). */
SL_MUST_CHECK bool sl_program_options(struct sl_program *program, int argc, char **argv, int *ret_status);

/* The log by [log]. */
void sl_program_start_log(const struct sl_program *program, const struct sl_config *config);

/* Each connection is an open file, and the usual soft limit is 1,024: raises it for so many beside the program's own; a
 * warning in the log where the hard limit is lower. */
void sl_program_raise_files(int64_t connections);

/* Blocks SIGTERM, SIGINT and SIGHUP, which the caller then takes from `ret_signals`, and ignores SIGPIPE. Before any
 * thread exists: all inherit it. */
void sl_program_block_signals(sigset_t *ret_signals);

#endif
