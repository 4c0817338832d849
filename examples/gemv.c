/* SPDX-License-Identifier: MIT
 *
 * The first program: a 4-bit matrix times an input of floats. Pack once, multiply often.
 */
#include <stdio.h>
#include <stdlib.h>
#include <tmac.h>

enum { ROWS = 256, COLS = 1024, GROUP = 32 };

static uint8_t codes[ROWS * COLS];          /* 0..15, one per byte */
static float scales[ROWS * (COLS / GROUP)]; /* one for every 32 weights of a row */
static float x[COLS], y[ROWS];

static void check(tmac_status status)
{
    if (status != TMAC_OK) {
        fprintf(stderr, "gemv: %s\n", tmac_status_text(status));
        exit(1);
    }
}

/* Weights and activations from a quantizer and a model; here random. */
static void fill(void)
{
    for (int i = 0; i < ROWS * COLS; i++)
        codes[i] = (uint8_t)(rand() % 16);
    for (int i = 0; i < ROWS * (COLS / GROUP); i++)
        scales[i] = 0.01f + 0.01f * (float)rand() / (float)RAND_MAX;
    for (int i = 0; i < COLS; i++)
        x[i] = (float)rand() / (float)RAND_MAX;
}

int main(void)
{
    fill();

    tmac_weights_desc desc = {.struct_size = sizeof desc, .rows = ROWS, .cols = COLS};
    desc.width = TMAC_WIDTH_4; /* a weight is scale * (code - 8) */
    desc.codes = codes;
    desc.group = GROUP;
    desc.scales = scales;
    tmac_activations in = {.struct_size = sizeof in, .cols = COLS, .batch = 1, .data = x};

    tmac_context *context;
    tmac_weights *weights;
    check(tmac_context_create(NULL, &context));
    check(tmac_weights_pack(context, &desc, &weights));
    check(tmac_matmul(context, weights, &in, y, ROWS));

    double loop = 0; /* row 0 again, the long way */
    for (int k = 0; k < COLS; k++)
        loop += (double)scales[k / GROUP] * (codes[k] - 8) * x[k];
    printf("y[0] = %.3f with libtmac's %s kernels, %.3f with a plain loop\n", y[0],
           tmac_context_isa(context), loop);

    tmac_weights_free(weights);
    tmac_context_free(context);
    return 0;
}
