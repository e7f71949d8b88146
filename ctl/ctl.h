/* ctl.h - what every command of sluicectl is given, and what it gives back.
 *
 * A command is one row of the table in main.c and one function in the file of its noun. It reads options from
 * `ctl->options`, opens what it needs (Postgres, Kafka) through query.h and publish.h, prints through output.h, and
 * returns an exit code. One thread.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "common/config.h"
#include "common/err.h"
#include "ctl/options.h"

enum ctl_exit {
    CTL_DONE = 0,
    CTL_FOUND = 1, /* a check found something, a refused command, nothing by that id */
    CTL_USAGE = 2,
    CTL_UNAVAILABLE = 69, /* a server is away */
    CTL_CONFIG = 78
};

struct sl_pg;

struct ctl {
    const struct sl_config *config;
    struct options options;
    struct sl_pg *pg; /* opened by the first query */
};

struct ctl_command {
    const char *noun, *verb; /* verb NULL: the noun alone ("status") */
    const char *arguments;   /* "ID", for --help */
    const char *help;
    const char *const *allowed; /* the options that it takes, by name, NULL at the end */
    int argument_count;         /* negative: so many at most */
    bool destructive;           /* asks unless --yes */
    enum ctl_exit (*run)(struct ctl *ctl);
};

enum ctl_exit migrate_run(struct ctl *ctl);
enum ctl_exit topics_create(struct ctl *ctl);
enum ctl_exit topics_check(struct ctl *ctl);
enum ctl_exit status_run(struct ctl *ctl);
enum ctl_exit users_show(struct ctl *ctl);
enum ctl_exit usage_show(struct ctl *ctl);
enum ctl_exit workspaces_list(struct ctl *ctl);
enum ctl_exit workspaces_show(struct ctl *ctl);
enum ctl_exit agents_show(struct ctl *ctl);
enum ctl_exit jobs_list(struct ctl *ctl);
enum ctl_exit jobs_show(struct ctl *ctl);
enum ctl_exit jobs_retry(struct ctl *ctl);
enum ctl_exit jobs_cancel(struct ctl *ctl);
enum ctl_exit events_list(struct ctl *ctl);
enum ctl_exit events_show(struct ctl *ctl);
enum ctl_exit reconcile_run(struct ctl *ctl);
enum ctl_exit stripe_backfill(struct ctl *ctl);
enum ctl_exit github_redeliver_run(struct ctl *ctl);
enum ctl_exit pause_run(struct ctl *ctl);
enum ctl_exit resume_run(struct ctl *ctl);
enum ctl_exit dlq_list(struct ctl *ctl);
enum ctl_exit dlq_show(struct ctl *ctl);
enum ctl_exit dlq_replay(struct ctl *ctl);
enum ctl_exit dlq_discard(struct ctl *ctl);
enum ctl_exit events_tail(struct ctl *ctl);
enum ctl_exit replay_run(struct ctl *ctl);
enum ctl_exit explain_event(struct ctl *ctl);
enum ctl_exit explain_job(struct ctl *ctl);
enum ctl_exit explain_agent(struct ctl *ctl);

/* "sluicectl: <message>", detail and hint on stderr; the exit code that fits the error's class. */
enum ctl_exit ctl_fail(const struct sl_err *err);

#endif
