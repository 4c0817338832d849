/* SPDX-License-Identifier: MIT */
#ifndef TMAC_GGML_MAPPED_PAGES_H
#define TMAC_GGML_MAPPED_PAGES_H

#include <cstddef>

namespace plugin
{

/* Memory that has been read once and is not needed again, as far as this process knows. If it is of a
 * mapped file, the process lets go of its pages: they stay in the system's cache, from where they
 * come back if they are read all the same. Any other memory is left alone. */
void let_go_of_pages(const void *data, size_t size);

} // namespace plugin

#endif
