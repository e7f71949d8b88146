/* fault.c - see fault.h. Compiled with SLUICE_FAULTS alone.
 *
 * What is armed is set once, before there are threads; the count of its passes is the one thing that changes.
 */
#include "common/fault.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/str.h"

#define LINE_BYTES 128
#define PASS_MAX   1000000

enum action { ACTION_KILL = 0, ACTION_STOP, ACTION_FAIL, ACTION_COUNT };

static const char *const ACTIONS[ACTION_COUNT] = {
    [ACTION_KILL] = "kill", [ACTION_STOP] = "stop", [ACTION_FAIL] = "fail"};

static const char *const POINTS[] = {
#define FAULT(name, meaning) name,
#include "common/fault_points.inc"
#undef FAULT
};

static struct {
    const char *name; /* of POINTS; NULL: nothing is armed */
    int64_t at_pass;
    enum action action;
    int log_fd; /* -1: none */
} armed = {.log_fd = -1};
static atomic_llong passes;

static const char *point_of(struct sl_str name)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(POINTS); i++)
        if (sl_str_is(name, POINTS[i]))
            return POINTS[i];
    return NULL;
}

SL_NORETURN static void refuse(const char *variable, const char *value, const char *problem)
{
    (void)fprintf(stderr, "%s=%s: %s\n", variable, value, problem);
    _exit(EXIT_FAILURE);
}

static enum action action_of(struct sl_str word, const char *value)
{
    enum action action = ACTION_KILL;
    while (action < ACTION_COUNT && !sl_str_is(word, ACTIONS[action]))
        action++;
    if (action == ACTION_COUNT)
        refuse("SLUICE_FAULT", value, "what is to happen is kill, stop or fail");
    return action;
}

static void arm(const char *value)
{
    struct sl_str action = sl_str_of(value);
    struct sl_str pass = sl_str_cut(&action, '=');
    const struct sl_str name = sl_str_cut(&pass, ':');
    armed.name = point_of(name);
    armed.at_pass = 1;
    armed.action = sl_str_empty(action) ? ACTION_KILL : action_of(action, value);
    if (armed.name == NULL)
        refuse("SLUICE_FAULT", value, "there is no such point");
    if (!sl_str_empty(pass) &&
        (!sl_str_to_int64(pass, &armed.at_pass) || armed.at_pass < 1 || armed.at_pass > PASS_MAX))
        refuse("SLUICE_FAULT", value, "the pass is a number from 1 on");
}

void sl_fault_init(void)
{
    const char *fault = getenv("SLUICE_FAULT");
    const char *log = getenv("SLUICE_FAULT_LOG");
    if (armed.log_fd >= 0)
        (void)close(armed.log_fd);
    armed.name = NULL;
    armed.log_fd = -1;
    atomic_store(&passes, 0);
    if (fault != NULL && fault[0] != '\0')
        arm(fault);
    if (log != NULL && log[0] != '\0') {
        armed.log_fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (armed.log_fd < 0)
            refuse("SLUICE_FAULT_LOG", log, "the file can't be written");
    }
}

bool sl_fault_is_armed(const char *name)
{
    return armed.name != NULL && strcmp(name, armed.name) == 0;
}

/* One write, so that lines of several threads don't mix. */
static void note(const char *name, const char *action)
{
    char line[LINE_BYTES];
    const int len = snprintf(line, sizeof(line), "%s%s%s\n", name, action[0] != '\0' ? " " : "", action);
    SL_ASSERT(len > 0 && (size_t)len < sizeof(line));
    SL_ASSERT(armed.log_fd < 0 || write(armed.log_fd, line, (size_t)len) == len);
}

/* Whether this is the pass that was meant; it is noted in either case. */
static bool is_meant(const char *name)
{
    SL_ASSERT(point_of(sl_str_of(name)) != NULL);
    const bool meant = sl_fault_is_armed(name) && atomic_fetch_add(&passes, 1) + 1 == armed.at_pass;
    note(name, meant ? ACTIONS[armed.action] : "");
    return meant;
}

/* Sent to the thread itself, which goes not one step further; to the process, another thread might take it. */
static void act(void)
{
    (void)raise(armed.action == ACTION_STOP ? SIGSTOP : SIGKILL);
}

void sl_fault_pass(const char *name)
{
    if (is_meant(name)) {
        SL_ASSERT(armed.action != ACTION_FAIL); /* nothing here that could fail */
        act();
    }
}

bool sl_fault_pass_fails(const char *name)
{
    if (!is_meant(name))
        return false;
    if (armed.action != ACTION_FAIL)
        act();
    return armed.action == ACTION_FAIL;
}
