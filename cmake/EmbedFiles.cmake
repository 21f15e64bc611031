# ysdb_embed_files(<target> <dir>...): all files below the directories, readable at run time through core/base/embedded.h.
function(ysdb_embed_files target)
    set(files "")
    foreach(dir IN LISTS ARGN)
        file(GLOB_RECURSE found RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${dir}/*)
        list(APPEND files ${found})
    endforeach()
    list(SORT files)
    set(index 0)
    set(data "    .section .rodata\n")
    set(table "")
    set(full "")
    foreach(file IN LISTS files)
        list(APPEND full ${PROJECT_SOURCE_DIR}/${file})
        string(APPEND data "ysdb_file_${index}:\n    .incbin \"${PROJECT_SOURCE_DIR}/${file}\"\nysdb_file_${index}_end:\n"
            "ysdb_name_${index}:\n    .asciz \"${file}\"\n")
        string(APPEND table "    .quad ysdb_name_${index}\n    .quad ysdb_file_${index}\n    .quad ysdb_file_${index}_end - ysdb_file_${index}\n")
        math(EXPR index "${index} + 1")
    endforeach()
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/embedded.S @ONLY CONTENT
"${data}
    .section .data.rel.ro,\"aw\"
    .balign 8
    .globl ysdb_embedded_files
ysdb_embedded_files:
${table}
    .globl ysdb_embedded_count
    .balign 8
ysdb_embedded_count:
    .quad ${index}
    .section .note.GNU-stack,\"\"
")
    set_source_files_properties(${PROJECT_BINARY_DIR}/generated/embedded.S PROPERTIES OBJECT_DEPENDS "${full}")
    add_library(${target} STATIC ${PROJECT_BINARY_DIR}/generated/embedded.S)
endfunction()
