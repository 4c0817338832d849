/* SPDX-License-Identifier: MIT
 * A mixture of experts. Every token (t) uses some experts; use u of token t is position t * uses + u.
 *
 *   one by one   where no expert is used twice (one token, as when text is generated): every input
 *                of x gets tables of its own, and results go where they belong
 *   grouped      (a prompt): the inputs of each expert are copied side by side and get tables
 *                together, results go to scratch memory side by side, and are copied from there */
#include <algorithm>
#include <cstring>

#include "mul_mat.h"
#include "work.h"

namespace plugin {
namespace {

struct plan {
    const ggml_tensor *w, *x, *ids, *y;
    const packed_tensor *weights;
    int64_t cols, rows, experts, uses, tokens, positions;
    size_t x_bytes;     /* of an input of x, gathered */
    size_t table_bytes; /* of an input's tables; what several take together is no more */
    counter *next;
    int64_t *first;  /* [experts + 1] where an expert's positions start in `order` */
    int64_t *order;  /* [positions] by expert */
    char *gathered;  /* [positions] inputs */
    unsigned char *tables;
    float *results; /* [positions][rows] */
    size_t scratch;
};

plan make_plan(const ggml_tensor *op, void *scratch)
{
    plan p = {};
    arena arena(scratch);

    p.w = op->src[0];
    p.x = op->src[1];
    p.ids = op->src[2];
    p.y = op;
    p.weights = packed_of(p.w);
    p.cols = p.w->ne[0];
    p.rows = p.w->ne[1];
    p.experts = p.w->ne[2];
    p.uses = p.ids->ne[0];
    p.tokens = p.ids->ne[1];
    p.positions = p.uses * p.tokens;
    p.x_bytes = static_cast<size_t>(p.cols) * element_size(p.x->type);
    p.table_bytes = (tables_bytes(*p.weights, p.cols, 1) + 63) / 64 * 64;
    const size_t batch = static_cast<size_t>(std::max(p.positions, p.x->ne[1] * p.x->ne[2]));
    p.next = arena.take<counter>(1);
    p.first = arena.take<int64_t>(static_cast<size_t>(p.experts + 1));
    p.order = arena.take<int64_t>(static_cast<size_t>(p.positions));
    p.gathered = arena.take<char>(batch * p.x_bytes);
    p.tables = arena.take<unsigned char>(batch * p.table_bytes);
    p.results = arena.take<float>(static_cast<size_t>(p.positions * p.rows));
    p.scratch = arena.bytes();
    return p;
}

/* The expert at a position, or -1 where the host asks for one that there is not. */
int64_t expert_at(const plan &p, int64_t position)
{
    const char *at = static_cast<const char *>(p.ids->data) +
                     static_cast<size_t>(position % p.uses) * p.ids->nb[0] +
                     static_cast<size_t>(position / p.uses) * p.ids->nb[1];
    int32_t id;

    memcpy(&id, at, sizeof id);
    return id >= 0 && id < p.experts ? id : -1;
}

/* The input of x (counted over both its dimensions) that a position multiplies. */
int64_t input_of(const plan &p, int64_t position)
{
    return position / p.uses * p.x->ne[1] + position % p.uses % p.x->ne[1];
}

const char *input_data(const plan &p, int64_t input)
{
    return static_cast<const char *>(p.x->data) +
           static_cast<size_t>(input % p.x->ne[1]) * p.x->nb[1] +
           static_cast<size_t>(input / p.x->ne[1]) * p.x->nb[2];
}

char *gathered_at(const plan &p, int64_t i)
{
    return p.gathered + static_cast<size_t>(i) * p.x_bytes;
}

float *result_at(const plan &p, int64_t position)
{
    return reinterpret_cast<float *>(static_cast<char *>(p.y->data) +
                                     static_cast<size_t>(position % p.uses) * p.y->nb[1] +
                                     static_cast<size_t>(position / p.uses) * p.y->nb[2]);
}

/* Sorts positions by expert: counts, where each starts, then each to its place. */
void sort_positions(const plan &p)
{
    std::fill(p.first, p.first + p.experts + 1, 0);
    for (int64_t position = 0; position < p.positions; position++)
        if (const int64_t expert = expert_at(p, position); expert >= 0)
            p.first[expert + 1]++;
        else
            check(TMAC_ERROR_ROW_RANGE, result_at(p, position), p.rows);
    for (int64_t e = 0; e < p.experts; e++)
        p.first[e + 1] += p.first[e];
    for (int64_t position = 0; position < p.positions; position++)
        if (const int64_t expert = expert_at(p, position); expert >= 0)
            p.order[p.first[expert]++] = position;
    for (int64_t e = p.experts; e > 0; e--) /* every start has moved to its end */
        p.first[e] = p.first[e - 1];
    p.first[0] = 0;
}

int64_t count_of(const plan &p, int64_t expert)
{
    return p.first[expert + 1] - p.first[expert];
}

bool is_one_by_one(const plan &p)
{
    for (int64_t e = 0; e < p.experts; e++)
        if (count_of(p, e) > 1)
            return false;
    return true;
}

/* Part of the tables of `batch` gathered inputs from `at` on. */
tmac_status build(const crew &crew, const plan &p, int64_t at, int64_t batch)
{
    const size_t bytes = static_cast<size_t>(batch) * p.table_bytes;
    const tmac_activations x =
        activations(p.x->type, p.cols, batch, gathered_at(p, at), p.x_bytes);

    return tmac_tables_build_part(engine(), p.weights->table_layout(), &x, crew.index, crew.size,
                                  p.tables + static_cast<size_t>(at) * p.table_bytes, bytes);
}

tmac_status multiply_part(const plan &p, int64_t expert, int64_t batch, int64_t at, int64_t begin,
                          int64_t end, float *y)
{
    return tmac_multiply_rows(p.weights->slice(expert, 0),
                              p.tables + static_cast<size_t>(at) * p.table_bytes,
                              static_cast<size_t>(batch) * p.table_bytes, batch, begin, end, y,
                              p.rows);
}

/* ---- one by one ---- */

void one_by_one(const crew &crew, const plan &p)
{
    const row_pieces rows(crew, *p.weights, p.rows, p.cols * p.positions);
    const int64_t batch = p.x->ne[1] * p.x->ne[2], used = p.first[p.experts];
    tmac_status status = TMAC_OK;

    for (int64_t input = crew.index; input < batch; input += crew.size)
        gather_input(p.x, input_data(p, input), gathered_at(p, input));
    crew.barrier();
    for (int64_t input = 0; input < batch && status == TMAC_OK; input++)
        status = build(crew, p, input, 1);
    crew.barrier();
    for (pieces todo(crew, p.next, used * rows.count); todo.more();) {
        const int64_t piece = todo.take(), part = piece % rows.count;
        const int64_t position = p.order[piece / rows.count];
        float *y = result_at(p, position);
        const int64_t begin = rows.begin(part), end = rows.end(part);
        if (status == TMAC_OK)
            status = multiply_part(p, expert_at(p, position), 1, input_of(p, position), begin, end,
                                   y);
        check(status, y + begin, end - begin);
    }
}

/* ---- grouped ---- */

tmac_status prepare_groups(const crew &crew, const plan &p)
{
    for (int64_t i = crew.index; i < p.first[p.experts]; i += crew.size)
        gather_input(p.x, input_data(p, input_of(p, p.order[i])), gathered_at(p, i));
    crew.barrier();
    for (int64_t e = 0; e < p.experts; e++) {
        const int64_t at = p.first[e], batch = count_of(p, e);
        tmac_status status;
        if (batch && (status = build(crew, p, at, batch)) != TMAC_OK)
            return status;
    }
    return TMAC_OK;
}

/* Rows [begin, end) of an expert's inputs. */
void multiply_group(const plan &p, int64_t expert, int64_t begin, int64_t end, tmac_status status)
{
    const int64_t at = p.first[expert], batch = count_of(p, expert);
    const float *results = p.results + at * p.rows;

    if (status == TMAC_OK)
        status = multiply_part(p, expert, batch, at, begin, end, p.results + at * p.rows);
    for (int64_t n = 0; n < batch; n++, results += p.rows) {
        float *y = result_at(p, p.order[at + n]);
        std::copy(results + begin, results + end, y + begin);
        check(status, y + begin, end - begin);
    }
}

void grouped(const crew &crew, const plan &p)
{
    const row_pieces rows(crew, *p.weights, p.rows, p.cols * p.positions / p.experts);
    const tmac_status status = prepare_groups(crew, p);

    crew.barrier();
    for (pieces todo(crew, p.next, p.experts * rows.count); todo.more();) {
        const int64_t piece = todo.take(), part = piece % rows.count, expert = piece / rows.count;
        if (count_of(p, expert))
            multiply_group(p, expert, rows.begin(part), rows.end(part), status);
    }
}

} // namespace

size_t mul_mat_id_scratch(const ggml_tensor *op)
{
    return make_plan(op, nullptr).scratch;
}

void mul_mat_id(const crew &crew, const ggml_tensor *op)
{
    const plan p = make_plan(op, crew.scratch);

    if (crew.index == 0)
        sort_positions(p);
    pieces::start(crew, p.next);
    crew.barrier();
    if (is_one_by_one(p))
        one_by_one(crew, p);
    else
        grouped(crew, p);
}

} // namespace plugin
