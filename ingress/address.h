/* address.h - who is at the other end: addresses, the networks of trusted proxies, and X-Forwarded-For.
 *
 * IPv4 is kept mapped into IPv6, so that there is one form. Plain values, pure; any thread.
 */
#ifndef INGRESS_ADDRESS_H
#define INGRESS_ADDRESS_H

#include "common/err.h"
#include "common/str.h"
#include "web/headers.h"

struct sockaddr;

#define ADDRESS_TEXT_BYTES   46
#define ADDRESS_NETWORKS_MAX 32

struct address {
    uint8_t bytes[16];
};

struct network {
    struct address address;
    unsigned prefix_bits; /* of 128 */
};

struct networks {
    struct network items[ADDRESS_NETWORKS_MAX];
    size_t count;
};

SL_MUST_CHECK bool address_parse(struct sl_str text, struct address *ret_address);
/* All zero for a family other than IPv4 and IPv6. */
struct address address_of(const struct sockaddr *socket_address);
void address_format(struct address address, char ret_text[ADDRESS_TEXT_BYTES]);
/* What a rate limit counts by: an IPv4 address, or the /64 that an IPv6 subscriber has to himself. */
struct address address_limit_key(struct address address);
/* Alike for the same address and seed, else spread over all values. */
uint64_t address_hash(struct address address, uint64_t seed);

/* "10.0.0.0/8, ::1, 192.168.1.7". PERMANENT naming the first bad item. */
SL_MUST_CHECK bool networks_parse(struct sl_str comma_separated, struct networks *ret_networks, struct sl_err *err);
bool networks_contain(const struct networks *networks, struct address address);

/* The client behind trusted proxies: from the right, the first address that none of them has written for another proxy.
 * An entry that is no address ends the search. */
struct address address_of_client(struct address peer, const struct headers *headers, const struct networks *trusted);

#endif
