# shellcheck shell=bash
# The parts of a system: how each is started, known ready, and stopped. The order is that of starting.

PROGRAM_READY_S=60

part_known() { # name
    [[ "$1" =~ ^(postgres|kafka|clouds|ingress|ingress-[2-9]|console|worker-[1-9][0-9]?)$ ]]
}

parts_check() { # names …
    local name
    (($# > 0)) || usage_error "which part? postgres, kafka, clouds, ingress, ingress-2 …, console, worker-1 …"
    for name in "$@"; do
        part_known "${name}" || usage_error "there is no part '${name}': postgres, kafka, clouds, ingress, ingress-2 …, console, worker-1 …"
    done
}

# The plain call of this function matters: in `part_start x || …` a failing command in the middle would go unnoticed.
part_start() { # name
    local name="$1"
    if process_alive "${name}"; then
        say "${name}" "running already (pid $(process_pid "${name}"))"
        return 0
    fi
    setup_for "${name}"
    case "${name}" in
    postgres) postgres_start ;;
    kafka) kafka_start ;;
    clouds) clouds_start ;;
    ingress*) program_start "${name}" sluice-ingress SLUICE_INGRESS_LISTEN ;;
    console) program_start console sluice-console SLUICE_CONSOLE_LISTEN ;;
    worker-*) program_start "${name}" sluice-worker SLUICE_WORKER_ADMIN_LISTEN ;;
    esac
    if [[ "${READY_WAITS}" == true ]]; then
        say "${name}" "ready (pid $(process_pid "${name}"))"
    else
        say "${name}" "started"
    fi
}

part_port() { # name: prints the port of ingress, the console or a worker
    local key="${1^^}"
    port_of "${key//-/_}_PORT"
}

# Secrets of one program that another has no use for.
NOT_OF_CONSOLE=(
    STRIPE_SECRET_KEY GITHUB_PAT HCLOUD_TOKEN TAILSCALE_API_KEY TAILSCALE_OAUTH_CLIENT_SECRET PROVISIONER_API_KEY
    RESEND_API_KEY SLUICE_DATA_KEYS STRIPE_WEBHOOK_SECRET GITHUB_CALLBACK_SECRET GITHUB_WEBHOOK_SECRET
    DASHBOARD_WEBHOOK_SECRET
)
NOT_OF_WORKER=(
    SLUICE_CONSOLE_TOKEN SLUICE_JWT_SECRET STRIPE_WEBHOOK_SECRET GITHUB_CALLBACK_SECRET GITHUB_WEBHOOK_SECRET
    DASHBOARD_WEBHOOK_SECRET
)
NOT_OF_INGRESS=(
    DATABASE_URL SLUICE_CONSOLE_TOKEN STRIPE_SECRET_KEY GITHUB_PAT HCLOUD_TOKEN TAILSCALE_API_KEY
    TAILSCALE_OAUTH_CLIENT_SECRET PROVISIONER_API_KEY RESEND_API_KEY
)

program_start() { # part, program, variable that sets where it listens
    local name="$1" path port
    path="$(program_path "$2")"
    port="$(part_port "${name}")"
    (
        program_command "${2#sluice-}"
        program_detour "${name}"
        process_spawn "${name}" "${PROGRAM_ENV[@]}" "$3=127.0.0.1:${port}" "${path}" "${PROGRAM_OPTIONS[@]}"
    )
    process_ready "${name}" "${PROGRAM_READY_S}" http_ok "http://127.0.0.1:${port}/readyz"
}

# Has a program reach servers through proxies: STATE/detours/NAME holds a line `port port` for each server, where it is
# and where the program shall find it. Changes the environment of the (sub)shell that calls it.
program_detour() { # part
    local from to name value detours="${STATE}/detours/$1"
    [[ -f "${detours}" ]] || return 0
    while read -r from to; do
        PROGRAM_ENV=("${PROGRAM_ENV[@]//127.0.0.1:${from}/127.0.0.1:${to}}")
        while IFS= read -r name; do
            value="${!name//127.0.0.1:${from}/127.0.0.1:${to}}"
            [[ "${value}" == "${!name}" ]] || printf -v "${name}" '%s' "${value}"
        done < <(env_names)
    done <"${detours}"
}

# Sets what stands before and after a program's path: its environment is that of RUN_DIR/programs, without what is
# another program's alone. As whom it meets the database goes by the environment too, for arguments are everybody's to
# read: DATABASE_URL of this shell is the program's from here on.
program_command() { # ingress, worker, console, ctl; owner: sluicectl migrate
    local name
    PROGRAM_ENV=(env)
    case "$1" in
    ingress) for name in "${NOT_OF_INGRESS[@]}"; do PROGRAM_ENV+=("--unset=${name}"); done ;;
    worker) for name in "${NOT_OF_WORKER[@]}"; do PROGRAM_ENV+=("--unset=${name}"); done ;;
    console) for name in "${NOT_OF_CONSOLE[@]}"; do PROGRAM_ENV+=("--unset=${name}"); done ;;
    esac
    if [[ "$1" != ingress ]] && is_ours DATABASE_URL; then
        DATABASE_URL="$(postgres_url "$1")"
        export DATABASE_URL
    fi
    for name in "${DEV_NAMES[@]}"; do
        PROGRAM_ENV+=("--unset=${name}")
    done
    PROGRAM_ENV+=(
        "ASAN_OPTIONS=${ASAN_OPTIONS:-halt_on_error=1:abort_on_error=1:detect_leaks=1}"
        "UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:abort_on_error=1:print_stacktrace=1}"
        "TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:abort_on_error=1:second_deadlock_stack=1:ignore_noninstrumented_modules=1}"
    )
    # what gcov counts, and what ThreadSanitizer reports, is written to files that are opened late
    [[ "${PRESET}" != coverage && "${PRESET}" != tsan ]] || PROGRAM_ENV+=("SLUICE_SANDBOX_ENABLED=off")
    PROGRAM_OPTIONS=()
    [[ ! -f "${ROOT}/deploy/sluice.conf" ]] || PROGRAM_OPTIONS=(--config "${ROOT}/deploy/sluice.conf")
}

ctl_run() { # sluicectl's arguments …
    local path role=ctl
    path="$(program_path sluicectl)"
    [[ " $* " != *" migrate "* ]] || role=owner
    program_command "${role}"
    "${PROGRAM_ENV[@]}" "${path}" "${PROGRAM_OPTIONS[@]}" "$@"
}

part_stop() { # name
    if ! process_alive "$1"; then
        process_forget "$1"
        return 0
    fi
    case "$1" in
    # SIGTERM would have the server wait for its clients
    postgres) process_stop "$1" INT 60 ;;
    clouds) process_stop "$1" TERM 10 ;;
    *) process_stop "$1" TERM 60 ;;
    esac
    say "$1" "stopped"
}

# The doors first, then the workers, then what they work with. What isn't known by name is stopped too.
parts_stop_all() {
    local name file names=(ingress ingress-{2..9} console) last=(clouds kafka postgres)
    for file in "${RUN_DIR}"/*.pid; do
        [[ -e "${file}" ]] || continue
        name="$(basename "${file}" .pid)"
        [[ " ${names[*]} ${last[*]} " == *" ${name} "* ]] || names+=("${name}")
    done
    for name in "${names[@]}" "${last[@]}"; do
        part_stop "${name}"
    done
}

cmd_start() { # [--no-wait] NAME …
    local name
    if [[ "${1:-}" == --no-wait ]]; then
        READY_WAITS=false
        shift
    fi
    parts_check "$@"
    lock_state
    env_of_system
    for name in "$@"; do
        part_start "${name}"
    done
}

cmd_stop() {
    local name
    parts_check "$@"
    lock_state
    for name in "$@"; do
        part_stop "${name}"
    done
}

cmd_kill() {
    local name
    parts_check "$@"
    lock_state
    for name in "$@"; do
        if process_alive "${name}"; then
            process_kill "${name}"
            say "${name}" "killed"
        else
            process_forget "${name}"
            say "${name}" "was not running"
        fi
    done
}

cmd_restart() {
    local name
    parts_check "$@"
    lock_state
    env_of_system
    for name in "$@"; do
        part_stop "${name}"
        part_start "${name}"
    done
}

cmd_status() {
    local file name pid
    printf '%-12s %-8s %s\n' part pid log
    for file in "${RUN_DIR}"/*.pid; do
        [[ -e "${file}" ]] || continue
        name="$(basename "${file}" .pid)"
        pid="$(process_pid "${name}")" || pid="dead"
        printf '%-12s %-8s %s\n' "${name}" "${pid}" "${LOG_DIR}/${name}.log"
    done
}
