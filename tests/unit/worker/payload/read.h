/* read.h - one event read by payload/, for the tests of its readers. */
#ifndef PAYLOAD_READ_H
#define PAYLOAD_READ_H

#include <stdio.h>

#include "tests/unit/cmocka_all.h"
#include "worker/payload/payload.h"

struct reading {
    struct sl_arena *arena;
    struct input input;
    struct sl_err err;
    bool ok;
};

static inline struct reading read_event(const struct sl_event *event)
{
    struct reading reading = {.arena = sl_arena_create(1024 * 1024)};
    reading.ok = payload_read(event, reading.arena, &reading.input, &reading.err);
    return reading;
}

static inline struct reading read_body(const char *type, const char *source, const char *body)
{
    const struct sl_event event = {
        .id = SL_STR("e-1"),
        .source = sl_str_of(source),
        .type = sl_str_of(type),
        .content_type = SL_STR("application/json"),
        .data = sl_str_of(body),
        .time_ms = 1700000000000,
        .received_at_ms = 1700000001000,
    };
    return read_event(&event);
}

static inline void done(struct reading *reading)
{
    sl_arena_destroy(reading->arena);
}

#endif
