/* histories_fuzz.c - a user's history chosen byte by byte: what people, Stripe, the executor, runs and timers do, in
 * which order their events arrive, late, twice and out of order.
 *
 * After each event the invariants of the model hold (tests/unit/worker/decide/machine.c), and when nothing more comes
 * from outside all that is under way ends.
 */
#include "tests/unit/worker/decide/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct machine machine;
    machine_init(&machine, draws_of_bytes(data, size));
    while (machine.draws.bytes_left > 0)
        machine_step(&machine);
    machine_settle(&machine);
    machine_deinit(&machine);
    return 0;
}
