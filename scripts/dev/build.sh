# shellcheck shell=bash
# Building by a preset of CMakePresets.json, into build/PRESET.

build_preset() { # preset, more arguments of cmake's configuration …
    local preset="$1" dir="${ROOT}/build/$1" log="${LOG_DIR}/build-$1.log" lock
    shift
    mkdir -p "${dir}"
    lock_take "${dir}/.dev-lock" "building ${preset}"
    lock="${LOCK_FD}"
    (cd "${ROOT}" && quietly "${log}" cmake --preset "${preset}" "$@") || die "cmake --preset ${preset} failed"
    say "build" "${preset}, into build/${preset}"
    (cd "${ROOT}" && quietly "${log}" cmake --build --preset "${preset}") || die "the build ${preset} failed"
    lock_release "${lock}"
}

program_path() { # program: prints where the current preset has put it
    # shellcheck disable=SC2153 # set in lib.sh
    local path="${ROOT}/build/${PRESET}/bin/$1"
    [[ -x "${path}" ]] || die "$1 is not built: ./dev build ${PRESET}"
    printf '%s' "${path}"
}
