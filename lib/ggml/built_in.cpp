/* SPDX-License-Identifier: MIT
 * For programs that have ggml and this plug-in built in: registers it before main, as loading it
 * would. The program must be linked with --export-dynamic, since ggml is looked up, not linked. */
#include <dlfcn.h>

#include "ggml-backend-impl.h"

extern "C" ggml_backend_reg_t ggml_backend_tmac_reg(const void *caller);

__attribute__((constructor)) static void register_built_in()
{
    void *program = dlopen(nullptr, RTLD_LAZY);
    const auto add =
        reinterpret_cast<decltype(&ggml_backend_register)>(dlsym(program, "ggml_backend_register"));
    ggml_backend_reg_t registry = add ? ggml_backend_tmac_reg(reinterpret_cast<void *>(add)) : nullptr;

    if (registry)
        add(registry);
}
