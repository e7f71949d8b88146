# shellcheck shell=bash
# The whole system at once: up, down, demo. An `up` that fails or is interrupted stops what it has started.

WORKERS=2
INGRESSES=1
UP_STARTED=()

cmd_up() {
    local parts=() name missing=() lock
    up_options "$@"
    lock_state
    lock="${LOCK_FD}"
    env_of_caller
    up_parts
    for name in "${parts[@]}"; do
        process_alive "${name}" || missing+=("${name}")
    done
    if ((${#missing[@]} == 0)); then
        lock_release "${lock}"
        say "up" "it is up already: ${SLUICE_INGRESS_URL} (./dev down stops it)"
        return 0
    fi
    setup_all
    build_preset "${PRESET}"
    trap up_roll_back EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    env_write
    for name in "${missing[@]}"; do
        # schema and topics come between the servers and the programs
        if [[ "${name}" == ingress* || "${name}" == console || "${name}" == worker-* ]]; then
            up_schema_once
        fi
        UP_STARTED+=("${name}")
        part_start "${name}"
    done
    trap - EXIT INT TERM HUP
    lock_release "${lock}"
    say "up" "${SLUICE_INGRESS_URL} with ${WORKERS} workers, console ${SLUICE_CONSOLE_URL}; the environment is in ${ENV_FILE#"${ROOT}/"}"
}

up_options() {
    while (($# > 0)); do
        case "$1" in
        --workers)
            [[ "${2:-}" =~ ^[1-9][0-9]?$ ]] || usage_error "--workers wants a number from 1 to 99"
            WORKERS="$2"
            shift 2
            ;;
        --ingresses)
            [[ "${2:-}" =~ ^[1-9]$ ]] || usage_error "--ingresses wants a number from 1 to 9"
            INGRESSES="$2"
            shift 2
            ;;
        *) usage_error "up knows no '$1'" ;;
        esac
    done
}

up_parts() { # sets `parts`: what this system consists of, in the order of starting
    local number
    # a server that the caller has named is not ours to start
    ! is_ours DATABASE_URL || parts+=(postgres)
    ! is_ours KAFKA_BROKERS || parts+=(kafka)
    ! clouds_are_ours || parts+=(clouds)
    parts+=(ingress console)
    for ((number = 2; number <= INGRESSES; number++)); do
        parts+=("ingress-${number}")
    done
    for ((number = 1; number <= WORKERS; number++)); do
        parts+=("worker-${number}")
    done
}

UP_SCHEMA_DONE=false
up_schema_once() {
    if [[ "${UP_SCHEMA_DONE}" == false ]]; then
        say "postgres" "migrating the schema"
        quietly "${LOG_DIR}/migrate.log" ctl_run migrate || die "sluicectl migrate failed"
        say "kafka" "making the topics that are missing"
        quietly "${LOG_DIR}/topics.log" ctl_run topics create || die "sluicectl topics create failed"
        UP_SCHEMA_DONE=true
    fi
}

up_roll_back() {
    local status=$? index
    trap '' INT TERM HUP
    trap - EXIT
    warn "up has failed: stopping what it has started"
    for ((index = ${#UP_STARTED[@]} - 1; index >= 0; index--)); do
        # in a shell of its own: one that can't be stopped doesn't keep the others up
        (part_stop "${UP_STARTED[index]}") || true
    done
    exit "$((status == 0 ? 1 : status))"
}

cmd_down() {
    (($# == 0)) || usage_error "down takes no argument"
    lock_state
    parts_stop_all
    lock_release "${LOCK_FD}"
    say "down" "nothing of it is running"
}

cmd_demo() {
    local keep=false arguments=() was_up=false status=0
    while (($# > 0)); do
        case "$1" in
        --keep) keep=true && shift ;;
        --workers) arguments=(--workers "${2:-}") && shift 2 ;;
        *) usage_error "demo knows no '$1'" ;;
        esac
    done
    ! process_alive ingress || was_up=true
    # seven days are too long for a story
    export SLUICE_POLICY_GRACE="${SLUICE_POLICY_GRACE:-8s}"
    cmd_up "${arguments[@]}"
    if [[ "${keep}" == false && "${was_up}" == false ]]; then
        trap 'cmd_down' EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM HUP
    fi
    (
        # shellcheck disable=SC1090
        . "${ENV_FILE}"
        cd "${ROOT}"
        PYTHONPATH="${ROOT}/tests" exec "${VENV_PYTHON}" -m demo
    ) || status=$?
    if [[ "${keep}" == true ]]; then
        say "demo" "left running, with a grace period of ${SLUICE_POLICY_GRACE}: ${SLUICE_INGRESS_URL}; console: ${SLUICE_CONSOLE_URL}; ./dev down stops it"
    fi
    return "${status}"
}
