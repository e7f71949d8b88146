/* read_workspaces.c - workspaces, invitations, billing and usage, for read.h. Never shown: connections' tokens,
 * invitations' tokens. */
#include "console/read.h"
#include "console/read_sql.h"

/* What is written is one member's view of it; the lists inside are bounded for the case of a plan without limit. */
#define MEMBERS                                                                                                        \
    "(SELECT coalesce(json_agg(json_build_object('user_id', m.user_id, 'email', m.email, 'role', m.role,"              \
    " 'joined_at', " ISO(                                                                                              \
        "m.joined_at") ") ORDER BY m.joined_at, m.user_id), '[]') FROM"                                                \
                       " (SELECT wm.*, u.email FROM sluice.workspace_members AS wm JOIN sluice.users AS u ON u.id = "  \
                       "wm.user_id"                                                                                    \
                       " WHERE wm.workspace_id = w.id ORDER BY wm.joined_at, wm.user_id LIMIT 1000) AS m)"
/* A catalog may be long, and a member may share many: a page has 4 MiB of them, alike for each of its workspaces. What
 * is beyond that is not shown; a smaller page shows more of them. */
#define CONNECTIONS                                                                                                    \
    "(SELECT coalesce(json_agg(json_build_object('id', c.id, 'provider', c.provider, 'shared_by', c.shared_by,"        \
    " 'shared_at', " ISO("c.shared_at") ", 'catalog', CASE WHEN c.bytes * $4 <= 4194304 THEN c.catalog END)"           \
                                        " ORDER BY c.shared_at, c.id), '[]') FROM"                                     \
                                        " (SELECT s.*, sum(octet_length(s.catalog::text))"                             \
                                        " OVER (ORDER BY s.shared_at, s.id) AS bytes FROM"                             \
                                        " (SELECT id, provider, shared_by, shared_at, catalog FROM "                   \
                                        "sluice.connections WHERE workspace_id = w.id ORDER BY "                       \
                                        "shared_at, id LIMIT 200) AS s) AS c)"
#define WORKFLOWS                                                                                                      \
    "(SELECT coalesce(json_agg(s.workflow_id ORDER BY s.workflow_id), '[]') FROM (SELECT workflow_id FROM"             \
    " sluice.shared_workflows WHERE workspace_id = w.id ORDER BY workflow_id LIMIT 1000) AS s)"
#define CYCLE                                                                                                          \
    "(SELECT json_build_object('cycle_started_at', " ISO("y.cycle_started_at") ", 'renews_at', " ISO(                  \
        "y.renews_at") ") FROM sluice.workspace_billing_cycles AS y WHERE y.workspace_id = w.id)"
/* Runs count within the cycle, where none is paid within the UTC month; a count of an earlier window is over. */
#define WINDOW_START                                                                                                   \
    "coalesce((SELECT y.cycle_started_at FROM sluice.workspace_billing_cycles AS y WHERE y.workspace_id = w.id),"      \
    " date_trunc('month', $7::timestamptz AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')"
#define LIMITS "json_build_object('members', $8::jsonb -> w.tier -> 'members', 'runs', $8::jsonb -> w.tier -> 'runs')"

static const char WORKSPACES[] =
    "WITH page AS (SELECT k.*, b.role FROM sluice.workspace_members AS b JOIN sluice.workspaces AS k"
    " ON k.id = b.workspace_id WHERE b.user_id = $1 AND k.closed_at IS NULL AND " BEFORE_CURSOR
    " ORDER BY " NEWEST_FIRST " LIMIT $4 + 1)," SHOWN
    " SELECT json_build_object('workspaces', (SELECT coalesce(json_agg(json_build_object('id', w.id, 'name', w.name,"
    " 'role', w.role, 'tier', w.tier, 'owner_id', w.owner_id, 'created_at', " ISO(
        "w.created_at") ", 'members', " MEMBERS ", 'limits', " LIMITS
                        ", 'runs_used', CASE WHEN w.runs_since >= " WINDOW_START
                        " THEN w.runs_used ELSE 0 END, 'cycle', " CYCLE ", 'connections', " CONNECTIONS
                        ", 'shared_workflows', " WORKFLOWS ") ORDER BY " NEWEST_FIRST
                        "), '[]') FROM shown AS w), 'next', " NEXT ")::text";

/* The subscription that pays: that of an owned workspace's cycle, else the newest that is not over. */
static const char ONBOARDING[] =
    "WITH me AS (SELECT * FROM sluice.users WHERE id = $1),"
    " paid AS (SELECT s.*, y.cycle_started_at, y.renews_at FROM sluice.subscriptions AS s LEFT JOIN LATERAL"
    " (SELECT c.* FROM sluice.workspace_billing_cycles AS c JOIN sluice.workspaces AS w ON w.id = c.workspace_id"
    " WHERE c.subscription_id = s.id AND w.owner_id = $1 AND w.closed_at IS NULL ORDER BY c.cycle_started_at DESC"
    " LIMIT 1) AS y ON true WHERE s.user_id = $1 AND s.status NOT IN ('canceled', 'incomplete_expired')"
    " ORDER BY (y.cycle_started_at IS NULL), s.created_at DESC, s.id LIMIT 1)"
    " SELECT json_build_object('onboarding_complete', coalesce((SELECT onboarding_complete FROM me), false),"
    " 'plan', coalesce((SELECT plan FROM me), 'free'),"
    " 'workspaces', (SELECT coalesce(json_agg(json_build_object('id', w.id, 'name', w.name, 'role', m.role,"
    " 'tier', w.tier) ORDER BY w.created_at, w.id), '[]') FROM sluice.workspace_members AS m JOIN "
    "sluice.workspaces AS w"
    " ON w.id = m.workspace_id WHERE m.user_id = $1 AND w.closed_at IS NULL),"
    " 'billing', json_build_object('last_error', (SELECT last_error FROM me), 'last_error_at', (SELECT " ISO(
        "last_error_at") " FROM me), 'has_pending_checkout', coalesce((SELECT pending_checkout IS NOT NULL FROM "
                         "me),"
                         " false), 'subscription', (SELECT json_build_object('id', id, 'status', status, 'tier', "
                         "tier,"
                         " 'renews_at', " ISO("coalesce(renews_at, current_period_end)") ", 'cancel_at', " ISO(
                             "cancel_at") ", 'cancel_at_period_end', cancel_at_period_end, "
                                          "'cycle_started_at', " ISO("coalesce(cycle_started_at, "
                                                                     "current_period_start)") ") FROM "
                                                                                              "paid)))::text";

/* To the user's own address, or of a workspace where the user may invite; a union, as each part has its index. */
#define OPEN_INVITES                                                                                                   \
    "SELECT v.id, v.workspace_id, v.email, v.invited_by, v.created_at, v.expires_at FROM sluice.invites AS v WHERE "   \
    "v.accepted_at IS NULL AND v.revoked_at IS NULL AND "

static const char INVITES[] =
    "WITH own AS (SELECT lower(email) AS email FROM sluice.users WHERE id = $1 UNION SELECT $2),"
    " office AS (SELECT workspace_id FROM sluice.workspace_members WHERE user_id = $1 AND role IN ('owner', 'admin')),"
    " open AS (" OPEN_INVITES "v.email IN (SELECT email FROM own) UNION " OPEN_INVITES
    "v.workspace_id IN (SELECT workspace_id FROM office)),"
    " page AS (SELECT i.id, i.created_at, i.email, i.invited_by, i.expires_at, w.id AS workspace_id,"
    " w.name AS workspace_name, EXISTS (SELECT FROM own WHERE own.email = i.email) AS is_mine"
    " FROM open AS i JOIN sluice.workspaces AS w ON w.id = i.workspace_id AND w.closed_at IS NULL"
    " WHERE i.expires_at > $7 AND ($5 < 0 OR (i.created_at, i.id) <"
    " ('epoch'::timestamptz + $5 * interval '1 microsecond', $6::uuid)) ORDER BY i.created_at DESC, i.id DESC"
    " LIMIT $4 + 1)," SHOWN
    " SELECT json_build_object('invites', (SELECT coalesce(json_agg(json_build_object('id', id, 'workspace_id',"
    " workspace_id, 'workspace_name', workspace_name, 'email', email, 'direction', CASE WHEN is_mine THEN 'received'"
    " ELSE 'sent' END, 'invited_by', invited_by, 'created_at', " ISO("created_at") ", 'expires_at', " ISO(
        "expires_at") ") ORDER BY " NEWEST_FIRST "), '[]') FROM shown), 'next', " NEXT ")::text";

/* Days are UTC, as they are counted. The limits are those of the subscription that gives the plan, else the plan's. */
static const char USAGE[] =
    "WITH today AS (SELECT ($7::timestamptz AT TIME ZONE 'UTC')::date AS day),"
    " plan AS (SELECT coalesce((SELECT plan FROM sluice.users WHERE id = $1), 'free') AS name),"
    " granted AS (SELECT max_agents, max_messages_per_day FROM sluice.subscriptions WHERE user_id = $1"
    " AND status IN ('active', 'trialing', 'past_due') AND tier = (SELECT name FROM plan) ORDER BY"
    " (max_agents = -1) DESC, max_agents DESC, (max_messages_per_day = -1) DESC, max_messages_per_day DESC LIMIT 1),"
    " counts AS (SELECT d.day::date AS day, coalesce(sum(u.count) FILTER (WHERE u.metric = 'messages'), 0) AS messages,"
    " coalesce(sum(u.count) FILTER (WHERE u.metric = 'api_calls'), 0) AS api_calls FROM today AS t,"
    " generate_series(t.day - 29, t.day, interval '1 day') AS d (day) LEFT JOIN sluice.usage_daily AS u"
    " ON u.user_id = $1 AND u.day = d.day::date GROUP BY d.day)"
    " SELECT json_build_object('plan', (SELECT name FROM plan), 'limits', json_build_object("
    "'agents', coalesce((SELECT to_jsonb(max_agents) FROM granted), $8::jsonb -> (SELECT name FROM plan) -> 'agents'),"
    " 'messages_per_day', coalesce((SELECT to_jsonb(max_messages_per_day) FROM granted),"
    " $8::jsonb -> (SELECT name FROM plan) -> 'messages_per_day')),"
    " 'today', (SELECT json_build_object('day', c.day, 'messages', c.messages, 'api_calls', c.api_calls) FROM counts "
    "AS c"
    " WHERE c.day = (SELECT day FROM today)), 'resets_at', " ISO(
        "((SELECT day + 1 FROM today)::timestamp AT TIME ZONE 'UTC')") ","
                                                                       " 'days', (SELECT "
                                                                       "json_agg(json_build_object('day', c.day, "
                                                                       "'messages', c.messages, 'api_calls', "
                                                                       "c.api_calls)"
                                                                       " ORDER BY c.day DESC) FROM counts AS c))::text";

const struct read READ_WORKSPACES = {WORKSPACES, 20, 100};
const struct read READ_ONBOARDING = {ONBOARDING, 0, 0};
const struct read READ_INVITES = {INVITES, 100, 500};
const struct read READ_USAGE = {USAGE, 0, 0};
