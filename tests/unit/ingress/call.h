/* call.h - one ingress, and calls to it: what intake_test.c and server_test.c share. Each test gets an instance of its
 * own. */
#ifndef TESTS_INGRESS_CALL_H
#define TESTS_INGRESS_CALL_H

#include "tests/unit/ingress/client.h"
#include "tests/unit/ingress/kit.h"

#define CALL_EVENT                                                                                                     \
    "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"invoice.paid\",\"created\":1763712000,\"data\":{\"object\":"    \
    "{\"id\":\"in_1\",\"customer\":\"cus_1\"}}}"
#define CALL_PATIENCE_MS 10000

extern struct kit call_kit;
extern struct client_answer call_answer; /* the last one */

int call_set_up(void **state);
int call_tear_down(void **state);
unsigned call_port(void);

/* The last answer's status, and its errorCode unless NULL. */
void call_expect(int status, const char *error_code);
/* A webhook of Stripe's, rightly signed. */
void call_stripe(const char *body);

/* The number behind `line`, the beginning of a line of /metrics; 0 when there is none. */
double call_metric(const char *line);
/* A family's sum over all labels. */
double call_sum(const char *family);
/* Until the number is at least one. */
void call_await(const char *line);

#endif
