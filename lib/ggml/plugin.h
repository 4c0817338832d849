/* SPDX-License-Identifier: MIT */
#ifndef TMAC_GGML_PLUGIN_H
#define TMAC_GGML_PLUGIN_H

#include "ggml-backend-impl.h"

namespace plugin
{

/* The plug-in's registry for the ggml that `caller`, an address, is part of; null where it is not to
 * be used. Starts the plug-in when it is called first. */
ggml_backend_reg_t start_once(const void *caller);

} // namespace plugin

#endif
