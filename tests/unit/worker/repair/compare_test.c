/* The clouds against the books, a row each: what stands there, what the books say, what is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "worker/repair/compare.h"

#define ID "3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a001"

/* What is in the cloud; an id of NULL: nothing. */
struct there {
    enum cloud_id cloud;
    const char *id;
    bool labelled, unlabelled, is_off, is_running, is_external;
};

/* What the books say of agent ID; AGENT_NONE: nothing. */
struct said {
    enum agent_status status;
    const char *server, *device, *app;
    bool has_open_job, is_in_motion;
};

static const struct {
    const char *what;
    struct there there;
    struct said said;
    enum finding_kind kind; /* 0: nothing is found */
    const char *mend;
} rows[] = {
    {"as it should be",
     {.cloud = CLOUD_HETZNER, .id = "1", .labelled = true, .is_running = true},
     {.status = AGENT_ACTIVE, .server = "1"},
     0,
     NULL},
    {"off though active",
     {.cloud = CLOUD_HETZNER, .id = "1", .labelled = true, .is_off = true},
     {.status = AGENT_ACTIVE, .server = "1"},
     FINDING_DRIFTED,
     "off"},
    {"runs though paused",
     {.cloud = CLOUD_HETZNER, .id = "1", .labelled = true, .is_running = true},
     {.status = AGENT_PAUSED, .server = "1"},
     FINDING_DRIFTED,
     "on"},
    {"off and paused",
     {.cloud = CLOUD_HETZNER, .id = "1", .labelled = true, .is_off = true},
     {.status = AGENT_PAUSED, .server = "1"},
     0,
     NULL},
    {"between the two",
     {.cloud = CLOUD_HETZNER, .id = "1", .labelled = true},
     {.status = AGENT_ACTIVE, .server = "1"},
     0,
     NULL},
    {"a destroyed one's",
     {.cloud = CLOUD_HETZNER, .id = "1", .labelled = true},
     {.status = AGENT_DESTROYED},
     FINDING_ORPHANED,
     "orphan"},
    {"a draft's",
     {.cloud = CLOUD_HETZNER, .id = "1", .labelled = true},
     {.status = AGENT_DRAFT},
     FINDING_ORPHANED,
     "orphan"},
    {"a failed one's that doesn't know it",
     {.cloud = CLOUD_HETZNER, .id = "1", .labelled = true},
     {.status = AGENT_FAILED},
     FINDING_ORPHANED,
     "orphan"},
    {"a failed one's that keeps another",
     {.cloud = CLOUD_HETZNER, .id = "1", .labelled = true},
     {.status = AGENT_FAILED, .server = "2"},
     FINDING_ORPHANED,
     NULL},
    {"a failed one's, with its data",
     {.cloud = CLOUD_HETZNER, .id = "1", .labelled = true},
     {.status = AGENT_FAILED, .server = "1"},
     0,
     NULL},
    {"a job is to remove it",
     {.cloud = CLOUD_HETZNER, .id = "1", .labelled = true},
     {.status = AGENT_DESTROYED, .has_open_job = true},
     0,
     NULL},
    {"the books moved meanwhile",
     {.cloud = CLOUD_HETZNER, .id = "1", .labelled = true},
     {.status = AGENT_DESTROYED, .is_in_motion = true},
     0,
     NULL},
    {"of nobody on these books",
     {.cloud = CLOUD_HETZNER, .id = "1", .labelled = true},
     {.status = AGENT_NONE},
     FINDING_ORPHANED,
     NULL},
    {"our name, no label",
     {.cloud = CLOUD_HETZNER, .id = "1", .unlabelled = true},
     {.status = AGENT_DESTROYED},
     FINDING_FOREIGN,
     NULL},
    {"no label, but the agent's own",
     {.cloud = CLOUD_HETZNER, .id = "1", .unlabelled = true},
     {.status = AGENT_ACTIVE, .server = "1"},
     0,
     NULL},
    {"labelled with nonsense",
     {.cloud = CLOUD_HETZNER, .id = "1"},
     {.status = AGENT_ACTIVE, .server = "1"},
     FINDING_FOREIGN,
     NULL},
    {"the books know no server",
     {.cloud = CLOUD_HETZNER, .id = "1", .labelled = true},
     {.status = AGENT_ACTIVE},
     FINDING_DRIFTED,
     NULL},
    {"gone", {.cloud = CLOUD_HETZNER, .id = NULL}, {.status = AGENT_ACTIVE, .server = "1"}, FINDING_MISSING, "gone"},
    {"gone while paused",
     {.cloud = CLOUD_HETZNER, .id = NULL},
     {.status = AGENT_PAUSED, .server = "1"},
     FINDING_MISSING,
     "gone"},
    {"gone, but a job is open",
     {.cloud = CLOUD_HETZNER, .id = NULL},
     {.status = AGENT_ACTIVE, .server = "1", .has_open_job = true},
     0,
     NULL},
    {"never had one", {.cloud = CLOUD_HETZNER, .id = NULL}, {.status = AGENT_ACTIVE}, 0, NULL},
    {"destroyed and gone", {.cloud = CLOUD_HETZNER, .id = NULL}, {.status = AGENT_DESTROYED, .server = "1"}, 0, NULL},
    {"its device", {.cloud = CLOUD_TAILSCALE, .id = "d1"}, {.status = AGENT_ACTIVE, .device = "d1"}, 0, NULL},
    {"a second device",
     {.cloud = CLOUD_TAILSCALE, .id = "d2"},
     {.status = AGENT_PAUSED, .device = "d1"},
     FINDING_DRIFTED,
     NULL},
    {"a device without agent",
     {.cloud = CLOUD_TAILSCALE, .id = "d1"},
     {.status = AGENT_DESTROYED},
     FINDING_ORPHANED,
     "orphan"},
    {"a device of others", {.cloud = CLOUD_TAILSCALE, .id = "d1"}, {.status = AGENT_NONE}, FINDING_FOREIGN, NULL},
    {"another tailnet's",
     {.cloud = CLOUD_TAILSCALE, .id = "d1", .is_external = true},
     {.status = AGENT_DESTROYED},
     FINDING_FOREIGN,
     NULL},
    {"no device though active",
     {.cloud = CLOUD_TAILSCALE, .id = NULL},
     {.status = AGENT_ACTIVE, .device = "d1"},
     FINDING_MISSING,
     NULL},
    {"no device while paused",
     {.cloud = CLOUD_TAILSCALE, .id = NULL},
     {.status = AGENT_PAUSED, .device = "d1"},
     0,
     NULL},
    {"its app", {.cloud = CLOUD_PROVISIONER, .id = "app-1"}, {.status = AGENT_ACTIVE, .app = "app-1"}, 0, NULL},
    {"an app without agent",
     {.cloud = CLOUD_PROVISIONER, .id = "app-1"},
     {.status = AGENT_DESTROYED, .app = "app-1"},
     FINDING_ORPHANED,
     "orphan"},
    {"an app of others", {.cloud = CLOUD_PROVISIONER, .id = "app-1"}, {.status = AGENT_NONE}, FINDING_FOREIGN, NULL},
    {"no app",
     {.cloud = CLOUD_PROVISIONER, .id = NULL},
     {.status = AGENT_PAUSED, .app = "app-1"},
     FINDING_MISSING,
     "gone"},
};

static struct sl_uuid agent_id(void)
{
    struct sl_uuid id = {.bytes = {0}};
    assert_true(sl_uuid_parse(SL_STR(ID), &id));
    return id;
}

static struct sight sight_of(const struct there *there)
{
    struct sight sight = {
        .cloud = there->cloud,
        .has_label = there->cloud == CLOUD_HETZNER && !there->unlabelled,
        .is_external = there->is_external,
        .is_off = there->is_off,
        .is_running = there->is_running,
        .cost_per_day = there->cloud == CLOUD_HETZNER ? 0.144 : -1,
    };
    if (there->cloud != CLOUD_PROVISIONER)
        sight.named = agent_id();
    if (there->labelled)
        sight.labelled = agent_id();
    (void)snprintf(sight.id, sizeof(sight.id), "%s", there->id);
    (void)snprintf(sight.name, sizeof(sight.name), "%s", there->cloud == CLOUD_PROVISIONER ? there->id : "agent-" ID);
    return sight;
}

static void every_row_is_found_as_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        const struct said *said = &rows[i].said;
        struct sl_arena *arena = sl_arena_create(1024 * 1024);
        struct sight sight = {.cloud = CLOUD_NONE};
        struct sights sights = {.items = &sight, .count = rows[i].there.id ? 1 : 0};
        sights.is_seen[rows[i].there.cloud] = true;
        if (rows[i].there.id)
            sight = sight_of(&rows[i].there);
        struct book book = {.agent_id = agent_id(),
                            .status = said->status,
                            .user_id = SL_STR("u"),
                            .server_id = sl_str_of(said->server),
                            .device_id = sl_str_of(said->device),
                            .app_name = sl_str_of(said->app),
                            .is_provisioners = rows[i].there.cloud == CLOUD_PROVISIONER,
                            .has_open_job = said->has_open_job,
                            .is_in_motion = said->is_in_motion};
        struct books books = {.items = &book, .count = said->status == AGENT_NONE ? 0 : 1};
        struct findings findings = compare(&sights, &books, arena);
        if (findings.count != (rows[i].kind ? 1U : 0U))
            print_error("%s: %zu findings\n", rows[i].what, findings.count);
        assert_int_equal(findings.count, rows[i].kind ? 1 : 0);
        if (rows[i].kind) {
            const struct finding *found = &findings.items[0];
            if (found->kind != rows[i].kind || !sl_str_equal(sl_str_of(found->mend), sl_str_of(rows[i].mend)))
                print_error("%s: %s, %s\n", rows[i].what, finding_kind_name(found->kind), found->detail);
            assert_int_equal(found->kind, rows[i].kind);
            assert_true(sl_str_equal(sl_str_of(found->mend), sl_str_of(rows[i].mend)));
            assert_non_null(found->detail);
            assert_int_equal(found->cloud, rows[i].there.cloud);
        }
        assert_int_equal(findings.in_motion, said->has_open_job || said->is_in_motion ? 1 : 0);
        sl_arena_destroy(arena);
    }
}

/* What a cloud didn't show because it wasn't seen is not missing. */
static void nothing_of_an_unseen_cloud_is_missing(void **state)
{
    (void)state;
    struct sl_arena *arena = sl_arena_create(1024 * 1024);
    struct sights sights = {.count = 0};
    struct book book = {
        .agent_id = agent_id(), .status = AGENT_ACTIVE, .server_id = SL_STR("1"), .device_id = SL_STR("d1")};
    struct books books = {.items = &book, .count = 1};
    assert_int_equal(compare(&sights, &books, arena).count, 0);
    sights.is_seen[CLOUD_TAILSCALE] = true;
    struct findings findings = compare(&sights, &books, arena);
    assert_int_equal(findings.count, 1);
    assert_int_equal(findings.items[0].cloud, CLOUD_TAILSCALE);
    sl_arena_destroy(arena);
}

/* A rollback goes by the agent's name: it would find the other server, and delete it. */
static void one_that_has_been_replaced_is_for_people(void **state)
{
    (void)state;
    struct sl_arena *arena = sl_arena_create(1024 * 1024);
    struct sight other = sight_of(&(struct there){.cloud = CLOUD_HETZNER, .id = "2", .labelled = true});
    struct sights sights = {.items = &other, .count = 1, .is_seen[CLOUD_HETZNER] = true};
    struct book book = {.agent_id = agent_id(), .status = AGENT_ACTIVE, .server_id = SL_STR("1")};
    struct books books = {.items = &book, .count = 1};
    struct findings findings = compare(&sights, &books, arena);
    assert_int_equal(findings.count, 2);
    assert_int_equal(findings.items[0].kind, FINDING_MISSING);
    assert_null(findings.items[0].mend);
    assert_int_equal(findings.items[1].kind, FINDING_ORPHANED);
    assert_null(findings.items[1].mend);
    sl_arena_destroy(arena);
}

/* The ledger has one row for a resource: two would break the statement that writes them. */
static void what_two_agents_are_on_the_books_with_is_found_once(void **state)
{
    (void)state;
    struct sl_arena *arena = sl_arena_create(1024 * 1024);
    struct sights sights = {.is_seen[CLOUD_HETZNER] = true};
    struct book twins[] = {
        {.agent_id.bytes = {1}, .status = AGENT_ACTIVE, .server_id = SL_STR("1")},
        {.agent_id.bytes = {2}, .status = AGENT_PAUSED, .server_id = SL_STR("1")},
        {.agent_id.bytes = {3}, .status = AGENT_PAUSED, .server_id = SL_STR("2")},
    };
    struct books books = {.items = twins, .count = SL_ARRAY_LEN(twins)};
    struct findings findings = compare(&sights, &books, arena);
    assert_int_equal(findings.count, 2);
    assert_true(sl_str_is(findings.items[0].resource_id, "1") && sl_str_is(findings.items[1].resource_id, "2"));
    sl_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_found_as_it_says),
        cmocka_unit_test(nothing_of_an_unseen_cloud_is_missing),
        cmocka_unit_test(one_that_has_been_replaced_is_for_people),
        cmocka_unit_test(what_two_agents_are_on_the_books_with_is_found_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
