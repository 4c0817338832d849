/* SPDX-License-Identifier: MIT
 * The start: what ggml calls when it loads a backend from a file. On any doubt nothing of the host is changed,
 * one line says why, and it runs as it would have without us. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include <dlfcn.h>

#include "host.h"
#include "packed_tensor.h"
#include "plugin.h"
#include "ways.h"

namespace plugin
{
namespace
{

const char *registry_name(ggml_backend_reg_t)
{
    return "TMAC";
}

size_t no_devices(ggml_backend_reg_t)
{
    return 0;
}

ggml_backend_dev_t no_device(ggml_backend_reg_t, size_t)
{
    return nullptr;
}

void *no_functions(ggml_backend_reg_t, const char *)
{
    return nullptr;
}

/* The way that GGML_TMAC asks for, or the first that works. Null where none does; `wrong` says why the
 * last did not. */
const char *enter(const char *wanted, const char **wrong)
{
    static const struct {
        const char *name;
        const char *(*enter)(bool asked_for);
    } ways[] = {
        {"extra", [](bool) { return enter_extra(); }},
        {"hook", [](bool) { return enter_hook(); }},
        {"device", [](bool asked_for) { return enter_device(asked_for, false); }},
        {"isolated", [](bool asked_for) { return enter_device(asked_for, true); }},
    };

    *wrong = "GGML_TMAC names no way in: extra, hook, device, isolated or off";
    for (const auto &way : ways) {
        if (wanted ? strcmp(wanted, way.name) : !strcmp(way.name, "isolated"))
            continue;
        if (!(*wrong = way.enter(wanted != nullptr)))
            return way.name;
        log(GGML_LOG_LEVEL_DEBUG, "not by %s: %s", way.name, *wrong);
    }
    return nullptr;
}

/* Calls of ours are in the host's structs now: stay, whatever is closed. */
void stay_loaded()
{
    Dl_info info;

    if (dladdr(reinterpret_cast<void *>(stay_loaded), &info) && info.dli_fname)
        dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

ggml_backend_reg_t start(const void *caller)
{
    const char *wanted = getenv("GGML_TMAC"), *wrong = nullptr, *way;
    tmac_status status;

    if (wanted && !*wanted)
        wanted = nullptr;
    if (wanted && !strcmp(wanted, "off")) {
        wrong = "GGML_TMAC=off";
    } else if (!find_host(caller, &wrong)) {
        log(GGML_LOG_LEVEL_WARN, "not used: this ggml does not export %s", wrong);
        return nullptr;
    } else if (!check_host(&wrong)) {
        log(GGML_LOG_LEVEL_WARN, "not used: this is ggml %s, built for %d.%d; what differs is %s",
            ggml.version(), TMAC_GGML_MAJOR, TMAC_GGML_MINOR, wrong);
        return nullptr;
    } else if (ggml.reg_by_name(registry_name(nullptr))) {
        wrong = "this program has libtmac in it already";
    } else if (!engine(&status)) {
        wrong = tmac_status_text(status);
    } else if ((way = enter(wanted, &wrong))) {
        stay_loaded();
        log(GGML_LOG_LEVEL_INFO, "libtmac %s multiplies on %s (ggml %s, by %s)",
            tmac_version_text(), tmac_context_isa(engine()), ggml.version(), way);
        return &registry;
    }
    log(GGML_LOG_LEVEL_WARN, "not used: %s", wrong);
    return nullptr;
}

} // namespace

/* A second ggml in the same process would need hooks of its own: it goes without. */
ggml_backend_reg_t start_once(const void *caller)
{
    static std::mutex lock;
    static ggml_backend_reg_t made;
    static bool called;
    const std::lock_guard<std::mutex> guard(lock);

    if (!called) {
        called = true;
        made = start(caller);
    } else if (made && !is_same_host(caller)) {
        fprintf(stderr, "tmac: not used: another ggml in this process uses it\n");
        return nullptr;
    }
    return made;
}

ggml_backend_reg registry = {
    GGML_BACKEND_API_VERSION, {registry_name, no_devices, no_device, no_functions}, nullptr};

} // namespace plugin

/* ggml calls this in a backend that it has loaded. */
extern "C" __attribute__((visibility("default"))) ggml_backend_reg_t ggml_backend_init(void)
{
    return plugin::start_once(__builtin_return_address(0));
}

/* Hosts that choose among variants of a backend: there is one of this, and it works everywhere. */
extern "C" __attribute__((visibility("default"))) int ggml_backend_score(void)
{
    return 1;
}
