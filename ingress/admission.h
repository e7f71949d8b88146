/* admission.h - may this request come in? Decisions from counters alone: draining, bytes in flight, and how often an
 * address asks.
 *
 * Every request enters once and leaves once; bytes are reserved as they arrive and released together with the request.
 * What one address may hold is counted in a fixed number of cells, chosen by a seeded hash: two that meet in a cell
 * share. Any thread (one lock inside); time is an argument.
 */
#ifndef INGRESS_ADMISSION_H
#define INGRESS_ADMISSION_H

#include "ingress/address.h"

enum admission_kind { ADMISSION_ANY = 0, ADMISSION_EARLY_ACCESS, ADMISSION_KIND_COUNT };

struct admission_limits {
    int64_t in_flight_bytes_max;
    int64_t address_bytes_max;       /* of those, what the requests of one address may hold */
    int64_t rate_per_address;        /* requests a second; 0: no limit */
    int64_t early_access_per_minute; /* an address */
};

struct admission;

SL_MUST_CHECK struct admission *admission_create(const struct admission_limits *limits, uint64_t seed);
void admission_destroy(struct admission *admission); /* accepts NULL */
void admission_set_limits(struct admission *admission, const struct admission_limits *limits);

/* From now on new work is refused. */
void admission_drain(struct admission *admission);
bool admission_is_draining(struct admission *admission);

void admission_enter(struct admission *admission);
/* Releases what the request had reserved under the same address. */
void admission_leave(struct admission *admission, struct address client, int64_t reserved_bytes);
/* False: no room, nothing reserved. */
SL_MUST_CHECK bool admission_reserve(struct admission *admission, struct address client, int64_t bytes);
/* True when `bytes` more would fit right now; nothing is reserved. */
bool admission_has_room(struct admission *admission, struct address client, int64_t bytes);

/* 0: go on; else seconds to wait (at least 1), for Retry-After. */
int admission_wait_s(struct admission *admission, enum admission_kind kind, struct address client, int64_t now_us);

int64_t admission_requests(struct admission *admission);
int64_t admission_bytes(struct admission *admission);

#endif
