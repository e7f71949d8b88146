# What the compilers may complain about: as much as they can. The flags are on the interface target sluice_warnings,
# which the functions of Targets.cmake link to everything of ours.
#
# -Wswitch-enum is left to -Wswitch (in -Wall): a switch over a state leaves out `default`, and is then checked for
# completeness; one over somebody else's hundred error codes has one.
include(CheckCCompilerFlag)
add_library(sluice_warnings INTERFACE)

set(warnings
    -Wall -Wextra -Wpedantic -Wformat=2 -Wconversion -Wsign-conversion -Wshadow -Wundef -Wvla -Wcast-qual -Wcast-align
    -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wwrite-strings -Wpointer-arith
    -Wimplicit-fallthrough -Wdouble-promotion
    # C that was dropped from the language long ago is no warning
    -Werror=implicit -Werror=incompatible-pointer-types -Werror=int-conversion -Werror=format-security)

if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    list(APPEND warnings -Wtrampolines -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wbidi-chars=any)
    # The instrumented code of sanitizers sends the flow analysis astray.
    if(NOT SLUICE_SANITIZE)
        list(APPEND warnings -Wnull-dereference)
    endif()
elseif(CMAKE_C_COMPILER_ID MATCHES "Clang")
    list(APPEND warnings -Wnull-dereference -Wcomma -Wunreachable-code-aggressive -Wassign-enum)
endif()
if(SLUICE_WERROR)
    list(APPEND warnings -Werror)
endif()

target_compile_options(sluice_warnings INTERFACE ${warnings})
unset(warnings)
