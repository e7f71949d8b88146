/* teams_fuzz.c - the history of several people who share workspaces, chosen byte by byte.
 *
 * After each event the invariants of the model hold (tests/unit/worker/decide/teams.c); in the end everybody who waited
 * for an answer has one, and who ever had a workspace has one.
 */
#include "tests/unit/worker/decide/teams.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct teams teams;
    teams_init(&teams, draws_of_bytes(data, size));
    while (teams.draws.bytes_left > 0 && teams.wait_count < TEAMS_WAITS_MAX / 2)
        teams_step(&teams);
    teams_settle(&teams);
    teams_deinit(&teams);
    return 0;
}
