/* target_test.c - of web/target.c. */
#include "tests/unit/web/check.h"

#include "web/target.h"

static const struct {
    const char *target;
    bool is_plain;
} ROWS[] = {
    {"/", true},
    {"", true},
    {"/api/agents", true},
    {"/api/a%20b%c3%a9", true},
    {"/api?user=a%2fb%00", true}, /* a query is not a path */
    {"/webhooks/stripe%00", false},
    {"/webhooks/stripe%00/x", false},
    {"/webhooks%2fstripe", false},
    {"/webhooks%2Fstripe", false},
    {"http://door/webhooks/stripe%00", false},
    {"/a%", false},
    {"/a%2", false},
    {"/a%zz", false},
    {"/a%?x=1", false},
};

static void rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        if (target_is_plain(ROWS[i].target) != ROWS[i].is_plain)
            fail_msg("%s", ROWS[i].target);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
