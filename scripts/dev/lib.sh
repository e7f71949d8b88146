# shellcheck shell=bash
# What the other files of this folder share: where things are, how to say what happens, locks, waiting, free ports.
# Sourced by ./dev, never run.
# Functions return with a number always: a bare `return` in an EXIT trap gives the status from before the trap.
# shellcheck disable=SC2034 # the other files use what this one sets
#
# Two directories: TOOLS (always .dev/ of the checkout) holds what is the same for every system started from it, the
# Kafka jars and the Python environment; STATE (SLUICE_DEV_DIR, else .dev/ too) holds one system: its servers' data,
# ports, secrets, pids and logs. So several systems run side by side, each in a STATE of its own.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
TOOLS="${ROOT}/.dev"
PRESET="${SLUICE_PRESET:-dev}"
VENV_PYTHON="${TOOLS}/venv/bin/python"

use_state() { # folder
    STATE="$(realpath -m "$1")"
    RUN_DIR="${STATE}/run"
    LOG_DIR="${STATE}/log"
    ENV_FILE="${STATE}/env"
}

use_state "${SLUICE_DEV_DIR:-${TOOLS}}"

if [[ -t 1 && -z "${NO_COLOR:-}" ]]; then
    BOLD=$'\e[1m' RED=$'\e[31m' PLAIN=$'\e[0m'
else
    BOLD='' RED='' PLAIN=''
fi

say() { # what it is about, what happens
    printf '%s==> %s:%s %s\n' "${BOLD}" "$1" "${PLAIN}" "$2"
}

warn() {
    printf '%sdev: %s%s\n' "${RED}" "$*" "${PLAIN}" >&2
}

die() { # exits 1; 64 (usage) is for the dispatcher
    warn "$@"
    exit 1
}

usage_error() {
    warn "$1"
    printf 'Try: ./dev --help\n' >&2
    exit 64
}

state_prepare() {
    mkdir -p "${TOOLS}" "${STATE}" "${RUN_DIR}" "${LOG_DIR}"
}

# Runs a command quietly: its output goes to a log, and is shown where it fails.
quietly() { # log file, command …
    local log="$1" status=0
    shift
    "$@" >"${log}" 2>&1 || status=$?
    if ((status != 0)); then
        warn "failed with status ${status}: $*"
        tail -n 40 "${log}" >&2
        printf 'dev: all of it is in %s\n' "${log}" >&2
    fi
    return "${status}"
}

# Takes a lock, which is held until lock_release or the end of this process; sets LOCK_FD. Servers are started without
# our descriptors (see process_spawn), or the lock would live as long as they do.
lock_take() { # file, what for
    local fd
    mkdir -p "$(dirname "$1")"
    exec {fd}>>"$1"
    if ! flock --nonblock "${fd}"; then
        say "lock" "waiting for another ./dev ($2)"
        flock --timeout 900 "${fd}" || die "another ./dev has held $1 for 15 minutes"
    fi
    LOCK_FD="${fd}"
}

lock_release() { # descriptor
    local fd="$1"
    exec {fd}>&-
}

# Takes the lock on a system's processes.
lock_state() {
    state_prepare
    lock_take "${STATE}/lock" "starting or stopping"
}

# Polls until a command succeeds. The pause is short: what is waited for takes tenths of a second.
wait_until() { # seconds, command …
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

port_answers() { # port on 127.0.0.1
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

http_ok() { # URL that answers 2xx
    curl --silent --fail --max-time 5 --noproxy '*' --output /dev/null "$1" 2>/dev/null
}

random_hex() { # bytes
    od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'
}

# KEY=value files, quoted for the shell.
file_get() { # file, key: prints the value, or nothing
    [[ -f "$1" ]] || return 0
    (
        set +u
        # shellcheck disable=SC1090
        unset "$2" && . "$1" && printf '%s' "${!2}"
    )
}

file_add() { # file, key, value
    printf '%s=%q\n' "$2" "$3" >>"$1"
}

# A port per name, chosen once for a STATE and kept in its file, so that a server that comes back is found where it
# was. Ports lie below the range from which the kernel takes those of outgoing connections: from there, a client that
# reconnects could be given the very port of the server that is away.
port_of() { # name: prints the port
    local port
    port="$(file_get "${STATE}/ports" "$1")"
    if [[ -z "${port}" ]]; then
        port="$(port_free)"
        file_add "${STATE}/ports" "$1" "${port}"
    fi
    printf '%s' "${port}"
}

port_free() {
    local low port try
    read -r low _ </proc/sys/net/ipv4/ip_local_port_range
    ((low > 16000)) || low=32768
    for ((try = 0; try < 200; try++)); do
        port=$((10000 + (RANDOM * 32768 + RANDOM) % (low - 10000)))
        if ! port_answers "${port}" && ! grep -qs "=${port}\$" "${STATE}/ports"; then
            printf '%s' "${port}"
            return 0
        fi
    done
    die "no free port found between 10000 and ${low}"
}
