/* answer.h - what goes back: status, body and the few header fields that ingress sets. A plain value; strings live in
 * the request's arena. */
#ifndef INGRESS_ANSWER_H
#define INGRESS_ANSWER_H

#include "common/arena.h"
#include "web/problem.h"

#define ANSWER_RECEIPT_BYTES 96
#define ANSWER_BYTES_MAX     ((size_t)512 * 1024)

struct answer {
    int status;
    const char *content_type;
    struct sl_str body;
    char receipt[ANSWER_RECEIPT_BYTES]; /* Sluice-Receipt, or empty */
    const char *allow;                  /* Allow, or NULL */
    const char *challenge;              /* WWW-Authenticate, or NULL */
    int retry_after_s;                  /* Retry-After, or 0 */
    bool close;                         /* the connection ends with it */
};

struct answer answer_problem(const struct problem *problem, struct sl_arena *arena);
struct answer answer_received(void);                                           /* 200 {"received":true} */
struct answer answer_accepted(struct sl_str event_id, struct sl_arena *arena); /* 202 {"id","status":"accepted"} */

/* An outcome (contract, section 7) with its own status; rejections and dead letters become a problem that carries it.
 * False when the text is no outcome. */
SL_MUST_CHECK bool answer_outcome(struct sl_str outcome, struct sl_arena *arena, struct answer *ret_answer);

/* "TOPIC/PARTITION/OFFSET". */
void answer_set_receipt(struct answer *answer, const char *topic, int32_t partition, int64_t offset);

#endif
