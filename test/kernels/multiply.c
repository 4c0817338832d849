/* SPDX-License-Identifier: MIT
 * Every multiply kernel against scalar's: same floats, nothing else touched. */
#include <stdio.h>
#include <string.h>

#include "multiply_case.h"
#include "subjects.h"
#include "widths.h"

/* The subjects that a case is for: what they multiply, and who of them serves its size of batch. */
struct contest {
    enum tmac_layout layout;
    tmac_width width;
    bool averages;
    struct subject *subjects[MAX_SUBJECTS];
    int count;
};

/* A number for the stream of random numbers. */
static uint64_t contest_number(const struct contest *contest)
{
    return (uint64_t)(((int)contest->averages * TMAC_LAYOUT_COUNT + (int)contest->layout) * 32 +
                      (int)contest->width) +
           STREAM_MULTIPLY;
}

static void find_subjects(struct contest *contest, enum tmac_batch batch)
{
    contest->count = 0;
    for (struct subject *s = NULL; (s = next_subject(s, FUNCTION_MULTIPLY));)
        if (subject_takes(s, contest->layout, contest->width, contest->averages, batch))
            contest->subjects[contest->count++] = s;
}

static void multiply_scalar(const struct tmac_kernel *scalar, struct multiply_case *c)
{
    memcpy(c->tile.y, c->y_before, c->y_count * sizeof(float));
    multiply_case_scalar(c, scalar);
    memcpy(c->y_expected, c->tile.y, c->y_count * sizeof(float));
}

static void run(struct subject *subject, struct multiply_case *c, int index)
{
    struct tmac_tile tile = c->tile;
    const struct tmac_tile *t = &tile;

    if (c->half && subject->kernel->half) {
        tile.half = true;
        tile.scale = c->half_scale.at;
        tile.minimum = c->half_minimum.at;
        tile.scale_stride = c->half_stride;
    }
    memcpy(t->y, c->y_before, c->y_count * sizeof(float));
    subject_enter(subject,
                  "layout %s, width %s, block_k %d, steps %d, batch %s: %d x %d, block_shift %d, "
                  "group %d, sub-scales %d of %d bits, "
                  "minimum %d, half %d, scale_stride %zu, unit %g, accumulate %d, offset %g, "
                  "y_stride %zu, %s; case %d",
                  layout_names[t->layout], test_width_name(t->width), t->block_k, t->steps,
                  batch_names[c->batch], t->panels, t->batch, t->block_shift, (int)c->spec.group,
                  (int)c->spec.sub_format, c->spec.sub_bits, t->minimum != NULL, t->half,
                  t->scale_stride, (double)t->unit, t->accumulate, (double)t->offset, t->y_stride,
                  multiply_case_flavour(c), index);
    subject->kernel->multiply(&tile);
    subject->cases[c->batch]++;
}

static void compare(struct subject *subject, struct multiply_case *c)
{
    const size_t at = floats_differ(c->tile.y, c->y_expected, c->y_count);

    if (at < c->y_count)
        subject_fail(subject, "input %zu, row %zu: %.9g instead of %.9g (was %.9g)",
                     at / c->tile.y_stride, at % c->tile.y_stride, (double)c->tile.y[at],
                     (double)c->y_expected[at], (double)c->y_before[at]);
    else if (!guard_intact(&c->y))
        subject_fail(subject, "wrote outside of y");
}

static void run_case(const struct contest *contest, enum tmac_batch batch, int block_k, int steps,
                     int index)
{
    struct rng rng = rng_stream(test_seed, contest_number(contest), (uint64_t)index);
    struct subject *wanted = contest->subjects[rng_between(&rng, 0, contest->count - 1)];
    struct multiply_case c;

    memset(&c, 0, sizeof c);
    c.wanted = wanted->kernel;
    c.batch = batch;
    c.width = contest->width;
    c.block_k = contest->averages && block_k < TMAC_STEP_K ? TMAC_STEP_K : block_k;
    c.steps = steps > 10 ? rng_between(&rng, 33, 40) : steps;
    if (!multiply_case_make(&c, &rng)) {
        subject_enter(wanted, "batch %s", batch_names[batch]);
        subject_fail(wanted, "accepts nothing");
        return;
    }
    multiply_scalar(contest->subjects[0]->scalar, &c);
    for (int i = 0; i < contest->count; i++) {
        struct subject *s = contest->subjects[i];
        if (s->kernel->accepts && !s->kernel->accepts(&c.spec))
            continue;
        run(s, &c, index);
        compare(s, &c);
    }
    multiply_case_free(&c);
}

/* All shapes in every round; the rest of a case is drawn. */
static void run_contest(struct contest *contest)
{
    const int rounds = rng_environment_rounds(4);

    for (int batch = 0; batch < TMAC_BATCH_COUNT; batch++)
        for (int i = 0; i < rounds * 4 * 11; i++) {
            find_subjects(contest, (enum tmac_batch)batch); /* without those that failed */
            if (contest->count)
                run_case(contest, (enum tmac_batch)batch, 16 << i % 4, i / 4 % 11 + 1,
                         batch * 100000 + i);
        }
}

/* A kernel that was in no case of a size of batch that it serves was not tested. */
static void check_cases(void)
{
    for (struct subject *s = NULL; (s = next_subject(s, FUNCTION_MULTIPLY));)
        for (int batch = 0; batch < TMAC_BATCH_COUNT; batch++)
            if ((s->kernel->batches & 1u << batch) && s->cases[batch] == 0 && !s->failed) {
                subject_enter(s, "width %s, batch %s", test_width_name(s->width),
                              batch_names[batch]);
                subject_fail(s, "was in no case");
            }
}

void test_multiply(void **state)
{
    (void)state;
    for (int layout = 0; layout < TMAC_LAYOUT_COUNT; layout++)
        for (int w = 0; w < TEST_WIDTHS; w++)
            for (int averages = 0; averages < 2; averages++) {
                struct contest contest = {.layout = (enum tmac_layout)layout,
                                          .width = test_widths[w],
                                          .averages = averages};
                run_contest(&contest);
            }
    check_cases();
    subjects_finish_test();
}
