/* peer.c - see peer.h. */
#include "web/peer.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#define STATE_ESTABLISHED 1 /* tcpi_state: include/net/tcp_states.h of Linux */

struct peers {
    pthread_mutex_t lock;
    struct peer *head;
    size_t count;
};

static void lock(struct peers *peers)
{
    SL_ASSERT(pthread_mutex_lock(&peers->lock) == 0);
}

static void unlock(struct peers *peers)
{
    SL_ASSERT(pthread_mutex_unlock(&peers->lock) == 0);
}

struct peers *peers_create(void)
{
    struct peers *peers = sl_calloc(1, sizeof(*peers));
    SL_ASSERT(pthread_mutex_init(&peers->lock, NULL) == 0);
    return peers;
}

void peers_destroy(struct peers *peers)
{
    if (!peers)
        return;
    SL_ASSERT(peers->count == 0);
    (void)pthread_mutex_destroy(&peers->lock);
    free(peers);
}

/* Bytes the connection has received since its beginning, read by the library or not (tcp(7), RFC 4898). */
static uint64_t bytes_received(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ? info.tcpi_bytes_received : 0;
}

struct peer *peers_add(struct peers *peers, int fd, int64_t now_ms)
{
    struct peer *peer = sl_calloc(1, sizeof(*peer));
    peer->fd = fd;
    peer->since_ms = now_ms;
    lock(peers);
    peer->next = peers->head;
    if (peers->head)
        peers->head->prev = peer;
    peers->head = peer;
    peers->count++;
    unlock(peers);
    return peer;
}

void peers_remove(struct peers *peers, struct peer *peer)
{
    lock(peers);
    *(peer->prev ? &peer->prev->next : &peers->head) = peer->next;
    if (peer->next)
        peer->next->prev = peer->prev;
    peers->count--;
    unlock(peers);
    free(peer);
}

size_t peers_count(struct peers *peers)
{
    lock(peers);
    size_t count = peers->count;
    unlock(peers);
    return count;
}

bool peers_move(struct peers *peers, struct peer *peer, enum peer_stage stage, int64_t now_ms)
{
    lock(peers);
    bool in_time = !peer->is_timed_out;
    peer->stage = stage;
    peer->since_ms = now_ms;
    if (stage == PEER_IDLE)
        peer->idle_bytes = bytes_received(peer->fd);
    unlock(peers);
    return in_time;
}

bool peers_is_timed_out(struct peers *peers, struct peer *peer)
{
    lock(peers);
    bool timed_out = peer->is_timed_out;
    unlock(peers);
    return timed_out;
}

static void tell(struct peer *peer, struct sl_str text)
{
    /* A fresh answer fits the empty send buffer of a socket; one that doesn't is cut, and the close says so. */
    (void)send(peer->fd, text.ptr, text.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(peer->fd, SHUT_WR);
    peer->is_told = true;
}

void peers_tell(struct peers *peers, struct peer *peer, struct sl_str text)
{
    lock(peers);
    tell(peer, text);
    unlock(peers);
}

bool peers_is_closed(struct peers *peers, struct peer *peer)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    lock(peers);
    bool known = getsockopt(peer->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0;
    unlock(peers);
    return known && info.tcpi_state != STATE_ESTABLISHED;
}

void peers_cut(struct peers *peers, struct peer *peer)
{
    lock(peers);
    (void)shutdown(peer->fd, SHUT_RDWR);
    unlock(peers);
}

size_t peers_reap(struct peers *peers, int64_t timeout_ms, struct sl_str text, int64_t now_ms)
{
    size_t heads = 0;
    lock(peers);
    for (struct peer *peer = peers->head; peer; peer = peer->next) {
        if (peer->stage == PEER_IDLE && bytes_received(peer->fd) > peer->idle_bytes) {
            peer->stage = PEER_HEAD;
            peer->since_ms = now_ms;
        }
        if (peer->stage == PEER_WORK || peer->is_timed_out || now_ms - peer->since_ms <= timeout_ms)
            continue;
        heads += peer->stage == PEER_HEAD;
        if (peer->stage != PEER_IDLE && !peer->is_told)
            tell(peer, text);
        peer->is_timed_out = true;
        (void)shutdown(peer->fd, SHUT_RDWR);
    }
    unlock(peers);
    return heads;
}
