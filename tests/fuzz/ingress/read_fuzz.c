/* read_fuzz.c - any body: what a reader takes is fit to be published, what it refuses is answered with a problem.
 *
 * Input: one byte that chooses the reader, then the body.
 */
#include "common/event.h"
#include "ingress/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS INT64_C(1763712000000)

static struct sl_str nobody(void *directory, struct sl_str customer, struct sl_arena *arena)
{
    (void)directory;
    (void)customer;
    (void)arena;
    return SL_STR_NONE;
}

/* What the envelope asks of its attributes. */
static void expect_publishable(const struct reading *reading, struct sl_arena *arena)
{
    struct sl_event event = {.id = reading->id,
                             .source = SL_STR("/webhooks/test"),
                             .type = reading->type,
                             .subject = reading->subject,
                             .content_type = SL_STR("application/json"),
                             .data = reading->data,
                             .time_ms = reading->time_ms,
                             .received_at_ms = NOW_MS};
    struct sl_event_header headers[SL_EVENT_HEADERS_MAX];
    struct sl_event again;
    struct sl_err err = {0};
    event.partition_key = key_choose(&reading->key, reading->id, nobody, NULL, arena);
    SL_ASSERT(key_is_usable(event.partition_key) || sl_str_equal(event.partition_key, reading->id));
    size_t count = sl_event_encode(&event, arena, headers);
    SL_ASSERT(sl_event_decode(headers, count, event.partition_key, event.data, NOW_MS, &again, &err));
    SL_ASSERT(sl_str_equal(again.id, event.id) && sl_str_equal(again.type, event.type));
    SL_ASSERT(sl_str_equal(again.subject, event.subject));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    static struct sl_seal_ring *ring; /* for the process's life */
    if (!ring)
        SL_ASSERT(sl_seal_ring_create(SL_STR("k:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="), &ring, NULL));
    size_t command_count = 0;
    const struct command *commands = commands_table(&command_count);
    const struct source *source = source_at((enum source_id)(data[0] % SOURCE_COUNT));
    struct sl_arena *arena = sl_arena_create((size_t)64 << 20);
    struct headers headers = {.count = 0};
    SL_ASSERT(headers_add(&headers, SL_STR("webhook-id"), SL_STR("msg_1")));
    SL_ASSERT(headers_add(&headers, SL_STR("x-github-event"), SL_STR("push")));
    SL_ASSERT(headers_add(&headers, SL_STR("x-github-delivery"), SL_STR("d-1")));
    if (data[0] & 0x80)
        SL_ASSERT(headers_add(&headers, SL_STR("content-type"), SL_STR("application/x-www-form-urlencoded")));
    struct read_request request = {.headers = &headers,
                                   .body = {.ptr = (const char *)data + 1, .len = size - 1},
                                   .user_id = SL_STR("user-1"),
                                   .fresh_id = SL_STR("fresh"),
                                   .ce_source = sl_str_of(source->ce_source),
                                   .ring = ring,
                                   .received_at_ms = NOW_MS,
                                   .arena = arena};
    request.command = source->id == SOURCE_EARLY_ACCESS ? commands_find(SL_STR("early_access.join"))
                                                        : &commands[(data[0] / SOURCE_COUNT) % command_count];
    struct reading reading;
    struct problem problem = {.code = PROBLEM_NONE};
    if (source->read(&request, &reading, &problem)) {
        expect_publishable(&reading, arena);
    } else {
        SL_ASSERT(problem.code == PROBLEM_INVALID_JSON || problem.code == PROBLEM_INVALID_EVENT ||
                  problem.code == PROBLEM_INVALID_COMMAND);
    }
    sl_arena_destroy(arena);
    return 0;
}
