/* SPDX-License-Identifier: MIT */
#include "engine/output.h"

#include "float16.h"

bool tmac_output_is_plain(const struct tmac_output *output)
{
    return output->type == TMAC_OUTPUT_F32 && !output->accumulate && !output->bias &&
           !output->order;
}

static void put_floats(const struct tmac_output *output, float *y, const float *bias,
                       const float *results, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const float value = bias ? results[i] + bias[i] : results[i];
        y[i] = output->accumulate ? value + y[i] : value;
    }
}

/* f16 or bf16: their sums are floats too, and rounded once. */
static void put_halves(const struct tmac_output *output, uint16_t *y, const float *bias,
                       const float *results, int64_t count)
{
    const bool f16 = output->type == TMAC_OUTPUT_F16;

    for (int64_t i = 0; i < count; i++) {
        float value = bias ? results[i] + bias[i] : results[i];
        if (output->accumulate)
            value += f16 ? tmac_f16_to_f32(y[i]) : tmac_bf16_to_f32(y[i]);
        y[i] = f16 ? tmac_f32_to_f16(value) : tmac_f32_to_bf16(value);
    }
}

void tmac_output_put(const struct tmac_output *output, int64_t input, int64_t row,
                     const float *results, int64_t count)
{
    const int64_t number = output->order ? output->order[input] : input;
    const int64_t at = number * output->stride + row;
    const float *bias = output->bias ? output->bias + row : NULL;

    if (output->type != TMAC_OUTPUT_F32)
        put_halves(output, (uint16_t *)output->y + at, bias, results, count);
    else if (bias || output->accumulate)
        put_floats(output, (float *)output->y + at, bias, results, count);
    else
        memcpy((float *)output->y + at, results, (size_t)count * sizeof *results);
}
