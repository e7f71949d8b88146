/* arena_test.c - lifetimes, alignment, the limit, and what reset keeps. */
#include "tests/unit/cmocka_all.h"

#include <stdalign.h>

#include "common/arena.h"

static void memory_is_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct sl_arena *arena = sl_arena_create(1 << 20);
    unsigned char *before = NULL;
    for (size_t bytes = 1; bytes < 300; bytes++) {
        unsigned char *memory = sl_arena_alloc(arena, 1, bytes);
        assert_int_equal((uintptr_t)memory % alignof(max_align_t), 0);
        for (size_t i = 0; i < bytes; i++) {
            assert_int_equal(memory[i], 0);
        }
        memset(memory, 0xAA, bytes);
        assert_ptr_not_equal(memory, before);
        before = memory;
    }
    assert_non_null(sl_arena_alloc(arena, 0, 8));
    sl_arena_destroy(arena);
    sl_arena_destroy(NULL);
}

static void reset_frees_all_and_memory_is_zeroed_again(void **state)
{
    (void)state;
    struct sl_arena *arena = sl_arena_create(1 << 20);
    for (int round = 0; round < 100; round++) { /* far more than the maximum altogether */
        unsigned char *memory = sl_arena_alloc(arena, 1, 200000);
        assert_int_equal(memory[0] | memory[199999], 0);
        memset(memory, 0xFF, 200000);
        assert_int_equal(sl_arena_used_bytes(arena), 200000);
        sl_arena_reset(arena);
        assert_int_equal(sl_arena_used_bytes(arena), 0);
    }
    sl_arena_destroy(arena);
}

static void an_outsized_chunk_is_not_kept(void **state)
{
    (void)state;
    struct sl_arena *arena = sl_arena_create((size_t)8 << 20);
    (void)sl_arena_alloc(arena, 1, 100);
    (void)sl_arena_alloc(arena, 1, (size_t)7 << 20);
    sl_arena_reset(arena);
    /* Were it kept, this would not fit beside it. */
    for (int i = 0; i < 4; i++) {
        (void)sl_arena_alloc(arena, 1, (size_t)3 << 19);
    }
    sl_arena_destroy(arena);
}

static void strings_are_copies_with_a_nul_behind(void **state)
{
    (void)state;
    struct sl_arena *arena = sl_arena_create(4096);
    char text[] = "grace";
    const struct sl_str copy = sl_arena_str(arena, sl_str_of(text));
    const char *cstr = sl_arena_cstr(arena, (struct sl_str){.ptr = text, .len = 2});
    text[0] = 'X';
    assert_str_is(copy, "grace");
    assert_int_equal(copy.ptr[copy.len], '\0');
    assert_string_equal(cstr, "gr");
    assert_string_equal(sl_arena_cstr(arena, SL_STR_NONE), "");
    assert_str_is(sl_arena_printf(arena, "%s-%d", "agent", 7), "agent-7");
    assert_str_is(sl_arena_printf(arena, "%s", ""), "");
    sl_arena_destroy(arena);
}

static void exhaust(void *argument)
{
    for (int i = 0; i < 11; i++) {
        (void)sl_arena_alloc(argument, 1, 100);
    }
}

static void overflow_product(void *argument)
{
    (void)sl_arena_alloc(argument, SIZE_MAX / 2, 3);
}

static void the_maximum_holds(void **state)
{
    (void)state;
    struct sl_arena *arena = sl_arena_create(1000);
    assert_aborts(exhaust, arena);
    assert_aborts(overflow_product, arena);
    (void)sl_arena_alloc(arena, 1, 1000); /* all of it is given */
    sl_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(reset_frees_all_and_memory_is_zeroed_again),
        cmocka_unit_test(an_outsized_chunk_is_not_kept),
        cmocka_unit_test(strings_are_copies_with_a_nul_behind),
        cmocka_unit_test(the_maximum_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
