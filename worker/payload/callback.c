/* callback.c - what the provisioning workflow reports of itself (contract, section 5). Whose it is, its job says. */
#include "worker/payload/reader.h"

bool callback_read(const struct reader *reader, struct sl_err *err)
{
    (void)err;
    reader->input->as.callback = (struct input_callback){
        .job_id = reader_uuid(reader, "job_id"),
        .run_id = reader_id(reader, "run_id"),
        .server_id = reader_id(reader, "server_id"),
        .server_ip = reader_str(reader, "server_ip"),
        .tailscale_device_id = reader_id(reader, "tailscale_device_id"),
        .tailscale_ip = reader_str(reader, "tailscale_ip"),
        .error = reader_str(reader, "error"),
    };
    return true;
}
