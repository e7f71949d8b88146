/* cloud.h - what the clouds have in common: a descriptor each, the request a call is built in, and how to read their
 * limits and errors.
 *
 * Everything in this folder is pure: a request function writes a request from its arguments, a reply function reads a
 * reply. Nobody here sends, waits, retries or judges: worker/execute does. Any thread; time is an argument.
 */
#ifndef CLOUDS_CLOUD_H
#define CLOUDS_CLOUD_H

#include "common/config.h"
#include "common/http.h"

enum cloud_id {
    CLOUD_NONE = 0,
    CLOUD_HETZNER,
    CLOUD_TAILSCALE,
    CLOUD_GITHUB,
    CLOUD_PROVISIONER,
    CLOUD_RESEND,
    CLOUD_STRIPE,
    CLOUD_GRAPH,
    CLOUD_COUNT
};

/* How a cloud is reached, as configured. Strings are borrowed from whoever made it; those that a cloud doesn't know are
 * empty. */
struct cloud_account {
    const char *base_url; /* without a slash at the end */
    struct sl_str token;  /* of the Authorization header */
    const char *tailnet;  /* Tailscale; "-" is the token's own */
    struct sl_str oauth_client_id, oauth_client_secret;
    const char *owner, *repo, *workflow, *ref; /* GitHub */
    const char *api_version;                   /* GitHub, Stripe */
    const char *app_url;                       /* where the workflow calls back, without a slash at the end */
    const char *from;                          /* Resend: the sender of e-mails */
    int connect_timeout_ms, timeout_ms;
};

#define CLOUD_URL_BYTES_MAX  2048
#define CLOUD_BODY_BYTES_MAX ((size_t)256 * 1024)
#define CLOUD_KEY_BYTES      128 /* of an Idempotency-Key, NUL included */

/* A request under construction and the memory it points into: not to be copied. */
struct cloud_request {
    struct sl_http_request http;
    size_t path_at; /* where the path starts in http.url: what may be recorded */
    struct sl_buf url, authorization, body;
    char idempotency_key[CLOUD_KEY_BYTES];
};
void cloud_request_init(struct cloud_request *request);
/* Wipes what was built: after it was sent, or when it won't be. The memory is kept for the next one. */
void cloud_request_forget(struct cloud_request *request);
void cloud_request_deinit(struct cloud_request *request); /* wipes the credentials; idempotent */

/* What the headers of a reply say about further requests. */
struct cloud_limits {
    bool known; /* limit and remaining were given */
    int64_t limit, remaining;
    int64_t reset_at_ms;    /* Unix time at which all of `limit` is there again; 0: not said */
    int64_t refill_ms;      /* one more request each so many milliseconds; 0: all at once at reset_at_ms */
    int64_t retry_after_ms; /* from now; -1: not said */
};

/* Whether the cloud wants the same request once more: its word goes before what the code or status would mean. */
enum cloud_advice { CLOUD_ADVICE_NONE = 0, CLOUD_ADVICE_REPEAT, CLOUD_ADVICE_GIVE_UP };

/* What a refusal says: the cloud's own code ("locked"), or empty, and its message cut to fit. */
struct cloud_error {
    char code[64];
    char message[200];
    enum cloud_advice advice;
};

/* A setting without which a cloud can't be called; it isn't needed where the key `instead` is set. */
struct cloud_setting {
    const char *key;
    const char *variable;
    const char *instead;
};

struct cloud {
    enum cloud_id id;
    const char *name;    /* "hetzner": in metrics, cloud_state, job_calls */
    const char *section; /* of the configuration: "cloud hetzner" */
    const struct cloud_setting *required;
    size_t required_count;
    void (*read_limits)(const struct sl_http_response *response, int64_t now_ms, struct cloud_limits *ret_limits);
    void (*read_error)(const struct sl_http_response *response, struct cloud_error *ret_error);
};

/* The descriptor of a cloud; `id` is one of the clouds (asserted). Static. */
const struct cloud *cloud_of(enum cloud_id id);

/* The environment variable of the first required setting that is missing, or NULL when the cloud can be called. Static.
 */
const char *cloud_missing_variable(const struct cloud *cloud, const struct sl_config *config);

/* For the request functions of this folder. Starts `request`: method, base URL + path as printed, deadlines, and
 * the Authorization header "Bearer <token>" unless the token is empty. False when the URL doesn't fit. */
SL_MUST_CHECK bool cloud_request_start(struct cloud_request *request, const struct cloud_account *account,
                                       const char *method, struct sl_err *err, const char *path_format, ...)
    SL_PRINTF(5, 6);
/* Appends to the URL, percent-encoded but for the unreserved characters of RFC 3986, section 2.3. */
void cloud_request_encoded(struct cloud_request *request, struct sl_str text);
void cloud_request_plain(struct cloud_request *request, const char *text);
/* One more header; `value` must outlive the request. */
void cloud_request_header(struct cloud_request *request, const char *name, struct sl_str value);
/* The header Idempotency-Key; `key` is copied, and shorter than CLOUD_KEY_BYTES (asserted). */
void cloud_request_idempotency_key(struct cloud_request *request, struct sl_str key);
/* For bodies of application/x-www-form-urlencoded: one more member. `name` goes out as it is, `value` encoded. */
void cloud_body_form(struct cloud_request *request, const char *name, struct sl_str value);
/* For JSON bodies: appends `"name":"value"`, with a comma before it where a member or an element stands before. */
void cloud_body_text(struct cloud_request *request, const char *name, struct sl_str value);
/* Appends `"name":`, likewise. */
void cloud_body_name(struct cloud_request *request, const char *name);
/* Ends it: points http.url and http.body at what was built. False when something didn't fit. */
SL_MUST_CHECK bool cloud_request_finish(struct cloud_request *request, struct sl_err *err);

/* An id that may stand in a path: 1 to `len_max` letters and digits (`digits_only`: digits). */
bool cloud_id_is_safe(struct sl_str id, size_t len_max, bool digits_only);

/* Retry-After (RFC 9110, section 10.2.3: seconds or a date) in ms from now, or -1. */
int64_t cloud_retry_after_ms(const struct sl_http_response *response, int64_t now_ms);
/* A header as a non-negative integer; false when absent or anything else. */
SL_MUST_CHECK bool cloud_header_int(const struct sl_http_response *response, const char *name, int64_t *ret_value);

/* A header of Unix seconds at which a budget is whole again, in ms; 0 when absent or anything else, and when it is more
 * than a day ahead: nobody may keep us away for longer by a slip. */
int64_t cloud_reset_at_ms(const struct sl_http_response *response, const char *name, int64_t now_ms);

/* Copies text into a fixed array, cut at its size; control characters become blanks. */
void cloud_copy(char *ret_text, size_t bytes, struct sl_str text);

#endif
