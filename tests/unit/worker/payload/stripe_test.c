/* Stripe's objects in both layouts, and whose they are. */
#include "tests/unit/worker/payload/read.h"

static struct reading stripe(const char *type, const char *object)
{
    char body[4096];
    static char ce_type[128]; /* the input borrows it */
    (void)snprintf(body, sizeof(body), "{\"id\":\"evt_1\",\"created\":1700000000,\"data\":{\"object\":%s}}", object);
    (void)snprintf(ce_type, sizeof(ce_type), "stripe.%s", type);
    return read_body(ce_type, "/webhooks/stripe", body);
}

static void a_subscription_of_either_layout_reads_the_same(void **state)
{
    static const char *const OBJECTS[] = {
        "{\"id\":\"sub_1\",\"object\":\"subscription\",\"customer\":\"cus_1\",\"status\":\"trialing\",\"cancel_at\":7,"
        "\"cancel_at_period_end\":true,\"canceled_at\":8,\"trial_end\":9,\"metadata\":{\"user_id\":\"u\"},\"items\":"
        "{\"data\":[{\"price\":{\"id\":\"price_1\"},\"current_period_start\":5,\"current_period_end\":6}]}}",
        "{\"id\":\"sub_1\",\"object\":\"subscription\",\"customer\":{\"id\":\"cus_1\",\"object\":\"customer\"},"
        "\"status\":\"trialing\",\"cancel_at\":7,\"cancel_at_period_end\":true,\"canceled_at\":8,\"trial_end\":9,"
        "\"current_period_start\":5,\"current_period_end\":6,\"metadata\":{\"userId\":\"u\"},\"items\":{\"data\":"
        "[{\"plan\":{\"id\":\"price_1\"}}]}}",
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(OBJECTS); i++) {
        struct reading reading = stripe("customer.subscription.updated", OBJECTS[i]);
        const struct input_subscription *subscription = &reading.input.as.subscription;
        assert_true(reading.ok);
        assert_int_equal(reading.input.type, INPUT_STRIPE_SUBSCRIPTION_UPDATED);
        assert_int_equal(reading.input.created_s, 1700000000);
        assert_str_is(reading.input.user_named, "u");
        assert_str_is(reading.input.customer_id, "cus_1");
        assert_str_is(reading.input.actor, "stripe");
        assert_str_is(subscription->id, "sub_1");
        assert_str_is(subscription->status, "trialing");
        assert_str_is(subscription->price_id, "price_1");
        assert_int_equal(subscription->current_period_start_s, 5);
        assert_int_equal(subscription->current_period_end_s, 6);
        assert_int_equal(subscription->cancel_at_s, 7);
        assert_int_equal(subscription->canceled_at_s, 8);
        assert_int_equal(subscription->trial_end_s, 9);
        assert_true(subscription->cancel_at_period_end);
        done(&reading);
    }
}

static void an_invoice_names_its_subscription_in_four_places(void **state)
{
    static const char *const OBJECTS[] = {
        "{\"id\":\"in_1\",\"parent\":{\"subscription_details\":{\"subscription\":\"sub_1\",\"metadata\":{\"user_id\":"
        "\"u\"}}}}",
        "{\"id\":\"in_1\",\"subscription\":\"sub_1\",\"subscription_details\":{\"metadata\":{\"user_id\":\"u\"}}}",
        "{\"id\":\"in_1\",\"subscription\":{\"id\":\"sub_1\"},\"metadata\":{\"user_id\":\"u\"}}",
        "{\"id\":\"in_1\",\"metadata\":{\"user_id\":\"u\"},\"lines\":{\"data\":[{\"parent\":{\"subscription_item_"
        "details\":"
        "{\"subscription\":\"sub_1\"}}}]}}",
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(OBJECTS); i++) {
        struct reading reading = stripe("invoice.payment_failed", OBJECTS[i]);
        assert_true(reading.ok);
        assert_str_is(reading.input.as.invoice.id, "in_1");
        assert_str_is(reading.input.as.invoice.subscription_id, "sub_1");
        assert_str_is(reading.input.user_named, "u");
        done(&reading);
    }
}

static void the_first_user_of_the_contracts_order_counts(void **state)
{
    static const struct {
        const char *object, *user;
    } ROWS[] = {
        {"{\"metadata\":{\"user_id\":\"a\",\"userId\":\"b\"},\"client_reference_id\":\"c\"}", "a"},
        {"{\"metadata\":{\"userId\":\"b\"},\"client_reference_id\":\"c\"}", "b"},
        {"{\"metadata\":{},\"client_reference_id\":\"c\",\"subscription_details\":{\"metadata\":{\"user_id\":\"e\"}}}",
         "c"},
        {"{\"parent\":{\"subscription_details\":{\"metadata\":{\"user_id\":\"d\"}}},\"subscription_details\":"
         "{\"metadata\":{\"user_id\":\"e\"}}}",
         "d"},
        {"{\"subscription_details\":{\"metadata\":{\"user_id\":\"e\"}}}", "e"},
        {"{\"metadata\":{\"user_id\":7}}", ""},
        {"{\"metadata\":{\"user_id\":\"\"},\"client_reference_id\":null}", ""},
        {"{}", ""},
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct reading reading = stripe("invoice.paid", ROWS[i].object);
        assert_true(reading.ok);
        assert_str_is(reading.input.user_named, ROWS[i].user);
        done(&reading);
    }
}

static void a_user_id_longer_than_ids_may_be_is_none(void **state)
{
    char object[512];
    (void)state;
    for (int len = 255; len <= 256; len++) {
        (void)snprintf(object, sizeof(object), "{\"metadata\":{\"user_id\":\"%0*d\"}}", len, 1);
        struct reading reading = stripe("invoice.paid", object);
        assert_int_equal(reading.input.user_named.len, len == 255 ? 255 : 0);
        done(&reading);
    }
}

static void a_checkout_reads_its_metadata(void **state)
{
    static const struct {
        const char *object;
        bool has_agent, malformed, names_user;
    } ROWS[] = {
        {"{\"metadata\":{\"agentId\":\"6f9619ff-8b86-d011-b42d-00cf4fc964ff\",\"userId\":\"u\",\"region\":\"eu\"}}",
         true, false, true},
        {"{\"metadata\":{\"agent_id\":\"6F9619FF-8B86-D011-B42D-00CF4FC964FF\"},\"client_reference_id\":\"u\"}", true,
         false, false},
        {"{\"metadata\":{\"agentId\":\"agent seven\",\"user_id\":\"u\"}}", false, true, true},
        {"{\"metadata\":null}", false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct reading reading = stripe("checkout.session.completed", ROWS[i].object);
        const struct input_checkout *checkout = &reading.input.as.checkout;
        assert_true(reading.ok);
        assert_int_equal(!sl_uuid_is_nil(checkout->agent_id), ROWS[i].has_agent);
        assert_int_equal(checkout->agent_id_malformed, ROWS[i].malformed);
        assert_int_equal(checkout->names_user, ROWS[i].names_user);
        done(&reading);
    }
}

static void the_email_is_the_first_given(void **state)
{
    static const struct {
        const char *object, *email;
    } ROWS[] = {
        {"{\"metadata\":{\"email\":\"m@x\"},\"customer_email\":\"e@x\"}", "m@x"},
        {"{\"customer_details\":{\"email\":\"d@x\"},\"customer_email\":\"e@x\"}", "d@x"},
        {"{\"customer_email\":\"e@x\",\"email\":\"not a customer's\"}", "e@x"},
        {"{\"object\":\"customer\",\"id\":\"cus_9\",\"email\":\"c@x\"}", "c@x"},
        {"{\"email\":\"not a customer's\"}", ""},
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct reading reading = stripe("customer.updated", ROWS[i].object);
        assert_true(reading.ok);
        assert_str_is(reading.input.email, ROWS[i].email);
        done(&reading);
    }
    struct reading customer = stripe("customer.updated", "{\"object\":\"customer\",\"id\":\"cus_9\"}");
    assert_str_is(customer.input.customer_id, "cus_9");
    done(&customer);
}

static void an_unknown_type_still_names_user_and_customer(void **state)
{
    (void)state;
    struct reading reading = stripe("charge.refunded", "{\"customer\":\"cus_1\",\"metadata\":{\"user_id\":\"u\"}}");
    assert_true(reading.ok);
    assert_int_equal(reading.input.type, INPUT_UNKNOWN);
    assert_str_is(reading.input.ce_type, "stripe.charge.refunded");
    assert_str_is(reading.input.user_named, "u");
    assert_str_is(reading.input.customer_id, "cus_1");
    done(&reading);
    struct reading thin =
        read_body("stripe.v1.customer.subscription.active", "/webhooks/stripe",
                  "{\"id\":\"evt_1\",\"object\":\"v2.core.event\",\"created\":\"2026-01-01T00:00:00Z\","
                  "\"related_object\":{\"id\":\"sub_1\"}}");
    assert_true(thin.ok);
    assert_int_equal(thin.input.created_s, 0);
    done(&thin);
}

static void what_is_no_such_object_is_refused(void **state)
{
    static const struct {
        const char *body;
    } ROWS[] = {{"{"}, {""}, {"[]"}, {"7"}, {"{\"id\":\"evt_1\",\"data\":{\"object\":{\"id\":\"sub_1\"}}}"}};
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct reading reading = read_body("stripe.customer.subscription.created", "/webhooks/stripe", ROWS[i].body);
        assert_false(reading.ok);
        assert_int_equal(reading.err.error_class, SL_ERR_PERMANENT);
        assert_int_not_equal(reading.err.message[0], 0);
        done(&reading);
    }
    /* Nothing in it is nothing to know. */
    struct reading nothing =
        read_body("stripe.customer.subscription.created", "/webhooks/stripe", "{\"id\":\"evt_1\"}");
    assert_true(nothing.ok);
    assert_int_equal(nothing.input.as.subscription.id.len, 0);
    done(&nothing);
}

static void times_beyond_the_calendar_are_not_given(void **state)
{
    (void)state;
    struct reading reading =
        stripe("customer.subscription.updated", "{\"id\":\"s\",\"status\":\"active\",\"trial_end\":9223372036854775807,"
                                                "\"cancel_at\":-5,\"canceled_at\":253402300799}");
    assert_true(reading.ok);
    assert_int_equal(reading.input.as.subscription.trial_end_s, 0);
    assert_int_equal(reading.input.as.subscription.cancel_at_s, 0);
    assert_int_equal(reading.input.as.subscription.canceled_at_s, 253402300799);
    done(&reading);
}

static void of_several_items_the_first_with_a_price_counts(void **state)
{
    static const struct {
        const char *items;
        const char *price;
        int64_t end_s;
    } ROWS[] = {
        {"[{\"price\":{\"id\":\"p1\"},\"current_period_end\":1},{\"price\":{\"id\":\"p2\"},\"current_period_end\":2}]",
         "p1", 1},
        {"[{\"current_period_end\":1},{\"price\":{\"id\":\"p2\"},\"current_period_end\":2}]", "p2", 2},
        {"[{\"price\":null,\"current_period_end\":1},{\"plan\":{\"id\":\"p2\"},\"current_period_end\":2}]", "p2", 2},
        {"[{\"price\":{\"id\":\"p1\"},\"quantity\":0,\"current_period_end\":1}]", "p1", 1},
        {"[{\"price\":\"p1\",\"current_period_end\":1}]", "p1", 1},
        {"[{\"current_period_end\":1}]", "", 1},
        {"[]", "", 0},
        {"{}", "", 0},
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        char object[512];
        (void)snprintf(object, sizeof(object), "{\"id\":\"sub_1\",\"status\":\"active\",\"items\":{\"data\":%s}}",
                       ROWS[i].items);
        struct reading reading = stripe("customer.subscription.updated", object);
        assert_true(reading.ok);
        assert_str_is(reading.input.as.subscription.price_id, ROWS[i].price);
        assert_int_equal(reading.input.as.subscription.current_period_end_s, ROWS[i].end_s);
        done(&reading);
    }
}

static void a_failed_payment_says_why(void **state)
{
    struct reading reading = stripe("payment_intent.payment_failed",
                                    "{\"id\":\"pi_1\",\"customer\":\"cus_1\",\"metadata\":{\"user_id\":\"u\"},"
                                    "\"last_payment_error\":{\"message\":\"Your card was declined.\"}}");
    (void)state;
    assert_true(reading.ok);
    assert_int_equal(reading.input.type, INPUT_STRIPE_PAYMENT_INTENT_FAILED);
    assert_str_is(reading.input.user_named, "u");
    assert_str_is(reading.input.as.payment.id, "pi_1");
    assert_str_is(reading.input.as.payment.reason, "Your card was declined.");
    done(&reading);
    struct reading bare = stripe("payment_intent.payment_failed", "{\"id\":\"pi_1\",\"last_payment_error\":null}");
    assert_true(bare.ok && sl_str_empty(bare.input.as.payment.reason));
    done(&bare);
}

static void a_checkout_that_ends_otherwise_reads_alike(void **state)
{
    static const char *const TYPES[] = {"checkout.session.completed", "checkout.session.async_payment_succeeded",
                                        "checkout.session.async_payment_failed", "checkout.session.expired"};
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(TYPES); i++) {
        struct reading reading =
            stripe(TYPES[i], "{\"id\":\"cs_1\",\"payment_status\":\"unpaid\",\"subscription\":\"sub_1\"}");
        assert_true(reading.ok);
        assert_str_is(reading.input.as.checkout.session_id, "cs_1");
        assert_str_is(reading.input.as.checkout.payment_status, "unpaid");
        assert_str_is(reading.input.as.checkout.subscription_id, "sub_1");
        done(&reading);
    }
}

/* They become keys, subjects of timers and headers: one that could not be these is refused at the door of the rules. */
static void an_id_that_stripe_would_not_make_is_refused(void **state)
{
    static const struct {
        const char *type, *before, *behind;
    } BODIES[] = {
        {"customer.subscription.updated", "", "\",\"status\":\"active\",\"customer\":\"cus_1"},
        {"customer.subscription.updated", "sub_1\",\"status\":\"active\",\"customer\":\"", ""},
        {"customer.created", "", "\",\"object\":\"customer"},
        {"invoice.payment_failed", "in_1\",\"subscription\":\"", ""},
        {"checkout.session.completed", "cs_1\",\"subscription\":\"", ""},
    };
    char longest[256], too_long[257], object[1024];
    const char *const ids[] = {longest, too_long, "sub\\u0001"};
    (void)state;
    memset(longest, 'a', sizeof(longest) - 1);
    memset(too_long, 'a', sizeof(too_long) - 1);
    longest[sizeof(longest) - 1] = too_long[sizeof(too_long) - 1] = '\0';
    for (size_t i = 0; i < SL_ARRAY_LEN(BODIES) * SL_ARRAY_LEN(ids); i++) {
        const char *id = ids[i % SL_ARRAY_LEN(ids)];
        size_t body = i / SL_ARRAY_LEN(ids);
        (void)snprintf(object, sizeof(object), "{\"id\":\"%s%s%s\"}", BODIES[body].before, id, BODIES[body].behind);
        struct reading reading = stripe(BODIES[body].type, object);
        assert_int_equal(reading.ok, id == longest);
        done(&reading);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subscription_of_either_layout_reads_the_same),
        cmocka_unit_test(an_invoice_names_its_subscription_in_four_places),
        cmocka_unit_test(the_first_user_of_the_contracts_order_counts),
        cmocka_unit_test(a_user_id_longer_than_ids_may_be_is_none),
        cmocka_unit_test(a_checkout_reads_its_metadata),
        cmocka_unit_test(the_email_is_the_first_given),
        cmocka_unit_test(an_unknown_type_still_names_user_and_customer),
        cmocka_unit_test(what_is_no_such_object_is_refused),
        cmocka_unit_test(of_several_items_the_first_with_a_price_counts),
        cmocka_unit_test(a_failed_payment_says_why),
        cmocka_unit_test(a_checkout_that_ends_otherwise_reads_alike),
        cmocka_unit_test(an_id_that_stripe_would_not_make_is_refused),
        cmocka_unit_test(times_beyond_the_calendar_are_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
