/* SPDX-License-Identifier: MIT
 *
 * A layer of a mixture of experts: every token goes to two of eight matrices, which its router has
 * chosen. One call multiplies all tokens, and reads each expert's weights once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <tmac.h>

enum { EXPERTS = 8, ROWS = 256, COLS = 512, GROUP = 32, TOKENS = 5, USES = 2 };

static uint8_t codes[EXPERTS][ROWS * COLS]; /* 0..15, one per byte */
static float scales[EXPERTS][ROWS * (COLS / GROUP)];
static float bias[EXPERTS][ROWS];
static int32_t ids[TOKENS][USES]; /* the experts of each token */
static float x[TOKENS][COLS], y[TOKENS][USES][ROWS];

static void check(tmac_status status)
{
    if (status != TMAC_OK) {
        fprintf(stderr, "experts: %s\n", tmac_status_text(status));
        exit(1);
    }
}

static float random_float(void)
{
    return (float)rand() / (float)RAND_MAX;
}

/* Weights, router and activations of a model; here random. */
static void fill(void)
{
    for (int e = 0; e < EXPERTS; e++) {
        for (int i = 0; i < ROWS * COLS; i++)
            codes[e][i] = (uint8_t)(rand() % 16);
        for (int i = 0; i < ROWS * (COLS / GROUP); i++)
            scales[e][i] = 0.01f + 0.01f * random_float();
        for (int m = 0; m < ROWS; m++)
            bias[e][m] = random_float();
    }
    for (int n = 0; n < TOKENS; n++) {
        ids[n][0] = rand() % EXPERTS;
        ids[n][1] = (ids[n][0] + 1 + rand() % (EXPERTS - 1)) % EXPERTS;
        for (int k = 0; k < COLS; k++)
            x[n][k] = random_float();
    }
}

/* Row m of expert e times token n, the long way. */
static double exact(int e, int m, int n)
{
    double sum = bias[e][m];

    for (int k = 0; k < COLS; k++)
        sum += (double)scales[e][(m * COLS + k) / GROUP] * (codes[e][m * COLS + k] - 8) * x[n][k];
    return sum;
}

int main(void)
{
    tmac_context *context;
    tmac_weights *experts[EXPERTS];

    fill();
    check(tmac_context_create(NULL, &context));
    for (int e = 0; e < EXPERTS; e++) {
        const tmac_weights_desc desc = {.struct_size = sizeof desc,
                                        .rows = ROWS,
                                        .cols = COLS,
                                        .width = TMAC_WIDTH_4,
                                        .codes = codes[e],
                                        .group = GROUP,
                                        .scales = scales[e]};
        check(tmac_weights_pack(context, &desc, &experts[e]));
    }

    const tmac_activations in = {
        .struct_size = sizeof in, .cols = COLS, .batch = TOKENS, .data = x};
    const tmac_multiply_args args = {
        .struct_size = sizeof args,
        .experts = (const tmac_weights *const *)experts,
        .expert_count = EXPERTS,
        .activations = &in,
        .ids = &ids[0][0],
        .uses = USES,
        .bias = &bias[0][0],
        .y = y,
        .stride = ROWS,
    };
    check(tmac_multiply(context, &args));

    for (int n = 0; n < TOKENS; n++)
        for (int u = 0; u < USES; u++)
            printf("token %d, expert %d: y[0] = %8.3f with libtmac, %8.3f with a plain loop\n", n,
                   ids[n][u], y[n][u][0], exact(ids[n][u], 0, n));

    for (int e = 0; e < EXPERTS; e++)
        tmac_weights_free(experts[e]);
    tmac_context_free(context);
    return 0;
}
