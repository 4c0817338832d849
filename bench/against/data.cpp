// SPDX-License-Identifier: MIT
#include "data.h"

#include <stdexcept>

namespace
{

// Fast, repeatable, and random enough for weights (splitmix64).
class Random
{
  public:
    uint64_t next()
    {
        uint64_t z = state += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }

    // A half float between 2^exponent and 2^(exponent + 1).
    uint16_t half(int exponent, bool negative = false)
    {
        return static_cast<uint16_t>(negative << 15 | (exponent + 15) << 10 | (next() & 1023));
    }

    void fill(std::vector<uint8_t> &bytes)
    {
        uint64_t word = 0;
        for (size_t i = 0; i < bytes.size(); i++) {
            if (i % 8 == 0)
                word = next();
            bytes[i] = static_cast<uint8_t>(word >> i % 8 * 8);
        }
    }

  private:
    uint64_t state = 1;
};

// Where the half floats of a block lie.
struct Half {
    int offset, exponent;
    bool negative;
};

struct Block {
    const char *name;
    int type, bytes, weights;
    std::vector<Half> halves;
    enum { ANY, TRITS_5, TRITS_2BIT } codes; // which bytes are valid outside of them
    bool quick;
};

// Types that only one library knows, or none, are left out with a word.
const std::vector<Block> blocks = {
    {"Q1_0", 41, 18, 128, {{0, -7, false}}, Block::ANY, true},
    {"TQ1_0", 34, 54, 256, {{52, -7, false}}, Block::TRITS_5, false},
    {"TQ2_0", 35, 66, 256, {{64, -7, false}}, Block::TRITS_2BIT, true},
    {"Q2_K", 10, 84, 256, {{80, -7, false}, {82, -7, false}}, Block::ANY, true},
    {"Q2_0", 42, 18, 64, {{0, -7, false}}, Block::ANY, false},
    {"Q3_K", 11, 110, 256, {{108, -7, false}}, Block::ANY, false},
    {"Q4_0", 2, 18, 32, {{0, -7, false}}, Block::ANY, true},
    {"Q4_1", 3, 20, 32, {{0, -7, false}, {2, -4, true}}, Block::ANY, false},
    {"Q4_K", 12, 144, 256, {{0, -7, false}, {2, -4, false}}, Block::ANY, true},
    {"Q8_0", 8, 34, 32, {{0, -7, false}}, Block::ANY, true},
};

const Block &block_of(int type)
{
    for (const Block &block : blocks)
        if (block.type == type)
            return block;
    throw std::logic_error("no such ggml type");
}

// Any byte to one of four codes that are not 3.
uint8_t trits_2bit(uint8_t byte)
{
    const unsigned both = byte & byte >> 1 & 0x55;
    return static_cast<uint8_t>(byte ^ both);
}

// Any byte to one that stands for 5 trits: their number as a fraction of 256, rounded up. The last
// four bytes of a block hold 4 trits, which is 5 with the last one 0.
uint8_t trits_5(uint8_t byte, bool four)
{
    const int number = four ? byte % 81 * 3 : byte % 243;
    return static_cast<uint8_t>((number * 256 + 242) / 243);
}

void make_valid(const Block &block, uint8_t *bytes, Random &random)
{
    for (int i = 0; i < block.bytes && block.codes != Block::ANY; i++)
        bytes[i] =
            block.codes == Block::TRITS_5 ? trits_5(bytes[i], i >= 48) : trits_2bit(bytes[i]);
    for (const Half &half : block.halves) {
        const uint16_t value = random.half(half.exponent, half.negative);
        bytes[half.offset] = static_cast<uint8_t>(value);
        bytes[half.offset + 1] = static_cast<uint8_t>(value >> 8);
    }
}

std::vector<Format> make_formats()
{
    const char *const names[] = {"ternary", "w1", "w2", "w3", "w4"};
    std::vector<Format> formats;

    for (const Block &block : blocks)
        formats.push_back({block.name, block.type, 0, block.weights, Zero::Symmetric, block.quick});
    for (int bits = 0; bits <= 4; bits++)
        for (int64_t group : {32, 128}) {
            const std::string name = std::string(names[bits]) + "/g" + std::to_string(group);
            formats.push_back({name, -1, bits, group, Zero::Symmetric, bits == 2 && group == 128});
            formats.push_back(
                {name + "/point", -1, bits, group, Zero::Point, bits == 4 && group == 128});
            formats.push_back({name + "/minimum", -1, bits, group, Zero::Minimum, false});
        }
    return formats;
}

} // namespace

const std::vector<Format> &all_formats()
{
    static const std::vector<Format> formats = make_formats();
    return formats;
}

void Source::fill_blocks()
{
    const Block &block = block_of(matrix.ggml_type);
    const size_t size = static_cast<size_t>(block.bytes);
    Random random;

    codes.resize(static_cast<size_t>(matrix.rows * matrix.cols / block.weights) * size);
    random.fill(codes);
    for (size_t at = 0; at < codes.size(); at += size)
        make_valid(block, &codes[at], random);
}

void Source::fill_codes()
{
    const int code_bits = matrix.bits == 0 ? 2 : matrix.bits;
    const size_t groups = static_cast<size_t>(matrix.rows * (matrix.cols / matrix.group));
    Random random;

    codes.resize(static_cast<size_t>(matrix.rows * (matrix.cols * code_bits / 8)));
    random.fill(codes);
    if (matrix.bits == 0)
        for (uint8_t &byte : codes)
            byte = trits_2bit(byte);
    for (size_t i = 0; i < groups; i++) {
        scales.push_back(random.half(-7));
        minimums.push_back(random.half(-6, true));
        zero_points.push_back(static_cast<uint8_t>(random.next() % (1u << code_bits)));
    }
}

Source::Source(const Format &format, Shape shape) : matrix()
{
    matrix.ggml_type = format.ggml_type;
    matrix.bits = format.bits;
    matrix.group = format.group;
    matrix.zero = format.zero;
    matrix.rows = shape.rows;
    matrix.cols = shape.cols;
    if (format.ggml_type >= 0)
        fill_blocks();
    else
        fill_codes();
    matrix.codes = codes.data();
    matrix.scales = scales.data();
    matrix.minimums = minimums.data();
    matrix.zero_points = zero_points.data();
}

std::vector<float> random_inputs(int64_t cols, int64_t batch)
{
    std::vector<float> x(static_cast<size_t>(cols * batch));
    Random random;

    // The sum of four uniform numbers.
    for (float &value : x) {
        const uint64_t word = random.next();
        int sum = 0;
        for (int i = 0; i < 4; i++)
            sum += static_cast<int>(word >> 16 * i & 0xffff);
        value = static_cast<float>(sum - 2 * 0xffff) * 0x1p-15f;
    }
    return x;
}
