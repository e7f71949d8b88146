/* Tokens never reach a rule as they were sent, and the same event always makes the same ones. */
#include "tests/unit/cmocka_all.h"
#include "worker/apply/tokens.h"

#define KEYS "k:/v/pkoZlcxxtao+UZzCDCP7/6ZKGZXMcbWqPlGcwgwg="

struct scene {
    struct sl_arena *arena;
    struct sl_seal_ring *ring;
};

static struct scene scene_create(const char *keys)
{
    struct scene scene = {.arena = sl_arena_create(1024 * 1024)};
    assert_true(sl_seal_ring_create(sl_str_of(keys), &scene.ring, NULL));
    return scene;
}

static void scene_destroy(struct scene *scene)
{
    sl_seal_ring_destroy(scene->ring);
    sl_arena_destroy(scene->arena);
}

static struct input input_of(struct scene *scene, enum input_type type, const char *event_id, const char *token)
{
    return (struct input){
        .type = type,
        .source = SL_STR("/api"),
        .event_id = sl_str_of(event_id),
        .as.workspace = {.workspace_id = {.bytes = {7}},
                         .connection_id = SL_STR("c-1"),
                         .token = *token ? sl_arena_str(scene->arena, sl_str_of(token)) : SL_STR_NONE},
    };
}

/* Python: base64.urlsafe_b64encode(hmac.new(key, b"invite\0/api\0e-1", "sha256").digest()).rstrip(b"=") */
static void an_invitations_token_derives_from_its_event(void **state)
{
    struct scene scene = scene_create(KEYS);
    struct input input = input_of(&scene, INPUT_WORKSPACE_INVITE, "e-1", "sent by somebody");
    struct input other = input_of(&scene, INPUT_WORKSPACE_INVITE, "e-2", "");
    uint8_t digest[SL_SHA256_BYTES];
    (void)state;
    tokens_prepare(scene.ring, scene.arena, &input);
    tokens_prepare(scene.ring, scene.arena, &other);
    assert_str_is(input.as.workspace.token, "JjQzovCeMLwuux2lvRw1aySFfKTEGQWlFMfrYl71EEg");
    assert_int_equal(input.as.workspace.token.len, 43);
    sl_sign_sha256(input.as.workspace.token, digest);
    assert_int_equal(input.as.workspace.token_sha256.len, sizeof(digest));
    assert_memory_equal(input.as.workspace.token_sha256.ptr, digest, sizeof(digest));
    assert_false(sl_str_equal(input.as.workspace.token, other.as.workspace.token));
    scene_destroy(&scene);
}

static void a_token_sent_becomes_its_digest_and_is_wiped(void **state)
{
    struct scene scene = scene_create("");
    struct input input = input_of(&scene, INPUT_INVITE_ACCEPT, "e-1", "the token");
    struct sl_str sent = input.as.workspace.token;
    uint8_t digest[SL_SHA256_BYTES];
    static const char zeros[sizeof("the token") - 1];
    (void)state;
    tokens_prepare(scene.ring, scene.arena, &input);
    sl_sign_sha256(SL_STR("the token"), digest);
    assert_memory_equal(input.as.workspace.token_sha256.ptr, digest, sizeof(digest));
    assert_true(sl_str_empty(input.as.workspace.token));
    assert_memory_equal(sent.ptr, zeros, sizeof(zeros));
    struct input none = input_of(&scene, INPUT_INVITE_ACCEPT, "e-1", "");
    tokens_prepare(scene.ring, scene.arena, &none);
    assert_true(sl_str_empty(none.as.workspace.token_sha256));
    scene_destroy(&scene);
}

static bool opens(const struct scene *scene, const struct input *input, struct sl_str context)
{
    struct sl_buf out;
    sl_buf_init(&out, 4096);
    bool ok = sl_seal_open(scene->ring, input->as.workspace.sealed, context, &out, NULL) &&
              sl_str_is(sl_buf_str(&out), "secret");
    sl_buf_deinit(&out);
    return ok;
}

static void a_connections_token_is_sealed_for_its_place_and_alike_each_time(void **state)
{
    struct scene scene = scene_create(KEYS);
    struct input inputs[4] = {
        input_of(&scene, INPUT_CONNECTION_SHARE, "e-1", "secret"),
        input_of(&scene, INPUT_CONNECTION_SHARE, "e-1", "secret"),
        input_of(&scene, INPUT_CONNECTION_SHARE, "e-2", "secret"),
        input_of(&scene, INPUT_CONNECTION_SHARE, "e-1", "others"),
    };
    struct sl_str sent = inputs[0].as.workspace.token;
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(inputs); i++) {
        tokens_prepare(scene.ring, scene.arena, &inputs[i]);
        assert_true(sl_str_empty(inputs[i].as.workspace.token));
    }
    assert_memory_equal(sent.ptr, "\0\0\0\0\0\0", 6);
    assert_true(opens(&scene, &inputs[0], SL_STR("07000000-0000-0000-0000-000000000000\0c-1")));
    assert_false(opens(&scene, &inputs[0], SL_STR("07000000-0000-0000-0000-000000000000\0c-2")));
    assert_false(opens(&scene, &inputs[0], SL_STR("08000000-0000-0000-0000-000000000000\0c-1")));
    assert_true(sl_str_equal(inputs[0].as.workspace.sealed, inputs[1].as.workspace.sealed));
    /* Another event or text has another nonce: the first 16 digits of base64 behind "k:". */
    for (size_t i = 2; i < SL_ARRAY_LEN(inputs); i++)
        assert_memory_not_equal(inputs[0].as.workspace.sealed.ptr + 2, inputs[i].as.workspace.sealed.ptr + 2, 16);
    scene_destroy(&scene);
}

/* As ingress has published it: sealed for the event. */
static struct input sealed_for(struct scene *scene, enum input_type type, const char *event_id, const char *token)
{
    struct input input = input_of(scene, type, event_id, "");
    struct sl_buf out;
    sl_buf_init(&out, SL_SEAL_SEALED_MAX);
    assert_true(sl_seal_for_event(scene->ring, input.source, input.event_id, sl_str_of(token), &out));
    input.as.workspace.token_sealed = sl_arena_str(scene->arena, sl_buf_str(&out));
    sl_buf_deinit(&out);
    return input;
}

static void a_token_sealed_on_its_way_is_as_good_as_a_plain_one(void **state)
{
    struct scene scene = scene_create(KEYS);
    static const enum input_type types[] = {INPUT_CONNECTION_SHARE, INPUT_INVITE_ACCEPT};
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(types); i++) {
        struct input plain = input_of(&scene, types[i], "e-1", "secret");
        struct input sealed = sealed_for(&scene, types[i], "e-1", "secret");
        tokens_prepare(scene.ring, scene.arena, &plain);
        tokens_prepare(scene.ring, scene.arena, &sealed);
        assert_true(tokens_are_open(&plain) && tokens_are_open(&sealed));
        assert_true(sl_str_empty(sealed.as.workspace.token));
        assert_true(sl_str_equal(plain.as.workspace.sealed, sealed.as.workspace.sealed));
        assert_true(sl_str_equal(plain.as.workspace.token_sha256, sealed.as.workspace.token_sha256));
    }
    scene_destroy(&scene);
}

static void a_token_of_another_event_or_key_stays_shut(void **state)
{
    struct scene scene = scene_create(KEYS);
    struct scene others = scene_create("k:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    struct scene none = scene_create("");
    (void)state;
    struct input lifted = sealed_for(&scene, INPUT_CONNECTION_SHARE, "e-1", "secret");
    lifted.event_id = SL_STR("e-2");
    struct input of_other_key = sealed_for(&others, INPUT_INVITE_ACCEPT, "e-1", "secret");
    struct input unkeyed = sealed_for(&scene, INPUT_INVITE_ACCEPT, "e-1", "secret");
    struct input made = sealed_for(&scene, INPUT_WORKSPACE_INVITE, "e-1", "secret");
    tokens_prepare(scene.ring, scene.arena, &lifted);
    tokens_prepare(scene.ring, scene.arena, &of_other_key);
    tokens_prepare(none.ring, scene.arena, &unkeyed);
    tokens_prepare(scene.ring, scene.arena, &made);
    assert_false(tokens_are_open(&lifted) || tokens_are_open(&of_other_key) || tokens_are_open(&unkeyed));
    assert_true(sl_str_empty(lifted.as.workspace.sealed) && sl_str_empty(of_other_key.as.workspace.token_sha256));
    assert_true(tokens_are_open(&made)); /* takes none */
    scene_destroy(&none);
    scene_destroy(&others);
    scene_destroy(&scene);
}

static void without_a_key_there_is_no_token(void **state)
{
    struct scene scene = scene_create("");
    struct input invite = input_of(&scene, INPUT_WORKSPACE_INVITE, "e-1", "");
    struct input share = input_of(&scene, INPUT_CONNECTION_SHARE, "e-1", "secret");
    struct input run = {.type = INPUT_RUN_START, .as.workspace.run_id = SL_STR("r")};
    (void)state;
    tokens_prepare(scene.ring, scene.arena, &invite);
    tokens_prepare(scene.ring, scene.arena, &share);
    tokens_prepare(scene.ring, scene.arena, &run);
    assert_true(sl_str_empty(invite.as.workspace.token) && sl_str_empty(invite.as.workspace.token_sha256));
    assert_true(sl_str_empty(share.as.workspace.token) && sl_str_empty(share.as.workspace.sealed));
    assert_str_is(run.as.workspace.run_id, "r");
    scene_destroy(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_invitations_token_derives_from_its_event),
        cmocka_unit_test(a_token_sent_becomes_its_digest_and_is_wiped),
        cmocka_unit_test(a_connections_token_is_sealed_for_its_place_and_alike_each_time),
        cmocka_unit_test(a_token_sealed_on_its_way_is_as_good_as_a_plain_one),
        cmocka_unit_test(a_token_of_another_event_or_key_stays_shut),
        cmocka_unit_test(without_a_key_there_is_no_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
