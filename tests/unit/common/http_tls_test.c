/* http_tls_test.c - TLS: nothing is sent to a server that can't prove who it is, or that doesn't finish the handshake.
 */
#include "tests/unit/cmocka_all.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/http.h"
#include "tests/unit/common/http_server.h"

#define LONG_MS  20000
#define SHORT_MS 150
#define DAY_S    (24 * 60 * 60)

static const char HELLO[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

struct outcome {
    int calls;
    enum sl_http_end end;
    char code[32];
};

/* A certificate for 127.0.0.1 that vouches for itself, on disk too. */
struct identity {
    EVP_PKEY *key;
    X509 *certificate;
    char path[32];
};

static int make_identity(void **state)
{
    static struct identity identity;
    identity = (struct identity){.path = "/tmp/sluice-test-XXXXXX"};
    identity.key = EVP_EC_gen("P-256");
    identity.certificate = X509_new();
    X509 *certificate = identity.certificate;
    X509_NAME *name = X509_get_subject_name(certificate);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_S));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), DAY_S));
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(certificate, name), 1);
    assert_int_equal(X509_set_pubkey(certificate, identity.key), 1);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(certificate, identity.key, EVP_sha256()) > 0);
    const int fd = mkstemp(identity.path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(fclose(file), 0);
    *state = &identity;
    return 0;
}

static int drop_identity(void **state)
{
    struct identity *identity = *state;
    (void)unlink(identity->path);
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
    return 0;
}

static void keep(void *arg, const struct sl_http_response *response)
{
    struct outcome *outcome = arg;
    outcome->calls++;
    outcome->end = response->end;
    (void)snprintf(outcome->code, sizeof(outcome->code), "%s", response->err != NULL ? response->err->code : "");
}

static void serve_tls(struct server *server, int fd, int number)
{
    (void)number;
    SSL *ssl = SSL_new(server->tls);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    char request[SERVER_REQUEST_BYTES];
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof(request)) > 0) {
        atomic_fetch_add(&server->requests, 1);
        (void)SSL_write(ssl, HELLO, sizeof(HELLO) - 1);
        (void)SSL_read(ssl, request, sizeof(request)); /* until the client closes */
    }
    SSL_free(ssl);
}

static void serve_silence(struct server *server, int fd, int number)
{
    (void)server;
    (void)number;
    server_wait_for_close(fd);
}

static void serve_plain(struct server *server, int fd, int number)
{
    (void)server;
    (void)number;
    server_send(fd, HELLO);
    server_wait_for_close(fd);
}

static struct outcome call(struct identity *identity, server_fn *serve, const char *host, bool trusted, int timeout_ms,
                           int *ret_requests)
{
    struct sl_err err = {0};
    struct outcome outcome = {0};
    struct server server;
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(tls, identity->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(tls, identity->key), 1);
    server_start(&server, serve);
    server.tls = tls; /* before the first connection */
    char url[64];
    (void)snprintf(url, sizeof(url), "https://%s:%d/", host, server.port);
    const struct sl_http_request request = {
        .method = "POST",
        .url = url,
        .body = SL_STR("x"),
        .connect_timeout_ms = timeout_ms,
        .timeout_ms = LONG_MS,
    };
    struct sl_http *http = sl_http_create(4, "sluice-test", trusted ? identity->path : NULL, &err);
    assert_non_null(http);
    assert_true(sl_http_start(http, &request, keep, &outcome, &err));
    while (sl_http_in_flight(http) > 0) {
        sl_http_poll(http, LONG_MS);
    }
    sl_http_destroy(http);
    server_stop(&server);
    SSL_CTX_free(tls);
    *ret_requests = atomic_load(&server.requests);
    assert_int_equal(outcome.calls, 1);
    return outcome;
}

static void only_a_proven_server_gets_the_request(void **state)
{
    static const struct {
        server_fn *serve;
        const char *host;
        bool trusted;
        int connect_timeout_ms;
        enum sl_http_end end;
        const char *code;
    } ROWS[] = {
        {serve_tls, "127.0.0.1", true, LONG_MS, SL_HTTP_ANSWERED, ""},
        {serve_tls, "127.0.0.1", false, LONG_MS, SL_HTTP_NOT_SENT, "PEER_FAILED_VERIFICATION"},
        {serve_tls, "localhost", true, LONG_MS, SL_HTTP_NOT_SENT, "PEER_FAILED_VERIFICATION"}, /* another name */
        {serve_silence, "127.0.0.1", true, SHORT_MS, SL_HTTP_NOT_SENT, "OPERATION_TIMEDOUT"},
        {serve_plain, "127.0.0.1", true, LONG_MS, SL_HTTP_NOT_SENT, "SSL_CONNECT_ERROR"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        int requests = 0;
        const struct outcome outcome =
            call(*state, ROWS[i].serve, ROWS[i].host, ROWS[i].trusted, ROWS[i].connect_timeout_ms, &requests);
        assert_int_equal(outcome.end, ROWS[i].end);
        assert_memory_equal(outcome.code, ROWS[i].code, strnlen(ROWS[i].code, 23)); /* codes are cut at 23 bytes */
        assert_int_equal(requests, ROWS[i].end == SL_HTTP_ANSWERED ? 1 : 0);
    }
}

/* The same server a day after its certificate's end. */
static void an_expired_server_gets_nothing(void **state)
{
    struct identity *identity = *state;
    int requests = 0;
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(identity->certificate), -(long)2 * DAY_S));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(identity->certificate), -(long)DAY_S));
    assert_true(X509_sign(identity->certificate, identity->key, EVP_sha256()) > 0);
    FILE *file = fopen(identity->path, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, identity->certificate), 1);
    assert_int_equal(fclose(file), 0);
    const struct outcome outcome = call(identity, serve_tls, "127.0.0.1", true, LONG_MS, &requests);
    assert_int_equal(outcome.end, SL_HTTP_NOT_SENT);
    assert_memory_equal(outcome.code, "PEER_FAILED_VERIFICATION", 23);
    assert_int_equal(requests, 0);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_proven_server_gets_the_request),
        cmocka_unit_test(an_expired_server_gets_nothing), /* last: it spoils the certificate */
    };
    return cmocka_run_group_tests(tests, make_identity, drop_identity);
}
