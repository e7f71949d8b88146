/* frame_test.c - of console/frame.c: the bytes of a stream of events. */
#include "tests/unit/web/check.h"

#include "console/frame.h"

#define AT(p, o) ((struct stream_cursor){.partition = (p), .next_offset = (o)})

static void assert_frame(struct frame *frame, const char *expected)
{
    assert_str(((struct sl_str){.ptr = frame->text, .len = frame->len}), expected);
    frame_release(frame);
}

static void an_event_has_id_type_and_data(void **state)
{
    (void)state;
    assert_frame(frame_event(AT(3, 18), SL_STR("outcome.command.agent.stop"), SL_STR("{\"id\":\"x\"}")),
                 "id: 3-18\nevent: outcome.command.agent.stop\ndata: {\"id\":\"x\"}\n\n");
}

static void line_ends_of_the_data_stay_inside_of_it(void **state)
{
    (void)state;
    assert_frame(frame_event(AT(0, 1), SL_STR("t"), SL_STR("a\nb\r\nc\rd")),
                 "id: 0-1\nevent: t\ndata: a\ndata: b\ndata: c\ndata: d\n\n");
    assert_frame(frame_event(AT(0, 1), SL_STR("t"), SL_STR("\n\nid: 9-9\n")),
                 "id: 0-1\nevent: t\ndata: \ndata: \ndata: id: 9-9\ndata: \n\n");
    assert_frame(frame_event(AT(0, 1), SL_STR("t"), SL_STR("")), "id: 0-1\nevent: t\ndata: \n\n");
}

static void a_type_cannot_break_out_of_its_line(void **state)
{
    (void)state;
    assert_frame(frame_event(AT(0, 1), SL_STR("a\r\ndata: b\x7f"), SL_STR("x")),
                 "id: 0-1\nevent: adata: b\ndata: x\n\n");
}

static void a_start_sets_the_id_and_tells_no_event(void **state)
{
    (void)state;
    assert_frame(frame_start(AT(5, 0), 2000), "retry: 2000\nid: 5-0\n\n");
    assert_frame(frame_comment("heartbeat"), ": heartbeat\n\n");
}

static void the_last_holder_frees(void **state)
{
    (void)state;
    struct frame *frame = frame_comment("x");
    assert_ptr_equal(frame_hold(frame), frame);
    frame_release(frame);
    assert_frame(frame, ": x\n\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_has_id_type_and_data),
        cmocka_unit_test(line_ends_of_the_data_stay_inside_of_it),
        cmocka_unit_test(a_type_cannot_break_out_of_its_line),
        cmocka_unit_test(a_start_sets_the_id_and_tells_no_event),
        cmocka_unit_test(the_last_holder_frees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
