/* client.c - see client.h. */
#include "tests/unit/ingress/client.h"

#include "tests/unit/web/check.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int client_connect(unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

bool client_try_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t count = send(fd, bytes, len, MSG_NOSIGNAL);
        if (count <= 0)
            return false;
        bytes += count;
        len -= (size_t)count;
    }
    return true;
}

void client_send(int fd, const char *bytes, size_t len)
{
    assert_true(client_try_send(fd, bytes, len));
}

void client_send_text(int fd, const char *text)
{
    client_send(fd, text, strlen(text));
}

const char *client_header(const struct client_answer *answer, const char *name, char *text, size_t text_bytes)
{
    size_t name_len = strlen(name);
    text[0] = '\0';
    for (const char *line = answer->head; line && *line;
         line = strstr(line, "\r\n") ? strstr(line, "\r\n") + 2 : NULL) {
        if (strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
            continue;
        const char *value = line + name_len + 1;
        value += strspn(value, " ");
        size_t len = strcspn(value, "\r\n");
        assert_true(len < text_bytes);
        memcpy(text, value, len);
        text[len] = '\0';
        break;
    }
    return text;
}

void client_receive(int fd, struct client_answer *ret_answer)
{
    char length_text[32];
    size_t len = 0;
    memset(ret_answer, 0, sizeof(*ret_answer));
    while (len + 1 < sizeof(ret_answer->head) && !strstr(ret_answer->head, "\r\n\r\n")) {
        ssize_t count = recv(fd, ret_answer->head + len, 1, 0);
        if (count <= 0)
            return;
        len += (size_t)count;
    }
    assert_int_equal(sscanf(ret_answer->head, "HTTP/1.1 %d", &ret_answer->status), 1);
    size_t wanted = strtoul(client_header(ret_answer, "content-length", length_text, sizeof(length_text)), NULL, 10);
    assert_true(wanted < sizeof(ret_answer->body));
    for (len = 0; len < wanted;) {
        ssize_t count = recv(fd, ret_answer->body + len, wanted - len, 0);
        if (count <= 0)
            return;
        len += (size_t)count;
    }
}

bool client_is_closed(int fd)
{
    char bytes[512];
    ssize_t count;
    do {
        count = recv(fd, bytes, sizeof(bytes), 0);
    } while (count > 0);
    return count == 0 || errno == ECONNRESET;
}

int client_begin(unsigned port, const char *method, const char *path, const char *headers, const char *body)
{
    char head[4096];
    int fd = client_connect(port);
    int len = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n%s\r\n", method,
                       path, body ? strlen(body) : 0, headers ? headers : "");
    assert_true(len > 0 && (size_t)len < sizeof(head));
    client_send(fd, head, (size_t)len);
    if (body)
        client_send(fd, body, strlen(body));
    return fd;
}

void client_call(unsigned port, const char *method, const char *path, const char *headers, const char *body,
                 struct client_answer *ret_answer)
{
    int fd = client_begin(port, method, path, headers, body);
    client_receive(fd, ret_answer);
    (void)close(fd);
}
