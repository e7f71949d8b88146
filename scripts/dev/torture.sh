# shellcheck shell=bash
# The torture: tests/torture on a fleet of its own, optimised programs without sanitizers. What is left of it when it is
# interrupted is stopped here.

cmd_torture() {
    local status=0
    env_clear
    use_state "${SLUICE_DEV_DIR:-${TOOLS}/torture}"
    export SLUICE_DEV_DIR="${STATE}" SLUICE_PRESET="${PRESET}"
    if [[ " $* " == *" --help "* || " $* " == *" -h "* ]]; then
        venv_complete || setup_all
        torture_run "$@"
        return 0
    fi
    setup_all
    build_preset "${PRESET}"
    lock_take "${STATE}/torture.lock" "torturing"
    [[ " $* " == *" --keep "* ]] || trap torture_clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    torture_run "$@" || status=$?
    return "${status}"
}

torture_run() { # arguments …
    (cd "${ROOT}" && PYTHONPATH="${ROOT}/tests" PYTHONDONTWRITEBYTECODE=1 exec "${VENV_PYTHON}" -m torture "$@")
}

torture_clean_up() {
    trap - EXIT
    [[ ! -d "${STATE}/fleet/run" ]] || SLUICE_DEV_DIR="${STATE}/fleet" "${ROOT}/dev" down >/dev/null
    ! mountpoint -q "${STATE}/wal" || umount --lazy "${STATE}/wal"
}
