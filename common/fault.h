/* fault.h - named places at which a test ends, stops or fails a program: for test builds (SLUICE_FAULTS) alone; in
 * others nothing is left of them.
 *
 * SLUICE_FAULT=NAME[:N][=kill|stop|fail], read once at the program's start, says what happens at the Nth pass (the
 * first by default) of the point NAME: `kill` (the default) is SIGKILL to itself, `stop` is SIGSTOP, `fail` makes the
 * call at the point report a failure. Every point that is passed is appended as a line to the file SLUICE_FAULT_LOG;
 * the line of the pass that acts has the action behind the name, and is written before it. The points:
 * fault_points.inc.
 */
#ifndef SL_FAULT_H
#define SL_FAULT_H

#include "common/base.h"

#ifdef SLUICE_FAULTS

/* Reads both variables; for main, before there are threads, and for tests, which may call it again. A variable that
 * says nothing sensible is printed and ends the program: a test must not take it for a pass. */
void sl_fault_init(void);
/* A pass. Thread: any. `name` must be in fault_points.inc. */
void sl_fault_pass(const char *name);
/* A pass of a call that can fail: true when it is to do so. */
SL_MUST_CHECK bool sl_fault_pass_fails(const char *name);
/* Whether SLUICE_FAULT names the point. */
SL_MUST_CHECK bool sl_fault_is_armed(const char *name);

#define sl_fault(name)               sl_fault_pass(name)
#define sl_fault_if(condition, name) ((condition) ? sl_fault_pass(name) : (void)0)
#define sl_fault_fails(name)         sl_fault_pass_fails(name)

#else

#define sl_fault_init()              ((void)0)
#define sl_fault(name)               ((void)0)
#define sl_fault_if(condition, name) ((void)0)
#define sl_fault_fails(name)         false

#endif

#endif
