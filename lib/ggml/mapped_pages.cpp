/* SPDX-License-Identifier: MIT
 * llama.cpp maps model files and reads all their pages at once. Those of packed tensors would count as
 * the process's memory beside the packed ones for as long as it runs. */
#include "mapped_pages.h"

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <memory>

#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

namespace plugin
{
namespace
{

/* Looking a mapping up takes a tenth of a millisecond, as long as to pack so many bytes. */
constexpr size_t least_size = size_t{256} << 10;

/* Are these bytes of a file, shared, and only to be read? A line of maps looks like
 *     7f0c5a000000-7f0c60000000 r--s 00000000 fe:00 1234       /models/model.gguf  */
bool is_shared_file(uintptr_t begin, uintptr_t end)
{
    const std::unique_ptr<FILE, int (*)(FILE *)> maps(fopen("/proc/self/maps", "re"), fclose);
    char line[PATH_MAX + 128], rights[5];
    uintptr_t from, to;
    unsigned long inode;

    while (maps && fgets(line, sizeof line, maps.get()))
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %lu", &from, &to, rights, &inode) ==
                4 &&
            from <= begin && begin < to)
            return end <= to && rights[1] == '-' && rights[3] == 's' && inode != 0;
    return false;
}

} // namespace

void let_go_of_pages(const void *data, size_t size)
{
    const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    const uintptr_t at = reinterpret_cast<uintptr_t>(data);
    const uintptr_t begin = (at + page - 1) / page * page, end = (at + size) / page * page;

    if (size >= least_size && begin < end && is_shared_file(begin, end))
        madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED);
}

} // namespace plugin
