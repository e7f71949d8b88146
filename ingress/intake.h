/* intake.h - the story of one request, from its head to its answer.
 *
 * server.c calls, on the http thread and in this order: intake_begin with the head, intake_body with each piece,
 * intake_end when the body is whole; then, if that says PUBLISH, it suspends the connection and calls intake_publish,
 * and is resumed when the answer is known; intake_answer to learn it; intake_leave when the connection lets go of the
 * request. Invariants:
 *   1. A 2xx means that the event is on all in-sync replicas (GitHub's ping aside).
 *   2. Each request is settled in the counters exactly once: published, or refused with a cause.
 *   3. Between intake_publish and the resumption the request belongs to the publisher's and the listener's threads;
 * they meet under one lock, and exactly one of them resumes.
 */
#ifndef INGRESS_INTAKE_H
#define INGRESS_INTAKE_H

#include "ingress/admission.h"
#include "ingress/answer.h"
#include "ingress/counters.h"
#include "ingress/directory.h"
#include "ingress/listener.h"
#include "ingress/publisher.h"
#include "ingress/reply.h"
#include "ingress/settings.h"

struct intake;
struct request;

/* All of them outlive the intake. */
struct intake_parts {
    struct settings_store *settings;
    struct admission *admission;
    struct publisher *publisher;
    struct directory *directory;
    struct replies *replies;
    struct listener *listener;
    struct counters *counters;
};

SL_MUST_CHECK struct intake *intake_create(const struct intake_parts *parts, uint64_t seed);
void intake_destroy(struct intake *intake); /* no request may be left; accepts NULL */

/* Borrowed until intake_leave. */
struct intake_head {
    struct sl_str method;
    struct sl_str path;          /* decoded, without query */
    struct sl_str callback_user; /* `?user=`, decoded, or empty */
    struct headers headers;
    bool headers_overflowed;
    struct address peer;
    int64_t content_length; /* -1: chunked; 0: no body */
};

/* Judges what the head alone tells. Never NULL; see intake_is_answered. */
SL_MUST_CHECK struct request *intake_begin(struct intake *intake, const struct intake_head *head);
/* The answer is known: the rest of the body need not be kept. */
bool intake_is_answered(const struct request *request);
/* The answer is that the body is too large: it must be given at once. */
bool intake_is_oversize(const struct request *request);

/* One piece of the body. False: the answer is known now, and must be given at once. */
SL_MUST_CHECK bool intake_body(struct request *request, const char *bytes, size_t len);

enum intake_next { INTAKE_ANSWERED = 1, INTAKE_PUBLISH };
enum intake_next intake_end(struct request *request);

/* `resume(arg)` is called exactly once, from any thread, perhaps before this returns. */
void intake_publish(struct request *request, void (*resume)(void *arg), void *arg);

/* The answer, borrowed until intake_leave. The first call settles the request. */
const struct answer *intake_answer(struct request *request);

enum intake_end_kind { INTAKE_DONE = 0, INTAKE_CLIENT_GONE, INTAKE_TIMED_OUT };
/* Frees the request. `kind` says how it ended if it wasn't answered. */
void intake_leave(struct request *request, enum intake_end_kind kind);

/* A request that timed out before its head was whole. */
void intake_count_timeout(struct intake *intake);

#endif
