# The flags of the OpenSSF guide "Compiler Options Hardening Guide for C and C++", on the interface target
# sluice_hardening. Flags that this compiler does not know are left out; tests/lint/hardening.py looks at the result.
include(CheckCCompilerFlag)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_library(sluice_hardening INTERFACE)

set(candidates
    -fstack-protector-strong -fstack-clash-protection -fstrict-flex-arrays=3 -ftrivial-auto-var-init=zero
    -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing -fexceptions
    -fzero-init-padding-bits=all)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(APPEND candidates -fcf-protection=full)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    list(APPEND candidates -mbranch-protection=standard)
endif()
foreach(flag IN LISTS candidates)
    string(MAKE_C_IDENTIFIER "SLUICE_HAS${flag}" known)
    check_c_compiler_flag("${flag}" ${known})
    if(${known})
        target_compile_options(sluice_hardening INTERFACE ${flag})
    endif()
endforeach()
unset(candidates)

# Fortified functions hide from the sanitizers what they would find, and need an optimising build.
if(NOT SLUICE_SANITIZE AND NOT SLUICE_FUZZ)
    target_compile_options(sluice_hardening INTERFACE
        $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>)
endif()

target_link_options(sluice_hardening INTERFACE
    -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed -Wl,--no-copy-dt-needed-entries)
