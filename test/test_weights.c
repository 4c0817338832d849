/* SPDX-License-Identifier: MIT
 *
 * Packing and unpacking: every kind of weights against the weights computed from their description,
 * in every packed layout; packing by row ranges; and the bytes it takes. */
#include "support/blocks.h"
#include "support/check.h"
#include "support/contexts.h"
#include "support/matrix.h"
#include "support/widths.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct contexts contexts;
static uint64_t seed;

/* ---- every kind ------------------------------------------------------------------------------ */

static const int64_t all_rows[] = {1, 31, 33, 65, 100};

struct level {
    tmac_sub_format sub;
    int64_t group, super_group;
};

/* One level with every group, then two levels with every pair. */
static size_t list_levels(struct level *levels)
{
    static const int64_t groups[] = {16, 32, 64, 128, 256, TMAC_GROUP_ROW, TMAC_GROUP_TENSOR};
    static const int64_t supers[] = {32, 64, 128, 256, TMAC_GROUP_ROW};
    size_t count = 0;

    for (size_t g = 0; g < COUNT(groups); g++)
        levels[count++] = (struct level){TMAC_SUB_NONE, groups[g], 0};
    for (int sub = TMAC_SUB_I8; sub <= TMAC_SUB_U4; sub++)
        for (int64_t group = 16; group <= 128; group *= 2)
            for (size_t s = 0; s < COUNT(supers); s++)
                if (supers[s] < 0 || supers[s] > group)
                    levels[count++] = (struct level){(tmac_sub_format)sub, group, supers[s]};
    return count;
}

/* Odd inputs for a level: one group, an odd number of them, more than the library takes at once. */
static int64_t choose_cols(const struct level *level, int which)
{
    static const int64_t rows[] = {1, 20, 100, 1061};
    const int64_t unit = level->super_group > 0 ? level->super_group : level->group;

    if (unit < 0)
        return rows[which];
    return which == 0   ? unit
           : which == 1 ? 3 * unit
           : which == 2 ? 5 * unit
                        : (1056 + unit - 1) / unit * unit;
}

static void check_unpacked(const tmac_weights *weights, const struct matrix *m, int64_t row_begin,
                           int64_t row_end, int64_t stride, const char *layout)
{
    const int64_t rows = row_end - row_begin, cols = m->kind.cols;
    const size_t count = rows ? (size_t)((rows - 1) * stride + cols) : 1;
    struct guard guard;
    float *out = guard_new(&guard, count * sizeof *out, sizeof *out, GUARD_END);
    const float before = out[0];

    check_spoil_stack();
    CHECK_OK(tmac_weights_unpack(weights, row_begin, row_end, out, stride));
    CHECK(guard_intact(&guard), "%s, %s: wrote outside", matrix_name(&m->kind), layout);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t k = 0; k < cols; k++) {
            const float want = matrix_weight(m, row_begin + r, k), got = out[r * stride + k];
            CHECK(want == got, "%s, %s: [%lld][%lld] %.9g, expected %.9g", matrix_name(&m->kind),
                  layout, (long long)(row_begin + r), (long long)k, (double)got, (double)want);
        }
        for (int64_t k = cols; k < stride && r < rows - 1; k++)
            CHECK(memcmp(&out[r * stride + k], &before, sizeof before) == 0,
                  "%s, %s: wrote between rows", matrix_name(&m->kind), layout);
    }
    guard_free(&guard);
}

static void check_info(const tmac_weights *weights, const struct matrix_kind *kind)
{
    const bool row = kind->group < 0, row_super = kind->super_group == TMAC_GROUP_ROW;
    tmac_weights_info info = {.struct_size = sizeof info};

    CHECK_OK(tmac_weights_query(weights, &info));
    CHECK(info.rows == kind->rows && info.cols == kind->cols && info.width == kind->width &&
              info.group == (row ? TMAC_GROUP_ROW : kind->group) &&
              info.super_group == (kind->sub == TMAC_SUB_NONE ? 0
                                   : row_super                ? kind->cols
                                                              : kind->super_group) &&
              info.table_layout != 0 && info.row_step > 0 && info.layout && info.kernel &&
              (uintptr_t)info.packed % TMAC_PACKED_ALIGNMENT == 0,
          "%s", matrix_name(kind));
}

static void check_kind(const struct matrix_kind *kind, uint64_t index)
{
    const int layout = (int)(index % LAYOUTS);
    tmac_context *context = (index / LAYOUTS % 2 ? contexts.best : contexts.scalar)[layout];
    const char *name = tmac_layout_name((enum tmac_layout)layout);
    struct rng rng = rng_stream(seed, 1, index);
    const int64_t middle = rng_between(&rng, 0, (int)kind->rows);
    struct matrix m;
    tmac_weights *weights;

    matrix_new(&m, kind, &rng);
    if (!context_holds(context, &m.desc)) {
        matrix_free(&m);
        return;
    }
    CHECK_STATUS(tmac_weights_pack(context, &m.desc, &weights), TMAC_OK, "%s, %s",
                 matrix_name(kind), name);
    check_info(weights, kind);
    check_unpacked(weights, &m, 0, kind->rows, kind->cols, name);
    check_unpacked(weights, &m, middle, middle + (kind->rows - middle) / 2, kind->cols + 3, name);
    tmac_weights_free(weights);
    matrix_free(&m);
}

static void check_level(const struct level *level, uint64_t *index, int share)
{
    for (int w = 0; w < TEST_WIDTHS; w++)
        for (int variant = 0; variant < 2 * 3 * 4; variant++)
            for (int shape = 0; shape < 4; shape++) {
                const uint64_t i = ++*index;
                const struct matrix_kind kind = {
                    .rows = all_rows[(i / 7 + i) % COUNT(all_rows)],
                    .cols = choose_cols(level, shape),
                    .width = test_widths[w],
                    .codes = (tmac_code_format)(variant % 2),
                    .group = level->group,
                    .scale_type = (tmac_scale_type)(variant / 2 % 3),
                    .zero = (tmac_zero)(variant / 6),
                    .sub = level->sub,
                    .super_group = level->super_group,
                    .strides = i % 3 == 0,
                    .odd = i % 5 == 0,
                };
                if (i % (uint64_t)share == 0)
                    check_kind(&kind, i / (uint64_t)share);
            }
}

static void test_every_kind(void **state)
{
    struct level levels[64];
    const size_t count = list_levels(levels);
    const int share = check_share(5);
    uint64_t index = 0;

    (void)state;
    for (size_t l = 0; l < count; l++)
        check_level(&levels[l], &index, share);
}

/* Every combination of a layout, a width and a shape, which the test above only samples. */
static void test_every_layout(void **state)
{
    static const int64_t all_cols[] = {16, 48, 64, 1056};
    const int share = check_share(1);
    uint64_t index = 0;

    (void)state;
    for (int w = 0; w < TEST_WIDTHS; w++)
        for (size_t r = 0; r < COUNT(all_rows); r++)
            for (size_t c = 0; c < COUNT(all_cols); c++)
                for (int l = 0; l < 2 * LAYOUTS; l++) {
                    const struct matrix_kind kind = {.rows = all_rows[r],
                                                     .cols = all_cols[c],
                                                     .width = test_widths[w],
                                                     .group = 16,
                                                     .zero = (tmac_zero)(c % 4)};
                    if (index++ % (uint64_t)share == 0)
                        check_kind(&kind, index - 1);
                }
}

/* ---- packing by row ranges ------------------------------------------------------------------- */

struct range_job {
    pthread_t thread;
    const tmac_context *context;
    const tmac_weights_desc *desc;
    int64_t begin, end;
    void *packed;
    size_t bytes;
    tmac_status status;
};

static void *pack_range(void *arg)
{
    struct range_job *job = arg;
    check_spoil_stack();
    job->status =
        tmac_packed_rows(job->context, job->desc, job->begin, job->end, job->packed, job->bytes);
    return NULL;
}

/* Ranges of one row step each, packed by as many threads, the last ones first. */
static void pack_by_ranges(const tmac_context *context, const tmac_weights_desc *desc,
                           const tmac_packed_plan *plan, void *packed)
{
    struct range_job jobs[8];
    const int64_t steps = (desc->rows + plan->row_step - 1) / plan->row_step;

    CHECK(steps <= (int64_t)COUNT(jobs), "%lld steps", (long long)steps);
    CHECK_OK(tmac_packed_begin(context, desc, packed, plan->bytes));
    for (int64_t s = steps - 1; s >= 0; s--) {
        const int64_t begin = s * plan->row_step, end = begin + plan->row_step;
        jobs[s] = (struct range_job){.context = context,
                                     .desc = desc,
                                     .begin = begin,
                                     .end = end < desc->rows ? end : desc->rows,
                                     .packed = packed,
                                     .bytes = plan->bytes};
        pthread_create(&jobs[s].thread, NULL, pack_range, &jobs[s]);
    }
    for (int64_t s = 0; s < steps; s++) {
        pthread_join(jobs[s].thread, NULL);
        CHECK_OK(jobs[s].status);
    }
    CHECK_OK(tmac_packed_finish(packed, plan->bytes));
}

static void check_plain(const struct matrix_kind *kind, const tmac_context *context, uint64_t index)
{
    struct rng rng = rng_stream(seed, 2, index);
    tmac_packed_plan plan = {.struct_size = sizeof plan};
    tmac_weights_info info = {.struct_size = sizeof info};
    tmac_weights_desc without_data;
    struct guard guard;
    struct matrix m;
    tmac_weights *weights;

    matrix_new(&m, kind, &rng);
    if (!context_holds(context, &m.desc)) {
        matrix_free(&m);
        return;
    }
    without_data = m.desc;
    without_data.codes = without_data.scales = without_data.minimums = NULL;
    CHECK_OK(tmac_weights_pack(context, &m.desc, &weights));
    CHECK_OK(tmac_weights_query(weights, &info));
    CHECK_OK(tmac_packed_query(context, &without_data, &plan));
    CHECK(plan.bytes == info.packed_bytes && plan.row_step == info.row_step &&
              plan.table_layout == info.table_layout && plan.family == info.family &&
              strcmp(plan.layout, info.layout) == 0 && strcmp(plan.kernel, info.kernel) == 0,
          "%s: the plan is not what is packed", matrix_name(kind));

    pack_by_ranges(context, &m.desc, &plan,
                   guard_new(&guard, plan.bytes, TMAC_PACKED_ALIGNMENT, GUARD_END));
    CHECK(guard_intact(&guard), "%s: wrote outside", matrix_name(kind));
    CHECK(memcmp(guard.at, info.packed, plan.bytes) == 0, "%s: bytes differ", matrix_name(kind));
    guard_free(&guard);
    tmac_weights_free(weights);
    matrix_free(&m);
}

static void test_plain_packing(void **state)
{
    uint64_t index = 0;

    (void)state;
    for (int l = 0; l < 2 * LAYOUTS; l++)
        for (int w = 0; w < TEST_WIDTHS; w++)
            for (size_t r = 0; r < COUNT(all_rows); r++) {
                const bool two_levels = index % 2;
                const struct matrix_kind kind = {
                    .rows = all_rows[r],
                    .cols = 192,
                    .width = test_widths[w],
                    .codes = (tmac_code_format)(index % 2),
                    .group = 32,
                    .scale_type = (tmac_scale_type)(index % 3),
                    .zero = (tmac_zero)(index % 4),
                    .sub = two_levels ? (tmac_sub_format)(1 + index / 2 % 2) : TMAC_SUB_NONE,
                    .super_group = two_levels ? 64 : 0,
                };
                check_plain(&kind, (l & 1 ? contexts.best : contexts.scalar)[l / 2], index++);
            }
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* What a tight file format of the same weights takes: codes, scales, sub-scales. */
static double tight_bits(const struct matrix_kind *kind)
{
    const double scale = 8.0 * (double)matrix_scale_bytes(kind->scale_type);
    const bool minimum = kind->zero == TMAC_ZERO_MINIMUM;
    const double sub = kind->sub == TMAC_SUB_NONE ? 0 : kind->sub == TMAC_SUB_I8 ? 8 : 4;
    const double bits = matrix_bits(kind->width);
    const double per_row = (double)matrix_super_groups(kind) * scale * (minimum ? 2 : 1) +
                           (double)matrix_groups(kind) *
                               (sub * (minimum ? 2 : 1) + (kind->zero == TMAC_ZERO_POINT ? 8 : 0));
    return (double)kind->rows * ((double)kind->cols * bits + per_row);
}

static bool fits_in_5_percent(const struct matrix_kind *kind, const tmac_context *context)
{
    const tmac_weights_desc desc = matrix_desc(kind);
    tmac_packed_plan plan = {.struct_size = sizeof plan};
    double ratio;

    if (!context_holds(context, &desc))
        return true;
    CHECK_OK(tmac_packed_query(context, &desc, &plan));
    ratio = (double)plan.bytes * 8 / tight_bits(kind);
    if (ratio > 1.05)
        printf("    %s, %s: %.3f times the tight size\n", matrix_name(kind), plan.layout, ratio);
    return ratio <= 1.05;
}

/* Packed: a sub-scale of 4 bits shares its byte with the sub-minimum, also where there is none. */
static bool is_known_exception(const struct matrix_kind *kind)
{
    return kind->sub == TMAC_SUB_U4 && kind->zero != TMAC_ZERO_MINIMUM;
}

static void test_packed_bytes(void **state)
{
    static const int64_t shapes[][2] = {{4096, 4096}, {11008, 4096}, {4000, 5120}};
    struct level levels[64];
    const size_t count = list_levels(levels);
    int exceptions = 0;

    (void)state;
    for (size_t l = 0; l < count; l++)
        for (int variant = 0; variant < TEST_WIDTHS * 3 * 4 * 3 * LAYOUTS; variant++) {
            const int64_t *shape = shapes[variant / (12 * TEST_WIDTHS) % 3];
            const struct matrix_kind kind = {.rows = shape[0],
                                             .cols = shape[1],
                                             .width = test_widths[variant % TEST_WIDTHS],
                                             .group = levels[l].group,
                                             .scale_type =
                                                 (tmac_scale_type)(variant / TEST_WIDTHS % 3),
                                             .zero = (tmac_zero)(variant / (3 * TEST_WIDTHS) % 4),
                                             .sub = levels[l].sub,
                                             .super_group = levels[l].super_group};
            if (is_known_exception(&kind))
                continue;
            exceptions += !fits_in_5_percent(&kind, contexts.scalar[variant / (36 * TEST_WIDTHS)]);
        }
    CHECK(exceptions == 0, "%d kinds take more than 5 %% over the tight size", exceptions);
}

/* TQ1_0 has 1.69 bits per weight and is packed with 2. */
static void test_packed_bytes_of_ggml(void **state)
{
    const struct block_types *types = block_types();

    (void)state;
    for (size_t t = 0; t < types->count; t++)
        for (int l = 0; l < LAYOUTS; l++) {
            const tmac_format_info *info = &types->all[t].info;
            const double tight = 4096.0 * 4096.0 / info->block * info->block_bytes;
            const bool exception = strcmp(info->name, "TQ1_0") == 0;
            tmac_weights_desc desc = {.struct_size = sizeof desc};
            tmac_packed_plan plan = {.struct_size = sizeof plan};
            CHECK_OK(tmac_weights_desc_ggml(&desc, info->ggml_type, 4096, 4096, NULL));
            if (!context_holds(contexts.scalar[l], &desc))
                continue;
            CHECK_OK(tmac_packed_query(contexts.scalar[l], &desc, &plan));
            if ((double)plan.bytes > 1.05 * tight)
                printf("    %s, %s: %.3f times its size\n", info->name, plan.layout,
                       (double)plan.bytes / tight);
            CHECK((double)plan.bytes <= 1.05 * tight || exception, "%s", info->name);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),           cmocka_unit_test(test_every_layout),
        cmocka_unit_test(test_plain_packing),        cmocka_unit_test(test_packed_bytes),
        cmocka_unit_test(test_packed_bytes_of_ggml),
    };
    int failures;

    seed = rng_environment_seed();
    printf("TMAC_TEST_SEED=0x%llx\n", (unsigned long long)seed);
    contexts_new(&contexts, 2);
    failures = cmocka_run_group_tests_name("weights", tests, NULL, NULL);
    contexts_free(&contexts);
    return failures;
}
