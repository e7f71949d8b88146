# shellcheck shell=bash
# Starting and ending processes, by pid and never by name. Each has a process group of its own, RUN_DIR/NAME.pid (the
# pid alone, for anyone to read), RUN_DIR/NAME.start (boot and start time, by which a pid given to somebody else
# since is told apart) and LOG_DIR/NAME.log. Nothing restarts by itself.

process_stamp() { # pid: prints boot id and start time, fails where there is no such process, or only its zombie
    local stat fields
    stat="$(cat "/proc/$1/stat" 2>/dev/null)" || return 1
    # the second field is the program's name in parentheses and may hold anything
    read -ra fields <<<"${stat##*) }"
    [[ ${fields[0]} != [ZX] ]] || return 1
    printf '%s %s\n' "$(cat /proc/sys/kernel/random/boot_id)" "${fields[19]}"
}

process_pid() { # name: prints the pid of the living process
    local pid
    [[ -s "${RUN_DIR}/$1.pid" && -s "${RUN_DIR}/$1.start" ]] || return 1
    pid="$(<"${RUN_DIR}/$1.pid")"
    [[ "$(process_stamp "${pid}")" == "$(<"${RUN_DIR}/$1.start")" ]] || return 1
    printf '%s' "${pid}"
}

process_alive() { # name
    process_pid "$1" >/dev/null
}

process_forget() { # name
    rm -f "${RUN_DIR}/$1.pid" "${RUN_DIR}/$1.start"
}

process_spawn() { # name, command …: in the background, in a new session, without our terminal and our locks
    local name="$1" fd pid stamp
    shift
    (
        for fd in /proc/self/fd/*; do
            fd="${fd##*/}"
            # 255 is bash's own, closed by exec
            ((fd <= 2 || fd == 255)) || exec {fd}>&-
        done
        trap - INT TERM EXIT
        exec setsid "$@" </dev/null >>"${LOG_DIR}/${name}.log" 2>&1
    ) &
    pid=$!
    # the pid first: whatever happens from here on, `down` finds it
    printf '%s\n' "${pid}" >"${RUN_DIR}/${name}.pid"
    stamp="$(process_stamp "${pid}")" || true
    printf '%s\n' "${stamp}" >"${RUN_DIR}/${name}.start"
}

process_children() { # pid: prints the pids of its children
    local stat fields pid
    for stat in /proc/[0-9]*/stat; do
        pid="${stat#/proc/}"
        stat="$(cat "${stat}" 2>/dev/null)" || continue
        read -ra fields <<<"${stat##*) }"
        [[ ${fields[1]} != "$1" ]] || printf '%s\n' "${pid%/stat}"
    done
}

process_kill() { # name: SIGKILL for it, its group and its children (PostgreSQL's have groups of their own)
    local pid children
    pid="$(process_pid "$1")" || {
        process_forget "$1"
        return 0
    }
    # held still, it can't start another child while they are listed
    kill -STOP "${pid}" 2>/dev/null || true
    mapfile -t children < <(process_children "${pid}")
    kill -KILL -- "-${pid}" 2>/dev/null || kill -KILL "${pid}" 2>/dev/null || true
    ((${#children[@]} == 0)) || kill -KILL "${children[@]}" 2>/dev/null || true
    wait_until 10 process_gone "$1" "${children[@]}" || die "$1 (pid ${pid}) does not die"
    process_forget "$1"
}

process_gone() { # name, pids of its children …
    local pid
    ! process_alive "$1" || return 1
    shift
    for pid in "$@"; do
        ! process_stamp "${pid}" >/dev/null || return 1
    done
}

process_stop() { # name, signal, seconds until SIGKILL
    local pid
    pid="$(process_pid "$1")" || {
        process_forget "$1"
        return 0
    }
    kill "-$2" "${pid}" 2>/dev/null || true
    if ! wait_until "$3" process_gone "$1"; then
        warn "$1 (pid ${pid}) did not end within $3 s of SIG$2: killed"
        process_kill "$1"
    fi
    process_forget "$1"
}

process_log_tail() { # name
    if [[ -s "${LOG_DIR}/$1.log" ]]; then
        printf -- '--- the end of %s\n' "${LOG_DIR}/$1.log" >&2
        tail -n 20 "${LOG_DIR}/$1.log" >&2
        printf -- '---\n' >&2
    fi
}

# Whether starting a part waits until it is ready: not for whoever starts it while what it needs is away.
READY_WAITS=true

# Waits until a part answers; one that ends meanwhile, or never does, is the end of this script.
process_ready() { # name, seconds, command …
    local name="$1" limit_s="$2" deadline=$((SECONDS + $2))
    shift 2
    [[ "${READY_WAITS}" == true ]] || return 0
    until "$@"; do
        if ! process_alive "${name}"; then
            process_log_tail "${name}"
            die "${name} ended at its start"
        elif ((SECONDS >= deadline)); then
            process_log_tail "${name}"
            die "${name} is not ready after ${limit_s} s"
        fi
        sleep 0.1
    done
}
