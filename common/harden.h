/* harden.h - what a program gives up before it serves, so that whoever gets into it gets little. For main.c alone.
 *
 * Input: the configuration, which names the files that are read again on SIGHUP, and where the program listens. Before
 * any thread exists: the file rules hold for this thread and those that it makes. Nothing is ever given back.
 */
#ifndef SL_HARDEN_H
#define SL_HARDEN_H

#include "common/config.h"

#define SL_HARDEN_LISTENS_MAX 4

struct sl_harden_options {
    const struct sl_config *config;
    const char *paths[2];                       /* the configuration's files; NULL: none */
    const char *listens[SL_HARDEN_LISTENS_MAX]; /* ADDRESS:PORT texts of the program; NULL: none */
};

struct sl_harden_report {
    int landlock_version;     /* 0: files and ports are not limited */
    size_t refused_calls;     /* 0: system calls are not limited */
    char landlock_cause[128]; /* why not; empty when they are */
    char seccomp_cause[128];
};

/* Of every program, sluicectl too, as the first thing it does: no core dump, no look into its memory or environment by
 * other processes of the same user (PR_SET_DUMPABLE), and nothing it executes gains privileges (PR_SET_NO_NEW_PRIVS).
 * Best effort: each is refused by no kernel that we know. */
void sl_harden_process(void);

/* Of a program that serves. The file system: reading of system files that libraries need, of what the configuration
 * names, and of [sandbox] read_paths; no writing, no executing. TCP: listening at `listens` only. System calls:
 * seccomp.h. What the kernel does not have is left out, and the report says why. */
void sl_harden_sandbox(const struct sl_harden_options *options, struct sl_harden_report *ret_report);

/* All a serving program's main does: the sandbox unless [sandbox] enabled is off, and one line of the log that says
 * what is in force. */
void sl_harden_serve(const struct sl_harden_options *options);

#endif
