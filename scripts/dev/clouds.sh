# shellcheck shell=bash
# The simulated clouds (tests/clouds): one process, a port for each cloud and one to control them; env.sh makes the URLs.
# They are started unless the caller has named every cloud. They forget all when they end.

CLOUD_PORTS=(hetzner tailscale github stripe resend provisioner graph control)

clouds_start() {
    local cloud listening="${RUN_DIR}/clouds.env" arguments=()
    [[ -d "${ROOT}/tests/clouds" ]] || die "tests/clouds is missing"
    for cloud in "${CLOUD_PORTS[@]}"; do
        arguments+=("--${cloud}-port" "$(cloud_port "${cloud}")")
    done
    rm -f "${listening}"
    process_spawn clouds env -C "${ROOT}/tests" PYTHONPATH="${ROOT}/tests" PYTHONUNBUFFERED=1 \
        "${VENV_PYTHON}" -m clouds --env-file "${listening}" --ingress-url "${APP_URL}" "${arguments[@]}"
    # the file is written when all of them listen
    process_ready clouds 30 test -s "${listening}"
}
