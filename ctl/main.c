/* main.c - sluicectl: the table of commands, and the way from a command line to one of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fault.h"
#include "common/harden.h"
#include "ctl/ctl.h"
#include "ctl/query.h"

static const char *const NO_OPTIONS[] = {NULL};
static const char *const MIGRATE_OPTIONS[] = {"dry-run", NULL};
static const char *const JOBS_LIST_OPTIONS[] = {"user", "agent", "status", "kind", "limit", NULL};
static const char *const WORKSPACES_LIST_OPTIONS[] = {"user", "limit", NULL};
static const char *const COMMAND_OPTIONS[] = {"wait", NULL};
static const char *const EVENTS_LIST_OPTIONS[] = {"user", "type", "outcome", "source", "since", "until", "limit", NULL};
static const char *const EVENTS_SHOW_OPTIONS[] = {"source", "raw", NULL};
static const char *const EXPLAIN_EVENT_OPTIONS[] = {"source", NULL};
static const char *const RECONCILE_OPTIONS[] = {"fix", "grace", "wait", "dry-run", NULL};
static const char *const BACKFILL_OPTIONS[] = {"since", "until", "all", "rate", "wait", "dry-run", NULL};
static const char *const REDELIVER_OPTIONS[] = {"since", "until", "hook", "rate", "wait", "dry-run", NULL};
static const char *const PAUSE_OPTIONS[] = {"reason", NULL};

static const char *const EVENTS_TAIL_OPTIONS[] = {"user", "type", "outcome", "limit", NULL};
static const char *const REPLAY_OPTIONS[] = {"from", "to", "user", "limit", "dry-run", NULL};
static const char *const DLQ_LIST_OPTIONS[] = {"source", "type", "cause",  "user",  "stage", "since",
                                               "until",  "id",   "status", "limit", "all",   NULL};
static const char *const DLQ_SHOW_OPTIONS[] = {"raw", NULL};
static const char *const DLQ_REPLAY_OPTIONS[] = {"source", "type",   "cause", "user", "stage", "since",   "until", "id",
                                                 "limit",  "canary", "rate",  "wait", "all",   "dry-run", NULL};
static const char *const DLQ_DISCARD_OPTIONS[] = {"source", "type",  "cause",  "user", "stage",   "since", "until",
                                                  "id",     "limit", "reason", "all",  "dry-run", NULL};

static const struct ctl_command COMMANDS[] = {
    {"migrate", NULL, "", "bring the database's schema forward (--dry-run: say what is due)", MIGRATE_OPTIONS, 0, false,
     migrate_run},
    {"topics", "create", "", "create the topics that are missing", NO_OPTIONS, 0, false, topics_create},
    {"topics", "check", "", "say which topics are weaker than they should be", NO_OPTIONS, 0, false, topics_check},
    {"status", NULL, "", "fleet, lag, jobs, clouds, dead letters, and what is stuck", NO_OPTIONS, 0, false, status_run},
    {"users", "show", "ID", "a user: billing, workspaces, agents, jobs, events, audit", NO_OPTIONS, 1, false,
     users_show},
    {"usage", "show", "USER", "what a user has used: today, by day and month", NO_OPTIONS, 1, false, usage_show},
    {"workspaces", "list", "", "workspaces, newest first (--user: those of a member)", WORKSPACES_LIST_OPTIONS, 0,
     false, workspaces_list},
    {"workspaces", "show", "ID", "a workspace: members, invitations, connections, runs, audit", NO_OPTIONS, 1, false,
     workspaces_show},
    {"agents", "show", "ID", "an agent: jobs, calls to clouds, audit", NO_OPTIONS, 1, false, agents_show},
    {"jobs", "list", "", "jobs, newest first", JOBS_LIST_OPTIONS, 0, false, jobs_list},
    {"jobs", "show", "ID", "a job: its calls, timers and events", NO_OPTIONS, 1, false, jobs_show},
    {"jobs", "retry", "ID", "try a failed job again, from its beginning", COMMAND_OPTIONS, 1, true, jobs_retry},
    {"jobs", "cancel", "ID", "end a job; one under way is rolled back", COMMAND_OPTIONS, 1, true, jobs_cancel},
    {"events", "list", "", "decided events, newest first (--type takes *)", EVENTS_LIST_OPTIONS, 0, false, events_list},
    {"events", "show", "ID", "an event with its raw message from Kafka (--raw: the message alone)", EVENTS_SHOW_OPTIONS,
     1, false, events_show},
    {"events", "tail", "", "follow decisions as they are made, until Ctrl-C (--limit N: until so many came)",
     EVENTS_TAIL_OPTIONS, 0, false, events_tail},
    {"explain", "event", "ID", "why: from the request through the decision to every cloud call that came of it",
     EXPLAIN_EVENT_OPTIONS, 1, false, explain_event},
    {"explain", "job", "ID", "the same of the event that made a job", NO_OPTIONS, 1, false, explain_job},
    {"explain", "agent", "ID", "the same of every event that changed an agent", NO_OPTIONS, 1, false, explain_agent},
    {"replay", NULL, "", "decide the log again by this build's rules and say what differs (--dry-run: it never writes)",
     REPLAY_OPTIONS, 0, false, replay_run},
    {"dlq", "list", "", "open dead letters by cause; with a filter, or --all, the letters", DLQ_LIST_OPTIONS, 0, false,
     dlq_list},
    {"dlq", "show", "ID", "a dead letter: every death, headers, the message (--raw: its bytes alone)", DLQ_SHOW_OPTIONS,
     1, false, dlq_show},
    {"dlq", "replay", "[ID]", "decide letters again, in the log's order (--dry-run: say what would come of it)",
     DLQ_REPLAY_OPTIONS, -1, false, dlq_replay},
    {"dlq", "discard", "[ID]", "give letters up; what waits behind them goes on (asks unless --yes)",
     DLQ_DISCARD_OPTIONS, -1, false, dlq_discard},
    {"reconcile", NULL, "", "the clouds against the books (--fix: mend what two looks found; --dry-run)",
     RECONCILE_OPTIONS, 0, false, reconcile_run},
    {"stripe", "backfill", "", "events that Stripe could not deliver (--all: all it has; --dry-run)", BACKFILL_OPTIONS,
     0, false, stripe_backfill},
    {"github", "redeliver", "", "failed deliveries of the webhook, asked for again (--dry-run)", REDELIVER_OPTIONS, 0,
     false, github_redeliver_run},
    {"pause", NULL, "BACKEND", "leave a backend's or a cloud's jobs queued; those under way go on", PAUSE_OPTIONS, 1,
     false, pause_run},
    {"resume", NULL, "BACKEND", "claim its jobs again", NO_OPTIONS, 1, false, resume_run},
};

static void print_options(const struct ctl_command *row)
{
    for (size_t i = 0; row->allowed[i]; i++)
        printf("%s--%s", i ? " " : "      ", row->allowed[i]);
    if (row->allowed[0])
        (void)fputc('\n', stdout);
}

static void print_help(const char *noun)
{
    printf("sluicectl NOUN VERB [ID] [--json] [--config FILE]\n\n");
    for (size_t i = 0; i < SL_ARRAY_LEN(COMMANDS); i++) {
        const struct ctl_command *row = &COMMANDS[i];
        char usage[64];
        if (noun && strcmp(noun, row->noun) != 0)
            continue;
        (void)snprintf(usage, sizeof(usage), "%s%s%s %s", row->noun, row->verb ? " " : "", row->verb ? row->verb : "",
                       row->arguments);
        printf("  %-18s  %s%s\n", usage, row->help, row->destructive ? " (asks unless --yes)" : "");
        if (noun)
            print_options(row);
    }
    printf("\nEverywhere: --json for programs, --config FILE (else SLUICE_CONFIG and the environment alone), --check, "
           "--version, --help.\nExit codes: 0 done, 1 found something, 2 usage, 69 a server is away, 78 "
           "configuration.\n");
}

enum ctl_exit ctl_fail(const struct sl_err *err)
{
    (void)fprintf(stderr, "sluicectl: %s\n", err->message);
    if (err->detail[0])
        (void)fprintf(stderr, "  detail: %s%s", err->detail, err->detail[strlen(err->detail) - 1] == '\n' ? "" : "\n");
    if (err->hint[0])
        (void)fprintf(stderr, "  hint: %s\n", err->hint);
    return err->error_class == SL_ERR_PERMANENT ? CTL_FOUND : CTL_UNAVAILABLE;
}

static const struct ctl_command *find_command(const struct options *options)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(COMMANDS); i++) {
        const struct ctl_command *row = &COMMANDS[i];
        if (strcmp(options->words[0], row->noun) != 0)
            continue;
        if (!row->verb || (options->word_count > 1 && strcmp(options->words[1], row->verb) == 0))
            return row;
    }
    return NULL;
}

/* Options that a command doesn't take are mistakes, not noise. */
static bool fits(const struct ctl_command *row, const struct options *options, struct sl_err *err)
{
    int given = options->word_count - (row->verb ? 2 : 1);
    if (row->argument_count < 0 ? given > -row->argument_count : given != row->argument_count)
        return sl_err_set(err, SL_ERR_PERMANENT, "usage: sluicectl %s%s%s %s", row->noun, row->verb ? " " : "",
                          row->verb ? row->verb : "", row->arguments);
    const char *unfit = options_unfit(options, row->allowed);
    if (unfit)
        return sl_err_set(err, SL_ERR_PERMANENT, "%s%s%s does not take --%s", row->noun, row->verb ? " " : "",
                          row->verb ? row->verb : "", unfit);
    return true;
}

static bool confirmed(const struct ctl_command *row, const struct options *options)
{
    char answer[8] = "";
    if (!row->destructive || options->yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        (void)fprintf(stderr, "sluicectl: %s %s changes things: give --yes\n", row->noun, row->verb);
        return false;
    }
    printf("%s %s %s? [y/N] ", row->noun, row->verb, options->words[2]);
    (void)fflush(stdout);
    return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static struct sl_config *load_config(const struct options *options)
{
    size_t key_count = 0;
    size_t problem_count = 0;
    static struct sl_config_problem problems[SL_CONFIG_PROBLEMS_MAX];
    struct sl_config *config = NULL;
    const struct sl_config_key *keys = sl_config_all_keys(&key_count);
    if (sl_config_load(keys, key_count, options->values[OPTION_CONFIG], getenv("SLUICE_CONFIG"), &config, problems,
                       &problem_count))
        return config;
    for (size_t i = 0; i < problem_count; i++)
        (void)fprintf(stderr, "sluicectl: %s: %s\n", problems[i].place, problems[i].text);
    return NULL;
}

static enum ctl_exit run(const struct ctl_command *row, const struct options *options)
{
    struct sl_config *config = load_config(options);
    if (!config)
        return CTL_CONFIG;
    struct ctl ctl = {.config = config, .options = *options};
    enum ctl_exit code = row ? row->run(&ctl) : CTL_DONE;
    query_close(&ctl);
    sl_config_destroy(config);
    return code;
}

int main(int argc, char **argv)
{
    struct options options;
    struct sl_err err = {0};
    const struct ctl_command *row = NULL;
    sl_fault_init();
    sl_harden_process();
    if (!options_parse(argc, argv, &options, &err)) {
        (void)ctl_fail(&err);
        return CTL_USAGE;
    }
    if (options.version) {
        printf("sluicectl %s\n", SLUICE_VERSION);
        return CTL_DONE;
    }
    if (options.help || (options.word_count == 0 && !options.check)) {
        print_help(options.word_count ? options.words[0] : NULL);
        return options.help ? CTL_DONE : CTL_USAGE;
    }
    if (options.check)
        return run(NULL, &options);
    row = find_command(&options);
    if (!row) {
        (void)fprintf(stderr, "sluicectl: unknown command \"%s%s%s\"\n", options.words[0],
                      options.word_count > 1 ? " " : "", options.word_count > 1 ? options.words[1] : "");
        print_help(NULL);
        return CTL_USAGE;
    }
    if (!fits(row, &options, &err)) {
        (void)ctl_fail(&err);
        return CTL_USAGE;
    }
    return (int)(confirmed(row, &options) ? run(row, &options) : CTL_USAGE);
}
