/* SPDX-License-Identifier: MIT
 * Tensors in the plug-in's buffers as ggml sees them: bytes go in and come out in any pieces, whatever
 * operation reads them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <threads.h>
#include <unistd.h>

#include <cmocka.h>

#include "session.h"

static const int64_t shape[4] = {512, 77, 3,
                                 1}; /* 77 rows: two row steps and a part, three matrices */

static void nothing(void *arg)
{
    (void)arg;
}

static void assert_holds(const struct weights *w, const uint8_t *bytes)
{
    uint8_t *back = malloc(w->bytes);

    ggml_backend_tensor_get(w->tensor, back, 0, w->bytes);
    assert_memory_equal(back, bytes, w->bytes);
    free(back);
}

static void test_whole(void **unused)
{
    enum ggml_type type;

    (void)unused;
    for (int t = 0; tmac_type(t, &type); t++) {
        struct rng rng = rng_stream(rng_environment_seed(), 1, (uint64_t)t);
        struct weights w;
        weights_new(&w, type, shape, true, &rng);
        assert_holds(&w, w.blocks);
        weights_free(&w);
    }
}

static void set_piece(struct weights *w, size_t begin, size_t end)
{
    ggml_backend_tensor_set(w->tensor, w->blocks + begin, begin, end - begin);
}

/* Pieces of random lengths, in random order, some of them of a few bytes. */
static void test_pieces(void **unused)
{
    enum ggml_type type;

    (void)unused;
    for (int t = 0; tmac_type(t, &type); t++) {
        struct rng rng = rng_stream(rng_environment_seed(), 2, (uint64_t)t);
        struct weights w;
        size_t cuts[40], count = 40;
        uint8_t *back;
        weights_new(&w, type, shape, false, &rng);
        cuts[0] = 0;
        for (size_t i = 1; i + 1 < count; i++) /* ends of pieces, ascending */
            cuts[i] = cuts[i - 1] + rng_next(&rng) % (rng_next(&rng) % 2 ? 30 : w.bytes / 16) + 1;
        while (cuts[count - 2] >= w.bytes)
            count--;
        cuts[count - 1] = w.bytes;
        for (size_t i = count - 1; i > 0; i--) /* odd pieces first */
            if (i % 2)
                set_piece(&w, cuts[i - 1], cuts[i]);
        for (size_t i = 1; i < count; i++)
            if (i % 2 == 0)
                set_piece(&w, cuts[i - 1], cuts[i]);
        assert_holds(&w, w.blocks);
        back = malloc(w.bytes);
        for (size_t i = 0; i + 1 < count; i++)
            ggml_backend_tensor_get(w.tensor, back + cuts[i], cuts[i], cuts[i + 1] - cuts[i]);
        assert_memory_equal(back, w.blocks, w.bytes);
        free(back);
        weights_free(&w);
    }
}

/* Pieces from the last to the first, every one written onto others' zeros. */
static void test_backwards(void **unused)
{
    enum ggml_type type;
    struct rng rng = rng_stream(rng_environment_seed(), 3, 0);

    (void)unused;
    for (int t = 0; tmac_type(t, &type); t++) {
        struct weights w;
        weights_new(&w, type, shape, false, &rng);
        for (size_t end = w.bytes, size; end > 0; end -= size) {
            size = rng_next(&rng) % (w.bytes / 8) + 1;
            size = size < end ? size : end;
            ggml_backend_tensor_set(w.tensor, w.blocks + end - size, end - size, size);
        }
        assert_holds(&w, w.blocks);
        weights_free(&w);
    }
}

/* A view's bytes are those of the tensor behind it. */
static void test_view(void **unused)
{
    struct rng rng = rng_stream(rng_environment_seed(), 4, 0);
    struct weights w;
    struct ggml_tensor *view;
    uint8_t *back;
    size_t size;

    (void)unused;
    weights_new(&w, GGML_TYPE_Q4_K, shape, true, &rng);
    view = ggml_view_2d(w.context, w.tensor, 512, 20, w.tensor->nb[1], 30 * w.tensor->nb[1]);
    assert_int_equal(ggml_backend_view_init(view), GGML_STATUS_SUCCESS);
    size = ggml_nbytes(view);
    back = malloc(size);
    ggml_backend_tensor_get(view, back, 0, size);
    assert_memory_equal(back, w.blocks + view->view_offs, size);
    memcpy(w.blocks + view->view_offs, w.blocks, 2 * w.tensor->nb[1]);
    ggml_backend_tensor_set(view, w.blocks, 0, 2 * w.tensor->nb[1]);
    assert_holds(&w, w.blocks);
    free(back);
    weights_free(&w);
}

static void test_clear(void **unused)
{
    struct rng rng = rng_stream(rng_environment_seed(), 5, 0);
    struct weights w;

    (void)unused;
    weights_new(&w, GGML_TYPE_Q4_0, shape, true, &rng);
    ggml_backend_tensor_memset(w.tensor, 0x11, 1000, 5000);
    memset(w.blocks + 1000, 0x11, 5000);
    assert_holds(&w, w.blocks);
    ggml_backend_buffer_clear(w.buffer, 0);
    memset(w.blocks, 0, w.bytes);
    assert_holds(&w, w.blocks);
    weights_free(&w);
}

/* Multiplies with an input of ones, on `threads` threads: the sums of rows. */
static float *row_sums(struct ggml_tensor *w, int threads)
{
    struct session s;
    struct ggml_tensor *ones;
    float *sums;

    session_new(&s, threads);
    ones = ggml_fill(s.context,
                     ggml_new_tensor_4d(s.context, GGML_TYPE_F32, w->ne[0], 1, w->ne[2], w->ne[3]),
                     1.0f);
    sums = session_compute(&s, ggml_mul_mat(s.context, w, ones), nothing, NULL);
    session_free(&s);
    return sums;
}

/* Weights that libtmac refuses: everything stays as it is without the plug-in. */
static void test_refused(void **unused)
{
    struct rng rng = rng_stream(rng_environment_seed(), 6, 0);
    struct weights w;
    float *sums;

    (void)unused;
    if (ggml_backend_dev_by_name("TMAC")) /* its own device multiplies packed weights only */
        skip();
    weights_new(&w, GGML_TYPE_Q4_0, shape, true, &rng);
    w.blocks[5 * w.tensor->nb[1]] = 0xff; /* the first scale of row 5 is NaN */
    w.blocks[5 * w.tensor->nb[1] + 1] = 0x7f;
    ggml_backend_tensor_set(w.tensor, w.blocks + 5 * w.tensor->nb[1], 5 * w.tensor->nb[1], 2);
    assert_holds(&w, w.blocks);
    sums = row_sums(w.tensor, 2);
    for (int64_t m = 0; m < shape[1] * shape[2]; m++) {
        double right = 0.0, magnitude = 0.0;
        for (int64_t k = 0; k < shape[0]; k++) {
            right += (double)w.floats[m * shape[0] + k];
            magnitude += fabs((double)w.floats[m * shape[0] + k]);
        }
        if (m == 5)
            assert_true(isnan(sums[m]));
        else
            /* ggml rounds ones to 127 / 127, but that scale to a half float: by up to 2^-11. As much
             * again is more than the roundings of a sum of 512 floats. */
            assert_true(fabs((double)sums[m] - right) <= 0x1p-10 * magnitude);
    }
    free(sums);
    weights_free(&w);
}

/* Operations that are not multiplications read the weights' numbers all the same. */
static void test_other_operations(void **unused)
{
    enum ggml_type type;

    (void)unused;
    if (ggml_backend_dev_by_name("TMAC"))
        skip();
    for (int t = 0; tmac_type(t, &type); t++) {
        struct rng rng = rng_stream(rng_environment_seed(), 7, (uint64_t)t);
        const int64_t ne[4] = {256, 40, 1, 1};
        struct session s;
        struct weights w;
        struct ggml_tensor *view;
        float *got;
        weights_new(&w, type, ne, true, &rng);
        for (int again = 0; again < 2; again++) { /* the second time with the copy there already */
            session_new(&s, 2);
            got = session_compute(&s, ggml_cast(s.context, w.tensor, GGML_TYPE_F32), nothing, NULL);
            assert_memory_equal(got, w.floats, 256 * 40 * sizeof(float));
            free(got);
            session_free(&s);
        }
        view = ggml_view_2d(w.context, w.tensor, 256, 8, w.tensor->nb[1], 16 * w.tensor->nb[1]);
        assert_int_equal(ggml_backend_view_init(view), GGML_STATUS_SUCCESS);
        session_new(&s, 2);
        got = session_compute(&s, ggml_cast(s.context, view, GGML_TYPE_F32), nothing, NULL);
        assert_memory_equal(got, w.floats + 256 * 16, 256 * 8 * sizeof(float));
        free(got);
        session_free(&s);
        weights_free(&w);
    }
}

/* The same weights in two graphs at once, over and over. */
static int sum_again_and_again(void *arg)
{
    struct ggml_tensor *w = arg;
    float *first = row_sums(w, 2);
    int differences = 0;

    for (int i = 0; i < 20; i++) {
        float *again = row_sums(w, 2);
        differences += memcmp(first, again, (size_t)ggml_nrows(w) * sizeof *first) != 0;
        free(again);
    }
    free(first);
    return differences;
}

static void test_two_at_once(void **unused)
{
    struct rng rng = rng_stream(rng_environment_seed(), 8, 0);
    struct weights w;
    thrd_t threads[2];

    (void)unused;
    weights_new(&w, GGML_TYPE_Q4_K, shape, true, &rng);
    for (int i = 0; i < 2; i++)
        assert_int_equal(thrd_create(&threads[i], sum_again_and_again, w.tensor), thrd_success);
    for (int i = 0; i < 2; i++) {
        int differences;
        thrd_join(threads[i], &differences);
        assert_int_equal(differences, 0);
    }
    weights_free(&w);
}

/* Is the page there without a fault? */
static bool is_present(const void *page)
{
    const size_t number = (size_t)((uintptr_t)page / (size_t)sysconf(_SC_PAGESIZE));
    FILE *pages = fopen("/proc/self/pagemap", "r");
    uint64_t entry = 0;

    assert_non_null(pages);
    assert_int_equal(fseeko(pages, (off_t)(number * sizeof entry), SEEK_SET), 0);
    assert_int_equal(fread(&entry, sizeof entry, 1, pages), 1);
    fclose(pages);
    return entry >> 63;
}

/* Sets the tensor from bytes mapped in this way. Do their pages stay? */
static bool stays_after_set(struct weights *w, FILE *file, int rights, int flags)
{
    uint8_t *map = mmap(NULL, w->bytes, rights, flags, fileno(file), 0);
    const uint8_t *middle = map + w->bytes / 2;
    bool stays;

    assert_ptr_not_equal(map, MAP_FAILED);
    if (rights & PROT_WRITE)
        memcpy(map, w->blocks, w->bytes);
    assert_memory_equal(map, w->blocks, w->bytes);
    assert_true(is_present(middle));
    ggml_backend_tensor_set(w->tensor, map, 0, w->bytes);
    stays = is_present(middle);
    assert_holds(w, w->blocks);
    assert_memory_equal(map, w->blocks, w->bytes);
    munmap(map, w->bytes);
    return stays;
}

/* Pages of a mapped file are not the process's for longer than they are read; other memory is not
 * touched, nor is what it holds lost. */
static void test_mapped(void **unused)
{
    static const int64_t large[4] = {1024, 1024, 1, 1};
    struct rng rng = rng_stream(rng_environment_seed(), 9, 0);
    struct weights w;
    FILE *file = tmpfile();

    (void)unused;
    assert_non_null(file);
    weights_new(&w, GGML_TYPE_Q4_0, large, false, &rng);
    assert_int_equal(fwrite(w.blocks, 1, w.bytes, file), w.bytes);
    assert_int_equal(fflush(file), 0);
    assert_false(stays_after_set(&w, file, PROT_READ, MAP_SHARED));
    assert_true(stays_after_set(&w, file, PROT_READ, MAP_PRIVATE));
    assert_true(stays_after_set(&w, file, PROT_READ | PROT_WRITE, MAP_PRIVATE));
    ggml_backend_tensor_set(w.tensor, w.blocks, 0, w.bytes); /* of malloc */
    assert_holds(&w, w.blocks);
    fclose(file);
    weights_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_backwards),
        cmocka_unit_test(test_view),
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_other_operations),
        cmocka_unit_test(test_two_at_once),
        cmocka_unit_test(test_mapped),
    };

    if (!session_load())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
