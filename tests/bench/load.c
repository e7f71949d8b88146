/* load.c - a sender of signed Stripe events, for benchmarks: many keep-alive connections on one thread.
 *
 * Closed loop (--rate 0): each connection sends its next event when the last one is answered. Open loop (--rate N):
 * events are due at fixed times whatever the answers do, and latency counts from when an event was due, so that a stall
 * is not hidden. Every event has an id of its own and a fresh signature; users are drawn from --users. Prints one JSON
 * object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX   4096
#define REQUEST_BYTES_MAX 8192
#define ANSWER_BYTES_MAX  8192
#define BODY_BYTES_WANTED 2500
#define SAMPLES_MAX       8000000

struct options {
    const char *host, *secret, *mark;
    int port, connections, rate, users;
    double seconds;
    long count_max; /* 0: by time alone */
};

struct connection {
    int fd;
    int busy;
    double due_s; /* when its event was due */
    size_t sent, request_len, received;
    char request[REQUEST_BYTES_MAX];
    char answer[ANSWER_BYTES_MAX + 1];
};

struct totals {
    long started, ok, refused, errors;
    float *samples_ms;
    size_t sample_count;
};

static double now_s(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void sign(const struct options *options, long at_s, const char *body, int body_len, char ret_hex[65])
{
    unsigned char mac[32];
    unsigned mac_len = sizeof(mac);
    char signed_text[REQUEST_BYTES_MAX];
    int length = snprintf(signed_text, sizeof(signed_text), "%ld.%.*s", at_s, body_len, body);
    HMAC(EVP_sha256(), options->secret, (int)strlen(options->secret), (unsigned char *)signed_text, (size_t)length, mac,
         &mac_len);
    for (unsigned i = 0; i < sizeof(mac); i++)
        (void)snprintf(ret_hex + 2 * (size_t)i, 3, "%02x", mac[i]);
}

/* An update of the user's one subscription, as large as Stripe's are. */
static int write_body(const struct options *options, long number, char *body, size_t size)
{
    const long user = (long)((unsigned long)number * 2654435761UL % (unsigned long)options->users);
    const long created_s = (long)time(NULL);
    int length = snprintf(
        body, size,
        "{\"id\":\"evt_%s_%ld\",\"object\":\"event\",\"api_version\":\"2025-08-27.basil\",\"created\":%ld,"
        "\"livemode\":false,\"pending_webhooks\":1,\"request\":{\"id\":null,\"idempotency_key\":null},"
        "\"type\":\"customer.subscription.updated\",\"data\":{\"object\":{\"id\":\"sub_%s_%ld\",\"object\":"
        "\"subscription\","
        "\"customer\":\"cus_%s_%ld\",\"status\":\"active\",\"metadata\":{\"user_id\":\"user-%s-%ld\"},"
        "\"cancel_at_period_end\":false,\"items\":{\"object\":\"list\",\"data\":[{\"id\":\"si_1\",\"quantity\":1,"
        "\"current_period_start\":%ld,\"current_period_end\":%ld,\"price\":{\"id\":\"price_starter\"}}]},"
        "\"description\":\"",
        options->mark, number, created_s, options->mark, user, options->mark, user, options->mark, user, created_s,
        created_s + 2592000);
    int filler = BODY_BYTES_WANTED - length - 4;
    memset(body + length, 'x', (size_t)filler);
    length += filler;
    length += snprintf(body + length, size - (size_t)length, "\"}}}");
    return length;
}

static void write_request(const struct options *options, struct connection *connection, long number)
{
    char body[4096];
    char hex[65];
    const long at_s = (long)time(NULL);
    const int body_len = write_body(options, number, body, sizeof(body));
    sign(options, at_s, body, body_len, hex);
    int length = snprintf(connection->request, sizeof(connection->request),
                          "POST /webhooks/stripe HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                          "Stripe-Signature: t=%ld,v1=%s\r\nContent-Length: %d\r\n\r\n%.*s",
                          options->host, at_s, hex, body_len, body_len, body);
    connection->request_len = (size_t)length;
    connection->sent = 0;
    connection->received = 0;
}

static void connect_one(const struct options *options, struct connection *connection, int epoll_fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
    int one = 1;
    (void)inet_pton(AF_INET, options->host, &address.sin_addr);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof(address)))
        die("connect");
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)fcntl(connection->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event))
        die("epoll_ctl");
}

static void push_out(struct connection *connection)
{
    while (connection->busy && connection->sent < connection->request_len) {
        ssize_t written = send(connection->fd, connection->request + connection->sent,
                               connection->request_len - connection->sent, MSG_NOSIGNAL);
        if (written < 0 && errno == EAGAIN)
            return;
        if (written < 0)
            die("send");
        connection->sent += (size_t)written;
    }
}

/* The length of the whole answer once its head is there, else 0. */
static size_t answer_length(const struct connection *connection)
{
    const char *end = strstr(connection->answer, "\r\n\r\n");
    const char *length = strcasestr(connection->answer, "content-length:");
    if (!end || !length)
        return 0;
    return (size_t)(end + 4 - connection->answer) + (size_t)strtoul(length + 15, NULL, 10);
}

/* True when its event has been answered. */
static int pull_in(struct connection *connection, struct totals *totals)
{
    for (;;) {
        ssize_t got =
            recv(connection->fd, connection->answer + connection->received, ANSWER_BYTES_MAX - connection->received, 0);
        if (got < 0 && errno == EAGAIN)
            break;
        if (got <= 0)
            die("the server closed a connection");
        connection->received += (size_t)got;
        connection->answer[connection->received] = 0;
    }
    size_t whole = connection->busy ? answer_length(connection) : 0;
    if (!whole || connection->received < whole)
        return 0;
    if (strncmp(connection->answer, "HTTP/1.1 200", 12) == 0)
        totals->ok++;
    else
        totals->refused++;
    if (totals->sample_count < SAMPLES_MAX)
        totals->samples_ms[totals->sample_count++] = (float)((now_s() - connection->due_s) * 1e3);
    connection->busy = 0;
    return 1;
}

static void start_one(const struct options *options, struct connection *connection, struct totals *totals, double due_s)
{
    write_request(options, connection, totals->started++);
    connection->due_s = due_s;
    connection->busy = 1;
    push_out(connection);
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;
    return (x > y) - (x < y);
}

static double quantile(const struct totals *totals, double q)
{
    if (totals->sample_count == 0)
        return 0;
    return (double)totals->samples_ms[(size_t)(q * (double)(totals->sample_count - 1))];
}

static int may_start(const struct options *options, const struct totals *totals, double now, double end)
{
    return now < end && (options->count_max == 0 || totals->started < options->count_max);
}

static void drive(const struct options *options, struct connection *connections, int epoll_fd, struct totals *totals)
{
    const double began = now_s();
    const double end = began + options->seconds;
    struct epoll_event events[256];
    int next_idle = 0;
    int busy = 0;
    for (;;) {
        double now = now_s();
        while (may_start(options, totals, now, end) && busy < options->connections) {
            double due = options->rate ? began + (double)totals->started / options->rate : now;
            if (due > now)
                break;
            while (connections[next_idle].busy)
                next_idle = (next_idle + 1) % options->connections;
            start_one(options, &connections[next_idle], totals, due);
            busy++;
        }
        if (busy == 0 && !may_start(options, totals, now, end))
            return;
        if (now > end + 30) {
            totals->errors += busy;
            return;
        }
        int count = epoll_wait(epoll_fd, events, 256, options->rate ? 0 : 100);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            push_out(connection);
            busy -= pull_in(connection, totals);
        }
    }
}

static void parse(int argc, char **argv, struct options *ret)
{
    *ret = (struct options){.host = "127.0.0.1",
                            .mark = "load",
                            .port = 8080,
                            .connections = 64,
                            .users = 10000,
                            .seconds = 5,
                            .secret = getenv("STRIPE_WEBHOOK_SECRET")};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--port") == 0)
            ret->port = (int)strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--connections") == 0)
            ret->connections = (int)strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--rate") == 0)
            ret->rate = (int)strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--users") == 0)
            ret->users = (int)strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0)
            ret->seconds = strtod(value, NULL);
        else if (strcmp(argv[i], "--count") == 0)
            ret->count_max = strtol(value, NULL, 10);
        else if (strcmp(argv[i], "--mark") == 0)
            ret->mark = value;
    }
    if (!ret->secret || ret->connections < 1 || ret->connections > CONNECTIONS_MAX || ret->users < 1) {
        (void)fprintf(stderr, "usage: STRIPE_WEBHOOK_SECRET=… load --port N [--connections 64] [--rate 0] [--users "
                              "10000] [--seconds 5] [--count 0] [--mark load]\n");
        exit(64);
    }
}

int main(int argc, char **argv)
{
    struct options options;
    parse(argc, argv, &options);
    struct connection *connections = calloc((size_t)options.connections, sizeof(*connections));
    struct totals totals = {.samples_ms = malloc(sizeof(float) * SAMPLES_MAX)};
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!connections || !totals.samples_ms || epoll_fd < 0)
        die("starting");
    for (int i = 0; i < options.connections; i++)
        connect_one(&options, &connections[i], epoll_fd);
    double began = now_s();
    drive(&options, connections, epoll_fd, &totals);
    double took = now_s() - began;
    qsort(totals.samples_ms, totals.sample_count, sizeof(float), by_value);
    printf("{\"sent\": %ld, \"ok\": %ld, \"refused\": %ld, \"unanswered\": %ld, \"seconds\": %.3f, \"rate\": %.1f, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
           totals.started, totals.ok, totals.refused, totals.errors, took, (double)totals.ok / took,
           quantile(&totals, 0.5), quantile(&totals, 0.99), quantile(&totals, 1));
    free(totals.samples_ms);
    free(connections);
    return totals.errors || totals.refused ? 1 : 0;
}
