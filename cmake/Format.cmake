# Targets that read or rewrite the sources: format (in place), format-check (fails on a difference), tidy.
find_program(SLUICE_CLANG_FORMAT NAMES clang-format-14 clang-format clang-format-19 clang-format-16)
find_program(SLUICE_RUN_CLANG_TIDY NAMES run-clang-tidy-14 run-clang-tidy run-clang-tidy-19 run-clang-tidy-16)

set(patterns "")
foreach(folder common ingress worker console ctl tests)
    list(APPEND patterns "${CMAKE_SOURCE_DIR}/${folder}/*.c" "${CMAKE_SOURCE_DIR}/${folder}/*.h")
endforeach()
file(GLOB_RECURSE sluice_sources CONFIGURE_DEPENDS ${patterns})

if(SLUICE_CLANG_FORMAT AND sluice_sources)
    add_custom_target(format COMMAND ${SLUICE_CLANG_FORMAT} -i ${sluice_sources} VERBATIM)
    add_custom_target(format-check COMMAND ${SLUICE_CLANG_FORMAT} --dry-run -Werror ${sluice_sources} VERBATIM)
endif()
if(SLUICE_RUN_CLANG_TIDY)
    add_custom_target(tidy COMMAND ${SLUICE_RUN_CLANG_TIDY} -quiet -p "${CMAKE_BINARY_DIR}"
        "^${CMAKE_SOURCE_DIR}/(common|ingress|worker|console|ctl)/.*" VERBATIM)
endif()
unset(patterns)
