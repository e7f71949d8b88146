/* peer.h - the open connections, and how long each has been at what: so that a request has a bounded time to arrive.
 *
 * libmicrohttpd's own timeout starts again with every byte, which lets a trickle hold a connection for ever; here the
 * time counts from the request's first byte. The http thread adds, moves and removes peers; the reaper (another thread)
 * ends the overdue ones. A lock inside; a socket is only touched under it, and only while it is in the list, so that it
 * can't have been closed.
 */
#ifndef WEB_PEER_H
#define WEB_PEER_H

#include "common/str.h"

enum peer_stage {
    PEER_IDLE = 0, /* between requests: no byte of the next one yet */
    PEER_HEAD,     /* its head is arriving */
    PEER_BODY,     /* its body is arriving */
    PEER_WORK,     /* it has arrived; the answer is ours to give */
};

struct peer {
    struct peer *prev, *next;
    int fd;
    enum peer_stage stage;
    int64_t since_ms;    /* the stage's beginning */
    uint64_t idle_bytes; /* received by the connection when it became idle */
    bool is_timed_out;   /* the reaper has answered 408 and shut it down */
    bool is_odd;         /* its present request's target is not plain (target.h): the http thread's alone */
    bool is_told;        /* an answer has gone out on the socket itself: the reaper must not add one */
};

struct peers;

SL_MUST_CHECK struct peers *peers_create(void);
void peers_destroy(struct peers *peers); /* must be empty; accepts NULL */

SL_MUST_CHECK struct peer *peers_add(struct peers *peers, int fd, int64_t now_ms);
void peers_remove(struct peers *peers, struct peer *peer);
size_t peers_count(struct peers *peers);

/* False: the reaper was faster, the request must not go on. */
bool peers_move(struct peers *peers, struct peer *peer, enum peer_stage stage, int64_t now_ms);
bool peers_is_timed_out(struct peers *peers, struct peer *peer);

/* Writes `text` to the socket past the library, as far as it takes it without waiting, and closes that direction. */
void peers_tell(struct peers *peers, struct peer *peer, struct sl_str text);

/* Whether the other end has closed its side, or the connection is gone (tcp(7), TCP_INFO). */
bool peers_is_closed(struct peers *peers, struct peer *peer);
/* Ends a connection at once, whatever is still to be written to it. */
void peers_cut(struct peers *peers, struct peer *peer);

/* Shuts down what has been IDLE, HEAD or BODY for longer than `timeout_ms`; HEAD and BODY get `text` first. Gives how
 * many heads timed out: those never become requests, so that nobody else counts them. */
size_t peers_reap(struct peers *peers, int64_t timeout_ms, struct sl_str text, int64_t now_ms);

#endif
