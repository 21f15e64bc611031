# ysdb_lazy_library(<target> <library> [PREFIX <regex>])
#
# Makes <target>, a static library of stubs with the exported function names of a shared library. The first call of any of them
# opens the real library and binds that function; a process that never calls one never pays for loading it. Loading libpq, libcurl,
# librdkafka and OpenSSL up front costs 10 ms and more at each start, most of it in their own dependencies.
# Stubs exist for x86-64; elsewhere <target> links the library the ordinary way.
function(ysdb_lazy_library target library)
    cmake_parse_arguments(ARG "" "PREFIX" "" ${ARGN})
    find_library(${target}_path NAMES ${library} REQUIRED)
    if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" OR YSDB_SANITIZE)
        add_library(${target} INTERFACE)
        target_link_libraries(${target} INTERFACE ${${target}_path})
        return()
    endif()
    file(REAL_PATH ${${target}_path} real)
    set_property(GLOBAL APPEND PROPERTY ysdb_lazy_files ${real})  # a package has to depend on them by name: no linker says so
    execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${real} OUTPUT_VARIABLE dynamic COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCH "SONAME +([^\n ]+)" _ "${dynamic}")
    set(soname ${CMAKE_MATCH_1})
    execute_process(COMMAND ${CMAKE_NM} -D --defined-only ${real} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCHALL "[0-9a-f]+ [TWi] [^\n@]+" lines "${symbols}")
    set(stubs "")
    set(slots "")
    set(names "")
    set(index 0)
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^[0-9a-f]+ [TWi] " "" name "${line}")
        if(ARG_PREFIX AND NOT name MATCHES "${ARG_PREFIX}")
            continue()
        endif()
        if(name MATCHES "^_")
            continue()
        endif()
        string(APPEND stubs
            "    .globl ${name}\n    .type ${name}, @function\n${name}:\n    jmp *${target}_slot_${index}(%rip)\n"
            "${target}_bind_${index}:\n    pushq $${index}\n    jmp ${target}_bind\n")
        string(APPEND slots "${target}_slot_${index}:\n    .quad ${target}_bind_${index}\n")
        string(APPEND names "    .asciz \"${name}\"\n")
        math(EXPR index "${index} + 1")
    endforeach()
    if(index EQUAL 0)
        message(FATAL_ERROR "no functions found in ${real}")
    endif()
    set(out ${CMAKE_BINARY_DIR}/lazy/${target}.S)
    # ysdb_lazy_bind(handle*, soname, names, index) -> address. All argument registers are kept for the real function.
    file(CONFIGURE OUTPUT ${out} @ONLY CONTENT [=[
    .text
@stubs@
@target@_bind:
    pushq %rax
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %r8
    pushq %r9
    subq $136, %rsp
    movups %xmm0, (%rsp)
    movups %xmm1, 16(%rsp)
    movups %xmm2, 32(%rsp)
    movups %xmm3, 48(%rsp)
    movups %xmm4, 64(%rsp)
    movups %xmm5, 80(%rsp)
    movups %xmm6, 96(%rsp)
    movups %xmm7, 112(%rsp)
    leaq @target@_handle(%rip), %rdi
    leaq @target@_soname(%rip), %rsi
    leaq @target@_names(%rip), %rdx
    movq 192(%rsp), %rcx
    call ysdb_lazy_bind@PLT
    movq 192(%rsp), %rcx
    leaq @target@_slots(%rip), %rdx
    movq %rax, (%rdx,%rcx,8)
    movq %rax, %r11
    movups (%rsp), %xmm0
    movups 16(%rsp), %xmm1
    movups 32(%rsp), %xmm2
    movups 48(%rsp), %xmm3
    movups 64(%rsp), %xmm4
    movups 80(%rsp), %xmm5
    movups 96(%rsp), %xmm6
    movups 112(%rsp), %xmm7
    addq $136, %rsp
    popq %r9
    popq %r8
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
    popq %rax
    addq $8, %rsp
    jmp *%r11

    .data
    .balign 8
@target@_handle:
    .quad 0
@target@_slots:
@slots@
    .section .rodata
@target@_soname:
    .asciz "@soname@"
@target@_names:
@names@
    .section .note.GNU-stack,"",@progbits
]=])
    add_library(${target} STATIC ${out} ${PROJECT_SOURCE_DIR}/core/base/lazy_library.cpp)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${target} PUBLIC ${CMAKE_DL_LIBS})
    set_property(GLOBAL APPEND PROPERTY YSDB_LAZY_SONAMES ${soname})
endfunction()
