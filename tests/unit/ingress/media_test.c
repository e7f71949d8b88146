/* media_test.c - of ingress/media.c. */
#include "tests/unit/web/check.h"

#include "ingress/media.h"

static const struct {
    const char *field;
    enum media_type type;
} ROWS[] = {
    {"", MEDIA_NONE},
    {"application/json", MEDIA_JSON},
    {"Application/JSON", MEDIA_JSON},
    {"application/json; charset=utf-8", MEDIA_JSON},
    {"application/json;charset=\"UTF-8\"", MEDIA_JSON},
    {"application/json; charset=latin1", MEDIA_OTHER},
    {"application/json ; x=y", MEDIA_JSON},
    {"application/x-www-form-urlencoded", MEDIA_FORM},
    {"text/plain", MEDIA_OTHER},
    {"application/jsonp", MEDIA_OTHER},
    {"application/json, text/plain", MEDIA_OTHER},
    {";", MEDIA_OTHER},
    {"application/cloudevents+json", MEDIA_OTHER},
};

static void types_are_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        if (media_type_of(sl_str_of(ROWS[i].field)) != ROWS[i].type)
            fail_msg("row %zu: %s", i, ROWS[i].field);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(types_are_told_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
