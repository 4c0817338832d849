/* SPDX-License-Identifier: MIT
 * Programs that never ask ggml to load backends, as those that have the CPU backend linked in: there
 * the plug-in registers itself before main. It is in the program from the start, by LD_PRELOAD or
 * because it was linked in; if ggml loads it later it does nothing here. */
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <limits.h>
#include <unistd.h>

#include "ggml-backend-impl.h"

#include "plugin.h"

namespace
{

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
    void *program = dlopen(nullptr, RTLD_LAZY);
    const auto find = reinterpret_cast<decltype(&ggml_backend_dev_by_type)>(
        dlsym(program, "ggml_backend_dev_by_type"));
    const auto add =
        reinterpret_cast<decltype(&ggml_backend_register)>(dlsym(program, "ggml_backend_register"));

    if (!find || !add) /* a program without ggml */
        return;
    if (!find(GGML_BACKEND_DEVICE_TYPE_CPU)) {
        fprintf(stderr, "tmac: this program loads its CPU backend later: use GGML_BACKEND_PATH\n");
        return;
    }
    if (ggml_backend_reg_t registry = plugin::start_once(reinterpret_cast<void *>(add)))
        add(registry);
}

} // namespace
