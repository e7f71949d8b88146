/* program.c - see program.h. */
#include "common/program.h"

#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"

#define DEFAULT_CONFIG "deploy/sluice.conf"
#define OWN_FILES      256 /* of a program that serves nobody */

static bool ends(int *ret_status, int status)
{
    *ret_status = status;
    return false;
}

bool sl_program_options(struct sl_program *program, int argc, char **argv, int *ret_status)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    program->config = access(DEFAULT_CONFIG, R_OK) == 0 ? DEFAULT_CONFIG : NULL;
    program->overlay = getenv("SLUICE_CONFIG");
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            program->config = optarg;
            break;
        case 'k':
            program->checks = true;
            break;
        case 'v':
            (void)printf("%s " SLUICE_VERSION "\n", program->name);
            return ends(ret_status, EXIT_SUCCESS);
        case 'h':
            (void)fputs(program->usage, stdout);
            return ends(ret_status, EXIT_SUCCESS);
        default:
            (void)fputs(program->usage, stderr);
            return ends(ret_status, SL_PROGRAM_EXIT_USAGE);
        }
    }
    if (optind < argc) {
        (void)fputs(program->usage, stderr);
        return ends(ret_status, SL_PROGRAM_EXIT_USAGE);
    }
    return true;
}

void sl_program_start_log(const struct sl_program *program, const struct sl_config *config)
{
    enum sl_log_level level = SL_LOG_INFO;
    if (!sl_log_level_parse(sl_config_text(config, "log", "level"), &level))
        level = SL_LOG_INFO;
    bool json = sl_str_is(sl_config_text(config, "log", "format"), "json");
    sl_log_init(program->name, level, json ? SL_LOG_JSON : SL_LOG_LOGFMT);
}

void sl_program_raise_files(int64_t connections)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connections + OWN_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        sl_log(SL_LOG_WARN, "main", "fewer files may be open than max_connections needs",
               LOG_INT("limit", limit.rlim_cur), LOG_INT("wanted", wanted));
}

void sl_program_block_signals(sigset_t *ret_signals)
{
    (void)sigemptyset(ret_signals);
    (void)sigaddset(ret_signals, SIGTERM);
    (void)sigaddset(ret_signals, SIGINT);
    (void)sigaddset(ret_signals, SIGHUP);
    SL_ASSERT(pthread_sigmask(SIG_BLOCK, ret_signals, NULL) == 0);
    (void)signal(SIGPIPE, SIG_IGN);
}
