/* SPDX-License-Identifier: MIT */
#include "engine/job.h"

#include "engine/threads.h"

enum {
    ALIGN = 64,
    /* Activations whose tables take a few microseconds, about what it costs to wake a thread. */
    BUILD_WORK = 1 << 13,
    /* One short input: building its tables takes no longer than to wait for others that build a part of
     * them. Then every thread of a team has tables of its own, and none waits. */
    SHORT_INPUT = 2048,
    MOST_ALONE = 16 /* threads, for the memory that takes */
};

/* ---- workspace ------------------------------------------------------------------------------- */

/* Lays out memory piece by piece: the same calls give the size (without memory) and the addresses. */
struct arena {
    uint8_t *memory;
    size_t used;
    bool fits;
};

static void *take(struct arena *arena, int64_t count, size_t bytes)
{
    void *at = arena->memory ? arena->memory + arena->used : NULL;
    size_t size;

    arena->fits = arena->fits && tmac_size_mul((size_t)count, bytes, &size) &&
                  tmac_size_add(size, ALIGN - 1, &size) &&
                  tmac_size_add(arena->used, size & ~(size_t)(ALIGN - 1), &arena->used);
    return at;
}

static int team_count(const struct tmac_job *job)
{
    return job->team ? job->team->count : 1;
}

/* Inputs whose tables there is room for. It never falls as teams grow, so that hosts may ask before they
 * know how many threads there will be. */
static int64_t table_room(const struct tmac_job *job, bool is_short)
{
    const int count = team_count(job);

    if (is_short)
        return tmac_least(count, MOST_ALONE);
    return job->positions > job->batch ? job->positions : job->batch;
}

tmac_status tmac_job_plan(struct tmac_job *job, void *memory)
{
    struct arena arena = {memory, 0, true};
    struct tmac_table_shape shape;
    const tmac_status status = tmac_table_shape_init(&shape, job->table_layout, job->cols, 1);

    if (status != TMAC_OK)
        return status;
    job->input_bytes = shape.input_bytes;
    const bool is_short =
        job->activations && !job->experts && job->batch == 1 && job->cols <= SHORT_INPUT;
    job->alone = is_short && team_count(job) > 1 && team_count(job) <= MOST_ALONE;
    job->state = take(&arena, 1, sizeof *job->state);
    if (job->experts) {
        job->first = take(&arena, job->experts + 1, sizeof *job->first);
        job->order = take(&arena, job->positions, sizeof *job->order);
    }
    if (job->activations)
        job->tables = take(&arena, table_room(job, is_short), job->input_bytes);
    job->workspace = arena.used;
    return arena.fits && arena.used <= PTRDIFF_MAX ? TMAC_OK : TMAC_ERROR_OVERFLOW;
}

/* ---- experts --------------------------------------------------------------------------------- */

static int32_t expert_at(const struct tmac_job *job, int64_t position)
{
    const int64_t uses = job->args->uses, stride = job->args->ids_stride;

    return job->args->ids[position / uses * (stride ? stride : uses) + position % uses];
}

static int64_t count_of(const struct tmac_job *job, int64_t expert)
{
    return job->first[expert + 1] - job->first[expert];
}

/* Sorts positions by expert: counts, where each starts, then each to its place. */
static tmac_status sort_positions(struct tmac_job *job)
{
    int64_t *first = job->first;

    memset(first, 0, ((size_t)job->experts + 1) * sizeof *first);
    for (int64_t p = 0; p < job->positions; p++) {
        const int32_t expert = expert_at(job, p);
        if (expert >= job->experts)
            return TMAC_ERROR_EXPERT;
        if (expert >= 0)
            first[expert + 1]++;
    }
    job->state->one_by_one = true;
    for (int64_t e = 0; e < job->experts; e++) {
        job->state->one_by_one &= first[e + 1] <= 1;
        first[e + 1] += first[e];
    }
    for (int64_t p = 0; p < job->positions; p++)
        if (expert_at(job, p) >= 0)
            job->order[first[expert_at(job, p)]++] = p;
    memmove(first + 1, first, (size_t)job->experts * sizeof *first); /* starts moved to ends */
    first[0] = 0;
    return TMAC_OK;
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* Inputs whose tables lie together: `batch` of them, `at` inputs' tables from the start. */
struct group {
    int64_t at, batch;
    const int64_t *order; /* of positions; NULL: the inputs from number `at` on */
};

/* Groups of inputs, and group number g. */
static int64_t group_count(const struct tmac_job *job)
{
    return !job->experts ? 1 : job->state->one_by_one ? job->batch : job->experts;
}

static struct group group_of(const struct tmac_job *job, int64_t g)
{
    if (!job->experts)
        return (struct group){0, job->batch, NULL};
    if (job->state->one_by_one)
        return (struct group){g, 1, NULL};
    return (struct group){job->first[g], count_of(job, g), job->order + job->first[g]};
}

static uint8_t *group_tables(const struct tmac_job *job, const struct group *group)
{
    return job->tables + (size_t)group->at * job->input_bytes;
}

/* Part `part` of `parts` of all tables. */
static void build_tables(const struct tmac_job *job, int part, int parts)
{
    for (int64_t g = 0, groups = group_count(job); g < groups; g++) {
        const struct group group = group_of(job, g);
        struct tmac_table_shape shape;
        tmac_activations x = *job->activations;

        if (group.batch == 0)
            continue;
        /* Cannot fail: the plan asked for one input, and the workspace has room for all. */
        (void)tmac_table_shape_init(&shape, job->table_layout, job->cols, group.batch);
        const struct tmac_table_source source = {
            .tools = job->context->tools,
            .shape = &shape,
            .activations = &x,
            .exact = job->context->exact,
            .first = group.order ? 0 : group.at,
            .order = group.order,
            .uses = job->args->uses,
        };
        tmac_table_build(&source, part, parts, group_tables(job, &group));
    }
}

/* ---- products -------------------------------------------------------------------------------- */

/* Products are counted by expert, or by position where these are multiplied one by one. */
static int64_t product_count(const struct tmac_job *job)
{
    return !job->experts ? 1 : job->state->one_by_one ? job->first[job->experts] : job->experts;
}

/* A product, and what it points to. */
struct part {
    struct tmac_product product;
    struct tmac_table_shape table_shape;
    int64_t row_begin, row_end; /* of the weights */
};

static const struct tmac_weights *expert_weights(const struct tmac_job *job, int64_t expert)
{
    return job->args->experts ? job->args->experts[expert] : job->weights;
}

static void part_init(const struct tmac_job *job, int64_t number, struct part *part)
{
    const tmac_multiply_args *args = job->args;
    const int64_t *position = job->experts && job->state->one_by_one ? &job->order[number] : NULL;
    const int64_t expert = !job->experts ? 0 : position ? expert_at(job, *position) : number;
    const struct group group = group_of(job, position       ? *position / args->uses
                                             : job->experts ? expert
                                                            : 0);
    const struct tmac_weights *weights = job->experts ? expert_weights(job, expert) : job->weights;
    const int64_t first_row = job->experts && !args->experts ? expert * job->rows : 0;

    (void)tmac_table_shape_init(&part->table_shape, job->table_layout, job->cols, group.batch);
    part->row_begin = first_row + args->row_begin;
    part->row_end = first_row + (args->row_end ? args->row_end : job->rows);
    part->product = (struct tmac_product){
        .shape = &weights->shape,
        .tools = job->context->tools,
        .kernels = &weights->kernels,
        .packed = weights->packed,
        .table_shape = &part->table_shape,
        .tables = job->activations ? group_tables(job, &group) : args->tables->memory,
        .output = {.y = args->y,
                   .stride = args->stride,
                   .type = args->output_type,
                   .accumulate = args->flags & TMAC_MULTIPLY_ACCUMULATE,
                   .bias = args->bias ? args->bias + expert * job->rows : NULL,
                   .order = position ? position : group.order},
        .first_row = first_row,
        .blocking = weights->blocking,
    };
}

static void multiply_pieces(const struct tmac_job *job, int index, int threads)
{
    int64_t before = 0, piece = index; /* pieces of the products before */

    for (int64_t number = 0, count = product_count(job); number < count; number++) {
        struct part part;

        part_init(job, number, &part);
        if (part.table_shape.batch == 0)
            continue;
        const struct tmac_split split =
            tmac_split_of(&part.product, part.row_begin, part.row_end, threads);
        const int64_t end = before + tmac_split_pieces(&split);
        for (; piece < end; piece = tmac_pieces_take(&job->state->pieces))
            tmac_split_multiply(&split, &part.product, piece - before);
        before = end;
    }
}

/* ---- the context's threads ------------------------------------------------------------------- */

struct task {
    struct tmac_job *job;
    int threads;
};

static void build_task(void *arg, int index)
{
    const struct task *task = arg;
    build_tables(task->job, index, task->threads);
}

static void multiply_task(void *arg, int index)
{
    const struct task *task = arg;
    multiply_pieces(task->job, index, task->threads);
}

static tmac_status run_with_context(struct tmac_job *job)
{
    const struct tmac_context *context = job->context;
    const double work = (double)job->positions * (double)job->cols;
    struct task task = {job, tmac_tasks(context, work, BUILD_WORK)};
    tmac_status status;

    if (job->experts && (status = sort_positions(job)))
        return status;
    if (job->activations)
        tmac_run(context, task.threads, build_task, &task);
    task.threads = tmac_tasks(context, work * (double)job->rows, TMAC_THREAD_WORK);
    tmac_pieces_start(&job->state->pieces, task.threads);
    tmac_run(context, task.threads, multiply_task, &task);
    return TMAC_OK;
}

/* ---- a team ---------------------------------------------------------------------------------- */

static void barrier(const tmac_team *team)
{
    if (team->count > 1)
        team->barrier(team->barrier_host);
}

/* Without a barrier: rows in as many pieces as there are threads. */
static void multiply_alone(struct tmac_job *job)
{
    struct part part;

    if (job->activations) {
        job->tables += (size_t)job->team->index * job->input_bytes;
        build_tables(job, 0, 1);
    }
    part_init(job, 0, &part);
    const struct tmac_split split =
        tmac_split_of(&part.product, part.row_begin, part.row_end, job->team->count);
    for (int64_t piece = job->team->index; piece < tmac_split_pieces(&split);
         piece += job->team->count)
        tmac_split_multiply(&split, &part.product, piece);
}

static tmac_status run_in_team(struct tmac_job *job)
{
    const tmac_team *team = job->team;

    if (job->alone || (!job->activations && !job->experts)) {
        multiply_alone(job);
        return TMAC_OK;
    }
    if (team->index == 0) {
        job->state->status = job->experts ? sort_positions(job) : TMAC_OK;
        tmac_pieces_start(&job->state->pieces, team->count);
    }
    if (job->experts)
        barrier(team);
    if (job->experts && job->state->status != TMAC_OK)
        return job->state->status;
    build_tables(job, team->index, team->count);
    barrier(team);
    multiply_pieces(job, team->index, team->count);
    return TMAC_OK;
}

tmac_status tmac_job_run(struct tmac_job *job)
{
    return job->team ? run_in_team(job) : run_with_context(job);
}
