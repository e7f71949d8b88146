# shellcheck shell=bash
# Handy shortcuts into a system that is up: psql, logs, ctl.

cmd_psql() {
    state_prepare
    env_of_system
    exec "$(postgres_bin)/psql" "${DATABASE_URL}" "$@"
}

cmd_logs() { # [-f] [NAME …]
    local follow=() name files=()
    if [[ "${1:-}" == -f ]]; then
        follow=(-F)
        shift
    fi
    if (($# == 0)); then
        for name in "${RUN_DIR}"/*.pid; do
            [[ ! -e "${name}" ]] || set -- "$@" "$(basename "${name}" .pid)"
        done
    fi
    for name in "$@"; do
        [[ -f "${LOG_DIR}/${name}.log" ]] || die "there is no log ${LOG_DIR}/${name}.log"
        files+=("${LOG_DIR}/${name}.log")
    done
    ((${#files[@]} > 0)) || die "nothing is running here: ./dev logs NAME, of the files in ${LOG_DIR}"
    exec tail -n 100 "${follow[@]}" "${files[@]}"
}

cmd_ctl() {
    state_prepare
    env_of_system
    ctl_run "$@"
}
