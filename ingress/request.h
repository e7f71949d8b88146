/* request.h - the state of one request, for the files that tell its story (intake.c, judge.c) and nobody else. */
#ifndef INGRESS_REQUEST_H
#define INGRESS_REQUEST_H

#include <pthread.h>

#include "ingress/bucket.h"
#include "ingress/intake.h"
#include "ingress/trace.h"

struct intake {
    struct intake_parts parts;
    pthread_mutex_t lock;        /* of every request's meeting point below */
    struct bucket_table *ration; /* the http thread's: log lines and diagnoses a second */
    int64_t unlogged;            /* refusals that were not logged, since the last that was */
};

enum reply_end { REPLY_NONE = 0, REPLY_HEARD, REPLY_OVERDUE };

struct request {
    struct intake *intake;
    struct settings *settings; /* as of its beginning */
    struct sl_arena *arena;
    struct intake_head head;
    struct address client;
    struct route route; /* source NULL: none found */
    int64_t received_at_ms;
    struct sl_buf body;
    int64_t reserved_bytes;
    struct jwt_caller caller;
    struct reading reading;
    struct sl_event event;
    char traceparent[TRACE_PARENT_BYTES];

    bool is_answered;
    bool is_settled;
    const char *cause; /* why it was not published, or NULL */
    struct answer answer;

    bool asked_to_wait; /* Prefer: wait was there and readable, whether or not there was a way to wait */
    /* The meeting point: written by the publisher's and the listener's threads under the intake's lock. */
    int wait_s; /* 0: nobody waits for the outcome */
    struct reply_wait wait;
    bool is_published; /* the publisher has told */
    struct publish_result result;
    enum reply_end reply_end;
    struct sl_str outcome;
    void (*resume)(void *arg);
    void *resume_arg;
};

/* Ends the request with a problem; `cause` is the counter's word. Gives false, for the steps below. */
bool request_refuse(struct request *request, enum problem_code code, const char *cause, const char *detail);
bool request_refuse_with(struct request *request, const struct problem *problem, const char *cause);
/* Ends it with 503 and Retry-After. */
bool request_refuse_for_now(struct request *request, const char *cause, int retry_after_s, const char *detail);

/* judge.c: the steps that need no body, and those that need the whole of it. False: answered (see is_answered). */
bool judge_head(struct request *request);
bool judge_body(struct request *request);

#endif
