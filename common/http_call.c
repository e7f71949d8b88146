/* http_call.c - one outgoing call: its request as curl wants it, its answer as it arrives, its verdict.
 *
 * The verdict. curl calls on_request_begins when the connection stands (TLS included) and the request is to be written:
 * a call that ends before that is NOT_SENT, whatever the reason; one that ends after it without a whole answer is
 * UNKNOWN, even if no byte left, because nobody can tell.
 *
 * Never twice. libcurl sends a request again by itself when a connection that it reused dies before an answer
 * (Curl_retry_request in lib/transfer.c), also a POST that the server has acted upon. It never does so on a connection
 * made for the request, so every method but GET and HEAD gets one of its own. A repeated GET has no effect, and ends
 * UNKNOWN if it fails too. The other reasons to repeat (redirects, authentication, "Expect: 100-continue") are off.
 */
#include "common/http_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fault.h"

#define URL_BYTES_MAX    8192
#define HEADER_BYTES_MAX ((size_t)64 * 1024) /* a request header's; and all of a response's together */

#define SET(easy, option, value) SL_ASSERT(curl_easy_setopt(easy, option, value) == CURLE_OK)

static int on_request_begins(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    (void)remote_ip;
    (void)local_ip;
    (void)remote_port;
    (void)local_port;
    struct sl_http_call *call = arg;
    call->begun = true;
    return CURL_PREREQFUNC_OK;
}

/* A shorter count than given makes curl stop with CURLE_WRITE_ERROR. */
static size_t on_body(char *bytes, size_t one, size_t len, void *arg)
{
    (void)one;
    struct sl_http_call *call = arg;
    return sl_buf_append(&call->body, bytes, len) ? len : 0;
}

static void add_response_header(struct sl_http_call *call, struct sl_str line)
{
    const char *colon = memchr(line.ptr, ':', line.len);
    if (colon == NULL || colon == line.ptr || call->span_count == SL_HTTP_RESPONSE_HEADERS_MAX) {
        return;
    }
    struct sl_str value = line;
    const struct sl_str name = sl_str_trim(sl_str_cut(&value, ':'));
    value = sl_str_trim(value);
    if (name.len + 1 + value.len > call->head.len_max - call->head.len) {
        return;
    }
    struct sl_http_span *span = &call->spans[call->span_count++];
    *span = (struct sl_http_span){call->head.len, call->head.len + name.len + 1, value.len};
    for (size_t i = 0; i < name.len; i++) {
        const char byte = name.ptr[i];
        (void)sl_buf_append_char(&call->head, byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte);
    }
    (void)sl_buf_append_char(&call->head, '\0');
    (void)sl_buf_append_str(&call->head, value);
}

/* One line at a time. A status line begins a new head (after a 100 Continue); what follows the empty line are trailers.
 */
static size_t on_head(char *bytes, size_t one, size_t len, void *arg)
{
    (void)one;
    struct sl_http_call *call = arg;
    struct sl_str line = {.ptr = bytes, .len = len};
    while (line.len > 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r')) {
        line.len--;
    }
    if (line.len == 0) {
        call->head_ended = true;
    } else if (sl_str_starts_with(line, SL_STR("HTTP/"))) {
        sl_buf_reset(&call->head);
        call->span_count = 0;
        call->head_ended = false;
    } else if (!call->head_ended) {
        add_response_header(call, line);
    }
    return len;
}

#ifdef SLUICE_FAULTS
/* curl tells of bytes after it has written them. */
static int on_traffic(CURL *easy, curl_infotype type, char *bytes, size_t len, void *arg)
{
    (void)easy;
    (void)bytes;
    (void)len;
    (void)arg;
    sl_fault_if(type == CURLINFO_DATA_OUT, "http.after_send");
    return 0;
}

static void watch(CURL *easy)
{
    if (sl_fault_is_armed("http.after_send")) {
        SET(easy, CURLOPT_VERBOSE, 1L);
        SET(easy, CURLOPT_DEBUGFUNCTION, on_traffic);
    }
}
#else
static void watch(CURL *easy)
{
    (void)easy;
}
#endif

struct sl_http_call *sl_http_call_create(void)
{
    struct sl_http_call *call = sl_calloc(1, sizeof(*call));
    call->easy = curl_easy_init();
    SL_ASSERT(call->easy != NULL); /* only for want of memory */
    sl_buf_init(&call->head, HEADER_BYTES_MAX);
    sl_buf_init(&call->body, SL_HTTP_RESPONSE_BYTES_MAX);
    return call;
}

/* Forgets the request and the answer. Requests hold credentials, so they are wiped. */
static void clear(struct sl_http_call *call)
{
    curl_easy_reset(call->easy);
    for (struct curl_slist *item = call->request_headers; item != NULL; item = item->next) {
        sl_secret_wipe(item->data, strlen(item->data));
    }
    curl_slist_free_all(call->request_headers);
    call->request_headers = NULL;
    if (call->request_body != NULL) {
        sl_secret_wipe(call->request_body, call->request_body_len);
        free(call->request_body);
        call->request_body = NULL;
    }
    call->request_body_len = 0;
    call->begun = false;
    sl_buf_deinit(&call->head);
    sl_buf_deinit(&call->body);
    call->span_count = 0;
    call->head_ended = false;
    call->code = CURLE_OK;
    call->error_text[0] = '\0';
}

void sl_http_call_destroy(struct sl_http_call *call)
{
    clear(call);
    curl_easy_cleanup(call->easy);
    free(call);
}

/* RFC 9110, section 5.6.2. */
static bool is_token(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

static bool is_field_value(struct sl_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        const unsigned char byte = (unsigned char)value.ptr[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

bool sl_http_request_check(const struct sl_http_request *request, struct sl_err *err)
{
    SL_ASSERT(request->header_count <= SL_HTTP_HEADERS_MAX);
    SL_ASSERT(request->timeout_ms > 0 && request->connect_timeout_ms > 0);
    if (!is_token(request->method)) {
        return sl_err_set(err, SL_ERR_PERMANENT, "the request's method is not a word");
    }
    const size_t url_len = strlen(request->url);
    bool url_ok = url_len > 0 && url_len <= URL_BYTES_MAX;
    for (size_t i = 0; url_ok && i < url_len; i++) {
        url_ok = (unsigned char)request->url[i] > ' ' && request->url[i] != 0x7f;
    }
    if (!url_ok) {
        return sl_err_set(err, SL_ERR_PERMANENT, "the request's URL is empty, too long, or has blanks in it");
    }
    for (size_t i = 0; i < request->header_count; i++) {
        const struct sl_http_header *header = &request->headers[i];
        if (!is_token(header->name)) {
            return sl_err_set(err, SL_ERR_PERMANENT, "the name of a request header is not a word");
        }
        if (!is_field_value(header->value) || header->value.len > HEADER_BYTES_MAX) {
            return sl_err_set(err, SL_ERR_PERMANENT, "the request header %s is too long or has a line break in it",
                              header->name);
        }
    }
    return true;
}

static void add_header_line(struct sl_http_call *call, const char *line)
{
    struct curl_slist *list = curl_slist_append(call->request_headers, line);
    SL_ASSERT(list != NULL);
    call->request_headers = list;
}

static void set_headers(struct sl_http_call *call, const struct sl_http_request *request)
{
    bool has_content_type = false;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct sl_http_header *header = &request->headers[i];
        const size_t name_len = strlen(header->name);
        const size_t line_bytes = name_len + 2 + header->value.len + 1;
        char *line = sl_malloc(line_bytes);
        if (sl_str_empty(header->value)) {
            (void)snprintf(line, line_bytes, "%s;", header->name); /* curl's way to send it without a value */
        } else {
            (void)snprintf(line, line_bytes, "%s: ", header->name);
            memcpy(line + name_len + 2, header->value.ptr, header->value.len);
            line[line_bytes - 1] = '\0';
        }
        add_header_line(call, line);
        sl_secret_wipe(line, line_bytes);
        free(line);
        has_content_type =
            has_content_type || sl_str_equal_ignore_case(sl_str_of(header->name), SL_STR("content-type"));
    }
    add_header_line(call, "Expect:"); /* a 100 Continue would cost a round trip and can make curl send again */
    if (!has_content_type) {
        add_header_line(call, "Content-Type:"); /* else curl claims that a body is a form */
    }
    SET(call->easy, CURLOPT_HTTPHEADER, call->request_headers);
}

static void set_method(struct sl_http_call *call, const struct sl_http_request *request)
{
    CURL *easy = call->easy;
    const bool is_get = strcmp(request->method, "GET") == 0;
    const bool is_head = strcmp(request->method, "HEAD") == 0;
    const bool is_delete = strcmp(request->method, "DELETE") == 0;
    if (is_head) {
        SET(easy, CURLOPT_NOBODY, 1L);
    } else if (request->body.len > 0 || !(is_get || is_delete)) {
        call->request_body = sl_malloc(request->body.len + 1);
        call->request_body_len = request->body.len;
        if (request->body.len > 0) {
            memcpy(call->request_body, request->body.ptr, request->body.len);
        }
        SET(easy, CURLOPT_POST, 1L);
        SET(easy, CURLOPT_POSTFIELDS, call->request_body);
        SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        SET(easy, CURLOPT_CUSTOMREQUEST, request->method);
    } else {
        SET(easy, CURLOPT_HTTPGET, 1L);
        SET(easy, CURLOPT_CUSTOMREQUEST, request->method);
    }
    SET(easy, CURLOPT_FRESH_CONNECT, is_get || is_head ? 0L : 1L);
}

void sl_http_call_prepare(struct sl_http_call *call, const struct sl_http_request *request, const char *user_agent,
                          const char *ca_file, int64_t now_ms)
{
    CURL *easy = call->easy;
    call->started_ms = now_ms;
    call->deadline_ms = now_ms + request->timeout_ms;
    call->connect_timeout_ms = request->connect_timeout_ms;
    SET(easy, CURLOPT_PRIVATE, (void *)call);
    SET(easy, CURLOPT_ERRORBUFFER, call->error_text);
    SET(easy, CURLOPT_URL, request->url);
    SET(easy, CURLOPT_USERAGENT, user_agent);
    SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(easy, CURLOPT_PROXY, ""); /* not the environment's: where a call goes is said in the configuration */
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    SET(easy, CURLOPT_QUICK_EXIT, 1L); /* giving up must not wait for a name server that hangs */
    SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (ca_file != NULL) {
        SET(easy, CURLOPT_CAINFO, ca_file);
    }
    SET(easy, CURLOPT_PREREQFUNCTION, on_request_begins);
    SET(easy, CURLOPT_PREREQDATA, (void *)call);
    SET(easy, CURLOPT_HEADERFUNCTION, on_head);
    SET(easy, CURLOPT_HEADERDATA, (void *)call);
    SET(easy, CURLOPT_WRITEFUNCTION, on_body);
    SET(easy, CURLOPT_WRITEDATA, (void *)call);
    set_method(call, request);
    set_headers(call, request);
    watch(easy);
}

void sl_http_call_launch(struct sl_http_call *call, CURLM *multi, int64_t now_ms)
{
    const int64_t left_ms = call->deadline_ms > now_ms ? call->deadline_ms - now_ms : 1;
    SET(call->easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
    SET(call->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_timeout_ms);
    SL_ASSERT(curl_multi_add_handle(multi, call->easy) == CURLM_OK);
}

static const struct {
    const char *name;
    CURLcode code;
    enum sl_err_class error_class; /* of the call as it stands; whether it may be repeated is for `end` to say */
} CODES[] = {
    {"UNSUPPORTED_PROTOCOL", CURLE_UNSUPPORTED_PROTOCOL, SL_ERR_PERMANENT},
    {"URL_MALFORMAT", CURLE_URL_MALFORMAT, SL_ERR_PERMANENT},
    {"COULDNT_RESOLVE_HOST", CURLE_COULDNT_RESOLVE_HOST, SL_ERR_RETRY},
    {"COULDNT_CONNECT", CURLE_COULDNT_CONNECT, SL_ERR_RETRY},
    {"WEIRD_SERVER_REPLY", CURLE_WEIRD_SERVER_REPLY, SL_ERR_RETRY},
    {"PARTIAL_FILE", CURLE_PARTIAL_FILE, SL_ERR_RETRY},
    {"WRITE_ERROR", CURLE_WRITE_ERROR, SL_ERR_PERMANENT}, /* the answer is too large */
    {"OPERATION_TIMEDOUT", CURLE_OPERATION_TIMEDOUT, SL_ERR_RETRY},
    {"SSL_CONNECT_ERROR", CURLE_SSL_CONNECT_ERROR, SL_ERR_RETRY},
    {"ABORTED", CURLE_ABORTED_BY_CALLBACK, SL_ERR_RETRY}, /* sl_http_destroy */
    {"GOT_NOTHING", CURLE_GOT_NOTHING, SL_ERR_RETRY},
    {"SEND_ERROR", CURLE_SEND_ERROR, SL_ERR_RETRY},
    {"RECV_ERROR", CURLE_RECV_ERROR, SL_ERR_RETRY},
    {"PEER_FAILED_VERIFICATION", CURLE_PEER_FAILED_VERIFICATION, SL_ERR_RETRY},
    {"SSL_CACERT_BADFILE", CURLE_SSL_CACERT_BADFILE, SL_ERR_RETRY},
};

static void explain(const struct sl_http_call *call, CURLcode code, enum sl_http_end end, struct sl_err *err)
{
    char number[16];
    (void)snprintf(number, sizeof(number), "CURLE_%d", (int)code);
    const char *name = number;
    enum sl_err_class error_class = SL_ERR_RETRY;
    for (size_t i = 0; i < SL_ARRAY_LEN(CODES); i++) {
        if (CODES[i].code == code) {
            name = CODES[i].name;
            error_class = CODES[i].error_class;
        }
    }
    (void)sl_err_set(err, error_class, "%s",
                     end == SL_HTTP_NOT_SENT ? "the request was not sent" : "no whole answer to the request");
    sl_err_code(err, name);
    if (call->body.overflow) {
        sl_err_detail(err, "the answer is longer than %zu bytes", SL_HTTP_RESPONSE_BYTES_MAX);
    } else {
        sl_err_detail(err, "%s", call->error_text[0] != '\0' ? call->error_text : curl_easy_strerror(code));
    }
}

void sl_http_call_finish(struct sl_http_call *call, int64_t now_ms)
{
    CURLcode code = call->code;
    struct sl_http_response response = {.end = SL_HTTP_ANSWERED, .took_ms = now_ms - call->started_ms};
    struct sl_err err = {0};
    long status = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if ((code == CURLE_OK && (status < 100 || !call->begun)) || (code == CURLE_UNSUPPORTED_PROTOCOL && call->begun)) {
        code = CURLE_WEIRD_SERVER_REPLY; /* the second is what curl says of an answer that begins like no HTTP */
    }
    if (code != CURLE_OK) {
        response.end = call->begun ? SL_HTTP_UNKNOWN : SL_HTTP_NOT_SENT;
        explain(call, code, response.end, &err);
        response.err = &err;
    } else {
        response.status = (int)status;
        response.body = sl_buf_str(&call->body);
        response.header_count = call->span_count;
        for (size_t i = 0; i < call->span_count; i++) {
            const struct sl_http_span *span = &call->spans[i];
            response.headers[i].name = call->head.data + span->name_at;
            response.headers[i].value =
                (struct sl_str){.ptr = call->head.data + span->value_at, .len = span->value_len};
        }
    }
    call->done(call->arg, &response);
    clear(call);
}

struct sl_str sl_http_header_of(const struct sl_http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++) {
        if (strcmp(response->headers[i].name, name) == 0) {
            return response->headers[i].value;
        }
    }
    return SL_STR_NONE;
}
