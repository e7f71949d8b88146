/* reply.h - a cloud's reply for tests, from literals. */
#ifndef SUPPORT_REPLY_H
#define SUPPORT_REPLY_H

#include <string.h>

#include "common/http.h"

/* `headers`: "name: value\n…" with names in lower case, or NULL. Status 0: no answer came back; -1: nothing was sent.
 * Borrowed literals. */
static inline struct sl_http_response reply_of(int status, const char *headers, const char *body)
{
    static const struct sl_err lost = {.error_class = SL_ERR_RETRY, .message = "connection reset"};
    struct sl_http_response response = {.end = status > 0    ? SL_HTTP_ANSWERED
                                               : status == 0 ? SL_HTTP_UNKNOWN
                                                             : SL_HTTP_NOT_SENT};
    if (status <= 0) {
        response.err = &lost;
        return response;
    }
    response.status = status;
    response.body = sl_str_of(body);
    struct sl_str rest = sl_str_of(headers);
    while (rest.len > 0) {
        struct sl_str line = sl_str_cut(&rest, '\n');
        const char *colon = memchr(line.ptr, ':', line.len);
        size_t name_len = (size_t)(colon - line.ptr);
        static char names[SL_HTTP_RESPONSE_HEADERS_MAX][64];
        size_t index = response.header_count++;
        memcpy(names[index], line.ptr, name_len);
        names[index][name_len] = '\0';
        response.headers[index].name = names[index];
        response.headers[index].value = sl_str_trim((struct sl_str){.ptr = colon + 1, .len = line.len - name_len - 1});
    }
    return response;
}

#endif
