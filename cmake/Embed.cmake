# Writes OUTPUT, a C file that holds each of FILES (name and bytes) in the table ${TABLE}S of struct STRUCT, as HEADER declares them.
set(tables "")
set(rows "")
set(index 0)
foreach(file IN LISTS FILES)
    get_filename_component(name "${file}" NAME)
    file(READ "${file}" hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND tables "static const unsigned char file_${index}[] = {${bytes}0x00};\n")
    string(APPEND rows "    {\"${name}\", (const char *)file_${index}, sizeof(file_${index}) - 1},\n")
    math(EXPR index "${index} + 1")
endforeach()
file(WRITE "${OUTPUT}" "#include \"${HEADER}\"\n\n${tables}\n"
    "const struct ${STRUCT} ${TABLE}S[] = {\n${rows}};\nconst size_t ${TABLE}_COUNT = ${index};\n")
