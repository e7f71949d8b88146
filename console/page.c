/* page.c - see page.h. */
#include "console/page.h"

static const char INDEX[] =
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Sluice</title>\n<h1>Sluice</h1>\n"
    "<p>The read side. Every path below <code>/api</code> wants a bearer token: a user's own, or the one of ops with"
    " <code>?user_id=</code>.</p>\n<ul>\n"
    "<li><code>GET /api/agents</code>, <code>/api/agents/{id}</code>, <code>/api/jobs/{id}</code></li>\n"
    "<li><code>GET /api/workspaces</code>, <code>/api/workspaces/onboarding</code>, <code>/api/invites</code></li>\n"
    "<li><code>GET /api/usage</code></li>\n"
    "<li><code>GET /api/events/stream</code>: server-sent events</li>\n"
    "<li><a href=\"/healthz\">/healthz</a>, <a href=\"/readyz\">/readyz</a>, <a href=\"/metrics\">/metrics</a></li>\n"
    "</ul>\n</html>\n";

struct sl_str page_index(void)
{
    return SL_STR(INDEX);
}
