/* SPDX-License-Identifier: MIT */
#include "engine/split.h"

#include "engine/threads.h"

/* Multiplications that take some 20 us: a piece of less is not worth taking. */
enum { PIECE_WORK = 1 << 19 };

static double work_of(const struct tmac_product *product, int64_t rows)
{
    return (double)rows * (double)product->shape->spec.cols * (double)product->table_shape->batch;
}

struct tmac_split tmac_split_of(const struct tmac_product *product, int64_t row_begin,
                                int64_t row_end, int threads)
{
    const int64_t unit = product->shape->tile_rows;
    const int64_t first = row_begin / unit, tiles = (row_end + unit - 1) / unit - first;
    const double pieces = work_of(product, row_end - row_begin) / PIECE_WORK;
    const int64_t most = threads == 1 ? 1 : 4 * (int64_t)threads;
    const int64_t wanted =
        tmac_clamp(pieces < (double)most ? (int64_t)pieces : most, threads, most);
    const int64_t batch = product->table_shape->batch;
    const int64_t panels = (batch + TMAC_MAX_PANEL - 1) / TMAC_MAX_PANEL;
    struct tmac_split split = {row_begin, row_end, unit, 0, batch, 1};

    if (tiles < 1 || batch < 1)
        return split;
    split.row_step = (tiles + wanted - 1) / wanted * unit;
    split.row_parts = (tiles * unit + split.row_step - 1) / split.row_step;
    if (split.row_parts < threads) /* too few rows for all: share out the inputs as well */
        split.batch_parts = tmac_least(threads / split.row_parts, panels);
    return split;
}

/* The first input of a part, at a panel. */
static int64_t input_of(const struct tmac_split *split, int64_t part)
{
    const int64_t panels = (split->batch + TMAC_MAX_PANEL - 1) / TMAC_MAX_PANEL;
    return tmac_least(panels * part / split->batch_parts * TMAC_MAX_PANEL, split->batch);
}

void tmac_split_multiply(const struct tmac_split *split, const struct tmac_product *product,
                         int64_t piece)
{
    const int64_t part = piece / split->row_parts, unit = product->shape->tile_rows;
    const int64_t begin =
        split->row_begin / unit * unit + piece % split->row_parts * split->row_step;
    const int64_t end = tmac_least(begin + split->row_step, split->row_end);

    tmac_product_multiply(product, begin < split->row_begin ? split->row_begin : begin, end,
                          input_of(split, part), input_of(split, part + 1));
}

struct run {
    const struct tmac_product *product;
    struct tmac_split split;
    struct tmac_pieces pieces;
};

static void run_task(void *arg, int index)
{
    struct run *run = arg;
    const int64_t pieces = tmac_split_pieces(&run->split);

    for (int64_t piece = index; piece < pieces; piece = tmac_pieces_take(&run->pieces))
        tmac_split_multiply(&run->split, run->product, piece);
}

void tmac_split_run(const struct tmac_context *context, const struct tmac_product *product,
                    int64_t row_begin, int64_t row_end)
{
    const int threads =
        tmac_tasks(context, work_of(product, row_end - row_begin), TMAC_THREAD_WORK);
    struct run run = {product, tmac_split_of(product, row_begin, row_end, threads), {0}};

    tmac_pieces_start(&run.pieces, threads);
    tmac_run(context, threads, run_task, &run);
}
