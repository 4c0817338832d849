/* SPDX-License-Identifier: MIT
 * Scales to floats: every format, and every half float. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "prescribed.h"
#include "random.h"
#include "subjects.h"

struct expand_case {
    struct tmac_scale_format format;
    struct tmac_expand expand;
    int index;
    struct guard packed, scale, minimum, scale_expected, minimum_expected;
};

/* Most scales are ordinary; random bytes alone would seldom give one. */
static void fill_packed(struct rng *rng, struct expand_case *c, size_t size)
{
    const int rows = c->expand.tile_rows;
    uint8_t *packed = guard_new(&c->packed, size, 1, guard_random_place(rng));
    const struct tmac_scale_geometry geometry = tmac_scale_geometry(&c->format, rows);

    rng_bytes(rng, packed, size);
    if (c->format.type == TMAC_SCALE_F32 && rng_between(rng, 0, 3))
        for (size_t head = 0; head < size; head += geometry.super)
            for (size_t at = head; at < head + geometry.head; at += 4) {
                const float value = rng_normal(rng);
                memcpy(packed + at, &value, 4);
            }
    guard_seal(&c->packed);
    c->expand.packed = packed;
}

/* Outputs start out alike, so that a minimum that must stay untouched compares equal. */
static float *make_output(struct rng *rng, struct guard *guard, size_t count)
{
    float *at = guard_new(guard, count * sizeof *at, 64, guard_random_place(rng));

    for (size_t i = 0; i < count; i++)
        at[i] = 12345.0f;
    return at;
}

/* Of a subject, or without one as prescribed. */
static void run(const struct subject *subject, struct expand_case *c, struct guard *scale,
                struct guard *minimum)
{
    static const char *const types[] = {"f32", "f16", "bf16"};
    static const char *const zeros[] = {"symmetric", "constant", "point", "minimum"};
    static const char *const subs[] = {"none", "i8", "u4"};
    struct tmac_expand expand = c->expand;

    expand.scale = scale->at;
    expand.minimum = minimum->at;
    if (!subject) {
        prescribed_expand(&expand);
        return;
    }
    subject_enter(
        subject,
        "type %s, zero %s, sub %s, super_groups %d, tile_rows %d, groups %d from %d; case %d",
        types[c->format.type], zeros[c->format.zero], subs[c->format.sub],
        (int)c->format.super_groups, expand.tile_rows, expand.groups, (int)expand.group, c->index);
    subject->tools->expand(&expand);
}

static void compare(struct subject *subject, struct expand_case *c)
{
    const size_t count = (size_t)c->expand.groups * (size_t)c->expand.tile_rows;
    const float *scale = c->scale.at, *scale_expected = c->scale_expected.at;
    const float *minimum = c->minimum.at, *minimum_expected = c->minimum_expected.at;
    const size_t wrong_scale = floats_differ(scale, scale_expected, count);
    const size_t wrong_minimum = floats_differ(minimum, minimum_expected, count);

    if (wrong_scale < count)
        subject_fail(subject, "scale %zu: %.9g instead of %.9g", wrong_scale,
                     (double)scale[wrong_scale], (double)scale_expected[wrong_scale]);
    else if (wrong_minimum < count)
        subject_fail(subject, "minimum %zu: %.9g instead of %.9g", wrong_minimum,
                     (double)minimum[wrong_minimum], (double)minimum_expected[wrong_minimum]);
    else if (!guard_intact(&c->scale) || !guard_intact(&c->minimum))
        subject_fail(subject, "wrote outside of scale or minimum");
}

static void run_case(struct expand_case *c, struct rng *rng)
{
    struct guard *outputs[] = {&c->scale, &c->minimum, &c->scale_expected, &c->minimum_expected};
    const size_t count = (size_t)c->expand.groups * (size_t)c->expand.tile_rows;

    for (int i = 0; i < 4; i++)
        make_output(rng, outputs[i], count);
    run(NULL, c, &c->scale_expected, &c->minimum_expected);
    for (struct subject *s = NULL; (s = next_subject(s, FUNCTION_EXPAND));) {
        memset(c->scale.at, 0x5a, c->scale.size);
        for (size_t j = 0; j < count; j++)
            ((float *)c->minimum.at)[j] = 12345.0f;
        run(s, c, &c->scale, &c->minimum);
        compare(s, c);
    }
    for (int i = 0; i < 4; i++)
        guard_free(outputs[i]);
}

/* Case `index` of all formats; the number of groups and where to start are drawn. */
static void run_format(int index, int round)
{
    struct expand_case c;
    struct rng rng = rng_stream(test_seed, STREAM_EXPAND, (uint64_t)(index + round * 10000));
    static const int super_groups[] = {1, 2, 8, 16};
    int total;

    memset(&c, 0, sizeof c);
    c.index = index;
    c.format.type = (tmac_scale_type)(index % 3);
    c.format.zero = (tmac_zero)(index / 3 % 4);
    c.format.sub = (tmac_sub_format)(index / 12 % 3);
    c.format.super_groups = c.format.sub ? super_groups[index / 36 % 4] : 1;
    c.expand.format = &c.format;
    c.expand.tile_rows = index / 144 % 2 ? 64 : 32;
    total = (int)c.format.super_groups * rng_between(&rng, 1, 4);
    c.expand.group = rng_between(&rng, 0, total - 1);
    c.expand.groups = rng_between(&rng, 1, total - (int)c.expand.group);
    fill_packed(&rng, &c,
                tmac_scale_geometry(&c.format, c.expand.tile_rows).super *
                    (size_t)(total / c.format.super_groups));
    run_case(&c, &rng);
    guard_free(&c.packed);
}

void test_expand(void **state)
{
    const int rounds = rng_environment_rounds(4);

    (void)state;
    for (int round = 0; round < rounds; round++)
        for (int index = 0; index < 3 * 4 * 3 * 4 * 2; index++)
            run_format(index, round);
    subjects_finish_test();
}

/* All 65536 values as scales, of either half type. */
void test_half_floats_expanded(void **state)
{
    (void)state;
    for (int bf16 = 0; bf16 < 2; bf16++) {
        struct rng rng = rng_stream(test_seed, STREAM_EXPAND + 1, (uint64_t)bf16);
        struct expand_case c;

        memset(&c, 0, sizeof c);
        c.index = -1 - bf16;
        c.format.type = bf16 ? TMAC_SCALE_BF16 : TMAC_SCALE_F16;
        c.format.super_groups = 1;
        c.expand.format = &c.format;
        c.expand.tile_rows = 32;
        c.expand.groups = 65536 / 32;
        uint16_t *all = guard_new(&c.packed, 65536 * sizeof *all, 2, GUARD_END);
        for (int i = 0; i < 65536; i++)
            all[i] = (uint16_t)i;
        c.expand.packed = c.packed.at;
        run_case(&c, &rng);
        guard_free(&c.packed);
    }
    subjects_finish_test();
}

/* What a half float is, from its definition. */
static float half_value(int bf16, int bits)
{
    const int fraction_bits = bf16 ? 7 : 10, bias = bf16 ? 127 : 15;
    const int greatest = bf16 ? 255 : 31;
    const int fraction = bits & ((1 << fraction_bits) - 1);
    const int exponent = bits >> fraction_bits & greatest;
    double value;

    if (exponent == greatest)
        value = fraction ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        value = ldexp(fraction, 1 - bias - fraction_bits);
    else
        value = ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
    return (float)(bits & 0x8000 ? -value : value);
}

/* One call: `count` values from `first` on, at the end of their page. */
static void convert(struct subject *subject, int first, size_t count, enum guard_place place)
{
    struct guard from, to, expected;
    const bool bf16 = subject->function == FUNCTION_BF16;
    uint16_t *halves = guard_new(&from, count * sizeof *halves, 2, place);
    float *floats = guard_new(&to, count * sizeof *floats, 4, place);
    float *right = guard_new(&expected, count * sizeof *right, 4, GUARD_END);

    for (size_t i = 0; i < count; i++) {
        halves[i] = (uint16_t)(first + (int)i);
        right[i] = half_value(bf16, halves[i]);
    }
    subject_enter(subject, "%zu values from 0x%04x", count, first);
    (bf16 ? subject->tools->bf16_to_f32 : subject->tools->f16_to_f32)(halves, floats, count);
    const size_t at = floats_differ(floats, right, count);
    if (at < count)
        subject_fail(subject, "0x%04x: %.9g instead of %.9g", halves[at], (double)floats[at],
                     (double)right[at]);
    else if (!guard_intact(&to) || !guard_intact(&from))
        subject_fail(subject, "wrote outside");
    guard_free(&from);
    guard_free(&to);
    guard_free(&expected);
}

/* Scalar too: the model is independent of it. */
void test_half_floats(void **state)
{
    (void)state;
    for (int i = 0; i < subject_count; i++) {
        struct subject *subject = &subjects[i];
        const int function = subject->function;
        if (!subject_runs(subject) || (function != FUNCTION_F16 && function != FUNCTION_BF16))
            continue;
        convert(subject, 0, 65536, GUARD_END);
        for (size_t count = 0; count < 70; count++)
            convert(subject, 0x3c00 + (int)count, count, count % 2 ? GUARD_ODD : GUARD_END);
    }
    subjects_finish_test();
}
