/* pg_connect.c - one connection attempt to Postgres under a deadline.
 *
 * libpq connects step by step while this file waits on the socket. Only the look-up of a host's name blocks outside the
 * deadline (libpq calls getaddrinfo). Our settings are defaults that the URL may override; its `options` are appended
 * to ours. libpq gives no SQLSTATE for a refused connection other than inside a verbose message, so that is where it is
 * read from.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <openssl/ssl.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/pg_internal.h"

#define OPTIONS_BYTES_MAX 4096
#define SQLSTATE_LEN      5

#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number

static const char OPTIONS[] =
    "-c statement_timeout=" TEXT_OF(SL_PG_STATEMENT_TIMEOUT_MS) " -c idle_in_transaction_session_timeout=" TEXT_OF(
        SL_PG_IDLE_IN_TRANSACTION_TIMEOUT_MS) " -c search_path=sluice,public"
                                              /* a client whose host is gone must not hold its locks for the two hours
                                                 of the kernel's default */
                                              " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c "
                                              "tcp_keepalives_count=3";

bool sl_pg_wait(PGconn *conn, bool for_read, bool for_write, int64_t deadline_ms)
{
    SSL *ssl = PQsslStruct(conn, "OpenSSL");
    if (for_read && ssl != NULL && SSL_pending(ssl) > 0) {
        return true; /* decrypted already: the socket would stay silent */
    }
    struct pollfd poll_fd = {.fd = PQsocket(conn)};
    if (poll_fd.fd < 0) {
        return false;
    }
    poll_fd.events = (short)((for_read ? POLLIN : 0) | (for_write ? POLLOUT : 0));
    for (;;) {
        int64_t left_ms = -1;
        if (deadline_ms >= 0) {
            left_ms = deadline_ms - sl_clock_mono_ms();
            if (left_ms <= 0) {
                return false;
            }
            left_ms = left_ms < INT_MAX ? left_ms : INT_MAX;
        }
        const int ready = poll(&poll_fd, 1, (int)left_ms);
        if (ready > 0) {
            return true;
        }
        if (ready < 0 && errno != EINTR) {
            return false;
        }
    }
}

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

/* The `options` of the URL behind ours. False when libpq can't read the URL; its message is not shown, for it quotes
 * the URL. */
static bool options_of(const char *url, struct sl_buf *options, struct sl_err *err)
{
    char *message = NULL;
    PQconninfoOption *infos = url[0] != '\0' ? PQconninfoParse(url, &message) : NULL;
    PQfreemem(message);
    if (infos == NULL) {
        (void)sl_err_set(err, SL_ERR_PERMANENT, "the Postgres URL is empty or can't be read");
        sl_err_hint(err, "write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE");
        return false;
    }
    (void)sl_buf_append_cstr(options, OPTIONS);
    for (const PQconninfoOption *info = infos; info->keyword != NULL; info++) {
        if (strcmp(info->keyword, "options") == 0 && info->val != NULL) {
            (void)sl_buf_append_char(options, ' ');
            (void)sl_buf_append_cstr(options, info->val);
        }
    }
    PQconninfoFree(infos);
    return !options->overflow || sl_err_set(err, SL_ERR_PERMANENT, "the Postgres URL's options are too long");
}

void sl_pg_files(const char *url, void (*visit)(void *arg, const char *path), void *arg)
{
    static const char *const names[] = {"sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir", "passfile"};
    char *message = NULL;
    PQconninfoOption *infos = url[0] != '\0' ? PQconninfoParse(url, &message) : NULL;
    PQfreemem(message);
    for (const PQconninfoOption *info = infos; info && info->keyword; info++) {
        for (size_t i = 0; i < SL_ARRAY_LEN(names); i++) {
            if (info->val && strcmp(info->keyword, names[i]) == 0)
                visit(arg, info->val);
        }
    }
    PQconninfoFree(infos);
}

/* The code in "FATAL:  28P01: password authentication failed …" (src/interfaces/libpq/fe-protocol3.c,
 * pqBuildErrorMessage3),
 * "" when there is none: then no server has spoken. */
static void sqlstate_of(const char *message, char ret_sqlstate[SQLSTATE_LEN + 1])
{
    ret_sqlstate[0] = '\0';
    for (const char *at = strstr(message, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        const char *code = at + 3;
        if (strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == SQLSTATE_LEN && code[SQLSTATE_LEN] == ':') {
            memcpy(ret_sqlstate, code, SQLSTATE_LEN);
            ret_sqlstate[SQLSTATE_LEN] = '\0';
            return;
        }
    }
}

static bool refused_err(const PGconn *conn, struct sl_err *err)
{
    const char *message = PQerrorMessage(conn);
    char sqlstate[SQLSTATE_LEN + 1];
    sqlstate_of(message, sqlstate);
    const bool needs_password = PQconnectionNeedsPassword(conn) == 1;
    const enum sl_err_class error_class = needs_password ? SL_ERR_PERMANENT : sl_pg_sqlstate_class(sqlstate);
    (void)sl_err_set(err, error_class,
                     error_class == SL_ERR_PERMANENT ? "Postgres refuses the connection" : "Postgres can't be reached");
    sl_err_code(err, sqlstate);
    sl_err_detail(err, "%.*s", (int)strcspn(message, "\n"), message);
    if (needs_password) {
        sl_err_hint(err, "give a password in the URL");
    }
    return false;
}

/* Takes the steps that libpq asks for. */
static bool drive(PGconn *conn, int64_t deadline_ms, struct sl_err *err)
{
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    while (PQstatus(conn) != CONNECTION_BAD) {
        if (!sl_pg_wait(conn, step == PGRES_POLLING_READING, step == PGRES_POLLING_WRITING, deadline_ms)) {
            (void)sl_err_set(err, SL_ERR_RETRY, "Postgres can't be reached");
            sl_err_detail(err, "no connection within the time allowed");
            return false;
        }
        step = PQconnectPoll(conn);
        if (step == PGRES_POLLING_OK) {
            return true;
        }
        if (step == PGRES_POLLING_FAILED) {
            break;
        }
    }
    return refused_err(conn, err);
}

static PGconn *start(const char *url, const char *application_name, const char *options)
{
    /* Later ones override earlier ones, so the URL stands between what it may change and what it may not. */
    const char *const pairs[][2] = {
        {"application_name", application_name},
        {"keepalives", "1"},
        {"keepalives_idle", "10"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "25000"},
        {"dbname", url},
        {"options", options},
        {"client_encoding", "UTF8"},
    };
    const char *keys[SL_ARRAY_LEN(pairs) + 1] = {NULL};
    const char *values[SL_ARRAY_LEN(pairs) + 1] = {NULL};
    for (size_t i = 0; i < SL_ARRAY_LEN(pairs); i++) {
        keys[i] = pairs[i][0];
        values[i] = pairs[i][1];
    }
    return PQconnectStartParams(keys, values, 1);
}

PGconn *sl_pg_connect(const char *url, const char *application_name, int timeout_ms, struct sl_err *err)
{
    SL_ASSERT(timeout_ms > 0);
    const int64_t deadline_ms = sl_clock_mono_ms() + timeout_ms;
    struct sl_buf options;
    sl_buf_init(&options, OPTIONS_BYTES_MAX);
    PGconn *conn = NULL;
    if (options_of(url, &options, err)) {
        conn = start(url, application_name, options.data);
        SL_ASSERT(conn != NULL); /* only for want of memory */
    }
    sl_buf_deinit(&options);
    if (conn == NULL) {
        return NULL;
    }
    (void)PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
    (void)PQsetNoticeReceiver(conn, ignore_notice, NULL);
    if (!drive(conn, deadline_ms, err)) {
        PQfinish(conn);
        return NULL;
    }
    (void)PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
    if (PQsetnonblocking(conn, 1) != 0) {
        (void)sl_pg_lost_err(conn, NULL, err);
        PQfinish(conn);
        return NULL;
    }
    return conn;
}
