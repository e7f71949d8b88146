/* check.h - what the tests of web, ingress and console include: cmocka with the headers it wants, and comparing of
 * strings. */
#ifndef TESTS_WEB_CHECK_H
#define TESTS_WEB_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/str.h"

/* Shows both texts when they differ. */
#define assert_str(actual, expected)                                                                                   \
    do {                                                                                                               \
        struct sl_str check_text = (actual);                                                                           \
        char check_copy[4096];                                                                                         \
        assert_true(check_text.len < sizeof(check_copy));                                                              \
        if (check_text.len > 0)                                                                                        \
            memcpy(check_copy, check_text.ptr, check_text.len);                                                        \
        check_copy[check_text.len] = '\0';                                                                             \
        assert_string_equal(check_copy, (expected));                                                                   \
    } while (0)

#endif
