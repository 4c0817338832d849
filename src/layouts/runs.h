/* SPDX-License-Identifier: MIT
 * The numbers of a row's groups where a tile keeps them, a run of TMAC_RUN_GROUPS groups at a time:
 * to there and back. */
#ifndef TMAC_RUNS_H
#define TMAC_RUNS_H

#include "formats/formats.h"
#include "layouts/shape.h"

/* Where the numbers of a run of groups of one row are, in bytes from the tile's first scale. */
struct tmac_run {
    int64_t first;              /* the run's first group */
    int groups;                 /* 0 behind the row's last group */
    int super_groups;           /* as many as one super-group has in the run */
    size_t head;                /* the row's scale in the run's first super-group */
    size_t own;                 /* the row's first byte of the run's first group */
    size_t super;               /* from one super-group to the next */
    size_t pair;                /* from one pair of groups to the next */
    size_t odd;                 /* from one group of a pair to the other */
    size_t kind;                /* from the row's sub-scale to its sub-minimum */
    size_t next_head, next_own; /* to where the row's next run starts */
};

/* The first run of row `row` of a tile, and the one after a run. */
struct tmac_run tmac_first_run(const struct tmac_shape *shape, int row);
void tmac_next_run(const struct tmac_shape *shape, struct tmac_run *run);

/* The numbers of a run to where kernels find them. */
void tmac_put_groups(const struct tmac_shape *shape, const struct tmac_run *run,
                     const struct tmac_groups *groups, uint8_t *scales);

/* The same numbers back, of weights as ggml blocks have them: scales are f16, there are no zero points. */
void tmac_get_groups(const struct tmac_shape *shape, const struct tmac_run *run,
                     const uint8_t *scales, struct tmac_groups *groups);

#endif
