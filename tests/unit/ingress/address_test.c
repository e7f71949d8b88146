/* address_test.c - of ingress/address.c. */
#include "tests/unit/web/check.h"

#include "ingress/address.h"

static struct address at(const char *text)
{
    struct address address;
    assert_true(address_parse(sl_str_of(text), &address));
    return address;
}

static void addresses_go_there_and_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"127.0.0.1", "10.1.2.3", "::1", "2001:db8::5"};
    char text[ADDRESS_TEXT_BYTES];
    struct address address;
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++) {
        address_format(at(texts[i]), text);
        assert_string_equal(text, texts[i]);
    }
    assert_false(address_parse(SL_STR("10.1.2"), &address));
    assert_false(address_parse(SL_STR("10.1.2.3:80"), &address));
    assert_false(address_parse(SL_STR(""), &address));
    assert_false(address_parse(SL_STR("unknown"), &address));
}

static void a_subscriber_of_ipv6_is_a_64(void **state)
{
    (void)state;
    struct address a = address_limit_key(at("2001:db8:1:2::5"));
    struct address b = address_limit_key(at("2001:db8:1:2:ffff::9"));
    struct address c = address_limit_key(at("2001:db8:1:3::5"));
    assert_memory_equal(&a, &b, sizeof(a));
    assert_memory_not_equal(&a, &c, sizeof(a));
    a = address_limit_key(at("10.0.0.1"));
    b = address_limit_key(at("10.0.0.2"));
    assert_memory_not_equal(&a, &b, sizeof(a));
}

static const struct {
    const char *networks, *address;
    bool inside;
} ROWS[] = {
    {"10.0.0.0/8", "10.255.0.1", true},
    {"10.0.0.0/8", "11.0.0.1", false},
    {"10.0.0.0/9", "10.128.0.0", false},
    {"10.0.0.0/9", "10.127.9.9", true},
    {"192.168.1.7", "192.168.1.7", true},
    {"192.168.1.7", "192.168.1.6", false},
    {"::1, 10.0.0.0/8", "::1", true},
    {"0.0.0.0/0", "1.2.3.4", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"::/0", "1.2.3.4", true},
    {"2001:db8::/33", "2001:db8:8000::1", false},
    {"", "1.2.3.4", false},
};

static void networks_contain_what_they_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct networks networks;
        assert_true(networks_parse(sl_str_of(ROWS[i].networks), &networks, NULL));
        if (networks_contain(&networks, at(ROWS[i].address)) != ROWS[i].inside)
            fail_msg("row %zu: %s in %s", i, ROWS[i].address, ROWS[i].networks);
    }
}

static void bad_networks_are_named(void **state)
{
    (void)state;
    static const char *const texts[] = {"10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/x", "10.0.0.0/", "host", "::/129"};
    struct networks networks;
    struct sl_err err;
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++) {
        memset(&err, 0, sizeof(err));
        assert_false(networks_parse(sl_str_of(texts[i]), &networks, &err));
        assert_non_null(strstr(err.message, texts[i]));
    }
}

static const struct {
    const char *peer, *first, *second, *client; /* two X-Forwarded-For fields */
} CLIENTS[] = {
    {"203.0.113.9", "1.1.1.1", NULL, "203.0.113.9"},        /* not from a proxy of ours: a forgery */
    {"10.0.0.1", "1.1.1.1", NULL, "1.1.1.1"},               /* one proxy */
    {"10.0.0.1", "6.6.6.6, 1.1.1.1", NULL, "1.1.1.1"},      /* what the client wrote itself isn't looked at */
    {"10.0.0.1", "1.1.1.1, 10.0.0.2", NULL, "1.1.1.1"},     /* two proxies */
    {"10.0.0.1", "6.6.6.6", "1.1.1.1,10.0.0.2", "1.1.1.1"}, /* in two fields */
    {"10.0.0.1", "1.1.1.1, junk", NULL, "10.0.0.1"},        /* unreadable: the last known */
    {"10.0.0.1", NULL, NULL, "10.0.0.1"},
};

static void the_client_is_found_behind_trusted_proxies(void **state)
{
    (void)state;
    struct networks trusted;
    assert_true(networks_parse(SL_STR("10.0.0.0/8"), &trusted, NULL));
    for (size_t i = 0; i < SL_ARRAY_LEN(CLIENTS); i++) {
        struct headers headers = {.count = 0};
        char text[ADDRESS_TEXT_BYTES];
        if (CLIENTS[i].first)
            assert_true(headers_add(&headers, SL_STR("X-Forwarded-For"), sl_str_of(CLIENTS[i].first)));
        if (CLIENTS[i].second)
            assert_true(headers_add(&headers, SL_STR("x-forwarded-for"), sl_str_of(CLIENTS[i].second)));
        address_format(address_of_client(at(CLIENTS[i].peer), &headers, &trusted), text);
        assert_string_equal(text, CLIENTS[i].client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_go_there_and_back),
        cmocka_unit_test(a_subscriber_of_ipv6_is_a_64),
        cmocka_unit_test(networks_contain_what_they_say),
        cmocka_unit_test(bad_networks_are_named),
        cmocka_unit_test(the_client_is_found_behind_trusted_proxies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
