// SPDX-License-Identifier: MIT
//
// What is multiplied: the formats that are measured, and random weights and activations in them.
#ifndef TMAC_BENCH_SOURCE_H
#define TMAC_BENCH_SOURCE_H

#include "tmac.h"

#include <cstdint>
#include <string>
#include <vector>

struct Format {
    std::string name;      // "w4/g32", or llama.cpp's name: "Q4_K"
    tmac_format_info info; // "w4" or "Q4_K", as the library lists it
    tmac_width width;
    int ggml_type; // llama.cpp's number; -1: codes and scales apart, and
    int64_t group; // weights share a scale
};

// All of them, a width's own formats and llama.cpp's of that width next to each other: rows that
// are compared are measured at nearly the same time.
const std::vector<Format> &all_formats();

// "w1 Q1_0; ternary TQ1_0 TQ2_0; ...": what all_formats() has of each width, for the report.
std::string formats_by_width();

int code_bits(tmac_width width);

// What the inputs of a matrix must be a multiple of.
int64_t input_step(const Format &format);

struct Shape {
    int64_t rows, cols;
};

std::string text(const Shape &shape);

// Random weights, the same ones for the same format and shape.
struct Source {
    Source(const Format &format, Shape shape);
    Source(const Source &) = delete;
    Source &operator=(const Source &) = delete;

    size_t bytes() const
    {
        return codes.size() + 2 * scales.size();
    }

    std::vector<uint8_t> codes; // or blocks
    std::vector<uint16_t> scales;
    tmac_weights_desc desc;

  private:
    std::vector<uint16_t> minimums;
    std::vector<uint8_t> sub_minimums;
    std::vector<int8_t> sub_scales;

    void fill_apart();
    void fill_blocks(const Format &format);
};

// The description that Source would have, with no data behind it: for planning.
tmac_weights_desc describe(const Format &format, Shape shape);

// Activations with outlier channels, as real models have them.
extern bool outlier_channels;

// `batch` inputs of `cols` numbers, about normally distributed.
std::vector<float> random_inputs(int64_t cols, int64_t batch);

#endif
