# shellcheck shell=bash
# Benchmarks: a release build, a system of its own, tests/bench. Results are added to .dev/bench/ as JSON lines.

cmd_bench() {
    local status=0
    env_clear
    use_state "${SLUICE_DEV_DIR:-${TOOLS}/bench/system}"
    PRESET="${SLUICE_PRESET:-release}"
    export SLUICE_DEV_DIR="${STATE}" SLUICE_PRESET="${PRESET}"
    setup_all
    build_preset "${PRESET}"
    mkdir -p "${TOOLS}/bench"
    trap 'cmd_down >/dev/null' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    (cd "${ROOT}" && PYTHONPATH="${ROOT}/tests" "${VENV_PYTHON}" -m bench "$@") || status=$?
    return "${status}"
}
