// The first call of a function of a lazily loaded library lands here (cmake/LazyLibrary.cmake writes the stubs).
#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace {

// No exception can pass the stub's frame: without its library the process cannot go on.
[[noreturn]] void die(const char* what, const char* why) {
    for (const char* text : {"ysdb: cannot load ", what, ": ", why, "\nhint: run ./bootstrap deps, or install the package that brings it\n"}) {
        if (write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
    }
    _exit(70);
}

}  // namespace

extern "C" void* ysdb_lazy_bind(std::atomic<void*>* handle, const char* soname, const char* names, std::uint64_t index) {
    void* library = handle->load(std::memory_order_acquire);
    if (library == nullptr) {
        library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) die(soname, dlerror());
        handle->store(library, std::memory_order_release);
    }
    for (; index > 0; --index) names += std::strlen(names) + 1;
    void* address = dlsym(library, names);
    if (address == nullptr) die(names, dlerror());
    return address;
}
