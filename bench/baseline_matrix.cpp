// SPDX-License-Identifier: MIT
#include "baseline_matrix.h"

#include "roofline.h"

#include <cmath>
#include <new>

namespace
{

void *allocate(size_t bytes)
{
    void *memory = roofline_allocate(bytes);
    if (!memory)
        throw std::bad_alloc();
    return memory;
}

// Of TMAC_CODES_DENSE, one code per byte.
std::vector<uint8_t> unpack_codes(const std::vector<uint8_t> &dense, int bits)
{
    std::vector<uint8_t> codes(dense.size() * 8 / static_cast<size_t>(bits));
    size_t at = 0;

    for (uint8_t &code : codes)
        for (int bit = 0; bit < bits; bit++, at++)
            code = static_cast<uint8_t>(code | (dense[at / 8] >> at % 8 & 1) << bit);
    return codes;
}

// Of a normal number.
float from_half(uint16_t half)
{
    return std::ldexp(static_cast<float>(1024 + (half & 1023)), (half >> 10) - 25);
}

} // namespace

bool BaselineMatrix::fits(const baseline &b, const Format &format, Shape shape)
{
    return format.ggml_type < 0 && format.group == BASELINE_GROUP &&
           format.width != TMAC_WIDTH_TERNARY && code_bits(format.width) <= b.most_bits &&
           shape.rows % b.row_step == 0 && shape.cols % b.k_step == 0;
}

BaselineMatrix::BaselineMatrix(const baseline &b, const Format &format, Shape s)
    : loops(b), shape{code_bits(format.width), s.rows, s.cols}, packed(nullptr, &std::free),
      prepared(nullptr, &std::free)
{
    Source source(format, s);
    codes = unpack_codes(source.codes, shape.bits);
    scales = std::move(source.scales);
    const baseline_source from = {shape.bits, shape.rows, shape.cols, codes.data(), scales.data()};
    packed.reset(allocate(bytes()));
    loops.pack(&loops, &from, packed.get());
}

size_t BaselineMatrix::bytes() const
{
    return loops.packed_bytes(&loops, shape);
}

void BaselineMatrix::prepare(const std::vector<float> &x)
{
    const int wanted = static_cast<int>(x.size() / static_cast<size_t>(shape.cols));
    if (wanted != batch)
        prepared.reset(allocate(loops.prepared_bytes(&loops, shape, wanted)));
    batch = wanted;
    loops.prepare(&loops, shape, x.data(), batch, prepared.get());
}

void BaselineMatrix::multiply(std::vector<float> &y) const
{
    loops.multiply(&loops, shape, packed.get(), prepared.get(), batch, y.data());
}

void BaselineMatrix::unpack(int64_t row, float *out) const
{
    for (int64_t k = 0; k < shape.cols; k++) {
        const size_t at = static_cast<size_t>(row * shape.cols + k);
        const int code = codes[at];
        const int weight = shape.bits == 1 ? 2 * code - 1 : code - (1 << (shape.bits - 1));
        out[k] = from_half(scales[at / BASELINE_GROUP]) * static_cast<float>(weight);
    }
}

const baseline *find_baseline(const std::string &name)
{
    for (int i = 0; i < baseline_count(); i++)
        if (name == baseline_at(i)->name)
            return baseline_at(i);
    return nullptr;
}
