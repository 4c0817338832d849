// SPDX-License-Identifier: MIT
//
// What is multiplied: formats, and random weights and activations, the same for both libraries.
#ifndef TMAC_AGAINST_DATA_H
#define TMAC_AGAINST_DATA_H

#include "side.h"

#include <string>
#include <vector>

struct Format {
    std::string name; // "w4/g32/point", or llama.cpp's name: "Q4_K"
    int ggml_type;    // llama.cpp's number; -1: codes and scales apart
    int bits;         // codes and scales apart: 1..4, or 0 for ternary
    int64_t group;    // what cols must be a multiple of
    Zero zero;
    bool quick; // among the few of --quick
};

const std::vector<Format> &all_formats();

struct Shape {
    int64_t rows, cols;
};

// Random weights, the same ones for the same format and shape.
class Source
{
  public:
    Source(const Format &format, Shape shape);
    Source(const Source &) = delete;
    Source &operator=(const Source &) = delete;

    Matrix matrix;

  private:
    void fill_blocks();
    void fill_codes();

    std::vector<uint8_t> codes, zero_points;
    std::vector<uint16_t> scales, minimums;
};

// `batch` inputs of `cols` numbers, about normally distributed.
std::vector<float> random_inputs(int64_t cols, int64_t batch);

#endif
