/* address.c - see address.h. */
#include "ingress/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define MAPPED_BITS 96 /* ::ffff:0:0/96, RFC 4291, 2.5.5.2 */

static const uint8_t MAPPED_PREFIX[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_mapped(struct address address)
{
    return memcmp(address.bytes, MAPPED_PREFIX, sizeof(MAPPED_PREFIX)) == 0;
}

static struct address mapped(const void *ipv4)
{
    struct address address;
    memcpy(address.bytes, MAPPED_PREFIX, sizeof(MAPPED_PREFIX));
    memcpy(address.bytes + sizeof(MAPPED_PREFIX), ipv4, 4);
    return address;
}

bool address_parse(struct sl_str text, struct address *ret_address)
{
    char copy[ADDRESS_TEXT_BYTES];
    uint8_t ipv4[4];
    struct address address;
    if (text.len >= sizeof(copy) || text.len == 0 || memchr(text.ptr, '\0', text.len))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, ipv4) == 1)
        address = mapped(ipv4);
    else if (inet_pton(AF_INET6, copy, address.bytes) != 1)
        return false;
    *ret_address = address;
    return true;
}

struct address address_of(const struct sockaddr *socket_address)
{
    struct address address = {{0}};
    if (socket_address && socket_address->sa_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, socket_address, sizeof(ipv4));
        address = mapped(&ipv4.sin_addr);
    } else if (socket_address && socket_address->sa_family == AF_INET6) {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, socket_address, sizeof(ipv6));
        memcpy(address.bytes, &ipv6.sin6_addr, sizeof(address.bytes));
    }
    return address;
}

void address_format(struct address address, char ret_text[ADDRESS_TEXT_BYTES])
{
    const char *text = is_mapped(address)
                           ? inet_ntop(AF_INET, address.bytes + sizeof(MAPPED_PREFIX), ret_text, ADDRESS_TEXT_BYTES)
                           : inet_ntop(AF_INET6, address.bytes, ret_text, ADDRESS_TEXT_BYTES);
    SL_ASSERT(text != NULL);
}

struct address address_limit_key(struct address address)
{
    if (!is_mapped(address))
        memset(address.bytes + 8, 0, 8);
    return address;
}

static bool network_parse(struct sl_str text, struct network *ret_network)
{
    struct sl_str rest = text;
    struct sl_str host = sl_str_cut(&rest, '/');
    struct network network;
    if (!address_parse(host, &network.address))
        return false;
    bool ipv4 = is_mapped(network.address) && memchr(host.ptr, ':', host.len) == NULL;
    int64_t bits = ipv4 ? 32 : 128;
    if (host.len != text.len) {
        int64_t given = 0;
        if (!sl_str_to_int64(rest, &given) || given < 0 || given > bits)
            return false;
        bits = given;
    }
    network.prefix_bits = (unsigned)bits + (ipv4 ? MAPPED_BITS : 0);
    *ret_network = network;
    return true;
}

bool networks_parse(struct sl_str comma_separated, struct networks *ret_networks, struct sl_err *err)
{
    struct networks networks = {.count = 0};
    while (!sl_str_empty(comma_separated)) {
        struct sl_str item = sl_str_trim(sl_str_cut(&comma_separated, ','));
        if (sl_str_empty(item))
            continue;
        if (networks.count == ADDRESS_NETWORKS_MAX)
            return sl_err_set(err, SL_ERR_PERMANENT, "more than %d networks", ADDRESS_NETWORKS_MAX);
        if (!network_parse(item, &networks.items[networks.count++]))
            return sl_err_set(err, SL_ERR_PERMANENT,
                              "\"%" SL_STR_FMT "\" is neither an address nor a network like 10.0.0.0/8",
                              SL_STR_ARG(item));
    }
    *ret_networks = networks;
    return true;
}

static bool network_contains(const struct network *network, struct address address)
{
    unsigned whole = network->prefix_bits / 8;
    unsigned rest = network->prefix_bits % 8;
    if (memcmp(network->address.bytes, address.bytes, whole) != 0)
        return false;
    unsigned mask = 0xffU << (8 - rest) & 0xffU;
    return rest == 0 || ((network->address.bytes[whole] ^ address.bytes[whole]) & mask) == 0;
}

bool networks_contain(const struct networks *networks, struct address address)
{
    for (size_t i = 0; i < networks->count; i++) {
        if (network_contains(&networks->items[i], address))
            return true;
    }
    return false;
}

/* The last item of a comma-separated list, which loses it. */
static struct sl_str cut_last(struct sl_str *list)
{
    size_t start = list->len;
    while (start > 0 && list->ptr[start - 1] != ',')
        start--;
    struct sl_str item = {.ptr = list->ptr + start, .len = list->len - start};
    list->len = start > 0 ? start - 1 : 0;
    return sl_str_trim(item);
}

struct address address_of_client(struct address peer, const struct headers *headers, const struct networks *trusted)
{
    struct address client = peer;
    for (size_t i = headers->count; i-- > 0;) {
        struct sl_str list = headers->items[i].value;
        if (!sl_str_equal_ignore_case(headers->items[i].name, SL_STR("x-forwarded-for")))
            continue;
        while (!sl_str_empty(list)) {
            struct address hop;
            if (!networks_contain(trusted, client) || !address_parse(cut_last(&list), &hop))
                return client;
            client = hop;
        }
    }
    return client;
}

/* The finaliser of MurmurHash3, over both halves. */
uint64_t address_hash(struct address address, uint64_t seed)
{
    uint64_t hash = seed;
    for (size_t i = 0; i < 2; i++) {
        uint64_t half;
        memcpy(&half, address.bytes + 8 * i, sizeof(half));
        hash ^= half;
        hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
        hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
        hash ^= hash >> 33;
    }
    return hash;
}
