/* client.h - HTTP by hand, so that a test can send what no client would. Blocking, with ten seconds of patience. */
#ifndef TESTS_INGRESS_CLIENT_H
#define TESTS_INGRESS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#define CLIENT_BYTES_MAX 65536

struct client_answer {
    int status; /* 0: the connection ended without an answer */
    char head[4096];
    char body[CLIENT_BYTES_MAX];
};

int client_connect(unsigned port);
void client_send(int fd, const char *bytes, size_t len);
void client_send_text(int fd, const char *text);
/* False when the other end has closed or reset. */
bool client_try_send(int fd, const char *bytes, size_t len);
/* One answer, by Content-Length. */
void client_receive(int fd, struct client_answer *ret_answer);
/* True when the other end closes or resets; what it sends until then is thrown away. */
bool client_is_closed(int fd);

/* A whole call on a connection of its own; `headers` are lines ending in CRLF, or NULL. */
void client_call(unsigned port, const char *method, const char *path, const char *headers, const char *body,
                 struct client_answer *ret_answer);
/* The same without waiting for the answer: the connection. */
int client_begin(unsigned port, const char *method, const char *path, const char *headers, const char *body);
/* The value of a response header, "" when absent. */
const char *client_header(const struct client_answer *answer, const char *name, char *text, size_t text_bytes);

#endif
