/* SPDX-License-Identifier: MIT
 * Programs that never ask ggml to load backends, as those that have the CPU backend linked in: there
 * the plug-in registers itself before main. It is in the program from the start, by LD_PRELOAD or
 * because it was linked in; if ggml loads it later it does nothing here. */
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <limits.h>
#include <unistd.h>

#include "ggml-backend-impl.h"

#include "plugin.h"

namespace {

bool is_there_from_the_start()
{
    const char *preloaded = getenv("LD_PRELOAD"), *name;
    char program[PATH_MAX] = {}, file[PATH_MAX];
    Dl_info self;

    if (!dladdr(reinterpret_cast<void *>(is_there_from_the_start), &self) || !self.dli_fname)
        return false;
    name = strrchr(self.dli_fname, '/');
    if (preloaded && strstr(preloaded, name ? name + 1 : self.dli_fname))
        return true;
    return readlink("/proc/self/exe", program, sizeof program - 1) > 0 &&
           realpath(self.dli_fname, file) && !strcmp(file, program);
}

__attribute__((constructor)) void register_before_main()
{
    if (!is_there_from_the_start())
        return;
    const auto add = reinterpret_cast<decltype(&ggml_backend_register)>(
        dlsym(dlopen(nullptr, RTLD_LAZY), "ggml_backend_register"));
    ggml_backend_reg_t registry = add ? plugin::start_once(reinterpret_cast<void *>(add)) : nullptr;

    if (registry)
        add(registry);
}

} // namespace
