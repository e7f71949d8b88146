/* form_test.c - of ingress/form.c. */
#include "tests/unit/web/check.h"

#include "ingress/form.h"

static const struct {
    const char *body, *value; /* NULL: refused */
} ROWS[] = {
    {"payload=%7B%22a%22%3A1%7D", "{\"a\":1}"},
    {"x=1&payload=a+b", "a b"},
    {"payload=first&payload=second", "first"},
    {"payload=", ""},
    {"payload", ""},
    {"payloads=1", NULL},
    {"", NULL},
    {"payload=%7", NULL},
    {"payload=%zz", NULL},
    {"payload=%", NULL},
    {"payload=%c3%A9", "\xc3\xa9"},
};

static void fields_are_decoded(void **state)
{
    (void)state;
    struct sl_arena *arena = sl_arena_create(1 << 20);
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct sl_str value = SL_STR("untouched");
        bool ok = form_get(sl_str_of(ROWS[i].body), "payload", arena, &value);
        if (ok != (ROWS[i].value != NULL))
            fail_msg("row %zu: %s", i, ROWS[i].body);
        assert_str(value, ok ? ROWS[i].value : "untouched");
    }
    sl_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fields_are_decoded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
