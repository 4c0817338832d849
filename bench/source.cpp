// SPDX-License-Identifier: MIT
#include "source.h"

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
        for (size_t i = 0; i < bytes.size(); i++) {
            if (i % 8 == 0)
                word = next();
            bytes[i] = static_cast<uint8_t>(word >> i % 8 * 8);
        }
    }

  private:
    uint64_t state = 1, word = 0;
};

// Where the half floats of a block lie. Minimums are chosen so that weights are about centred, as
// real ones are: errors are told relative to results, which an offset would blow up.
struct Half {
    int offset, exponent;
    bool negative;
};

struct Block {
    int type, bytes, weights;
    std::vector<Half> halves;
    enum { ANY, TRITS_5, TRITS_2BIT } codes; // which bytes are valid outside of them
};

const Block &block_of(int type)
{
    static const std::vector<Block> blocks = {
        {2, 18, 32, {{0, -7, false}}, Block::ANY},
        {3, 20, 32, {{0, -7, false}, {2, -4, true}}, Block::ANY},
        {10, 84, 256, {{80, -7, false}, {82, -7, false}}, Block::ANY},
        {11, 110, 256, {{108, -7, false}}, Block::ANY},
        {12, 144, 256, {{0, -7, false}, {2, -4, false}}, Block::ANY},
        {34, 54, 256, {{52, -7, false}}, Block::TRITS_5},
        {35, 66, 256, {{64, -7, false}}, Block::TRITS_2BIT},
        {41, 18, 128, {{0, -7, false}}, Block::ANY},
        {42, 18, 64, {{0, -7, false}}, Block::ANY},
    };
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

void add_own(std::vector<Format> &formats, const std::string &name, tmac_width width)
{
    formats.push_back({name + "/g32", width, 32, -1});
    formats.push_back({name + "/g128", width, 128, -1});
}

std::vector<Format> make_formats()
{
    std::vector<Format> formats;

    add_own(formats, "w1", TMAC_WIDTH_1);
    formats.push_back({"Q1_0", TMAC_WIDTH_1, 128, 41});
    add_own(formats, "ternary", TMAC_WIDTH_TERNARY);
    formats.push_back({"TQ1_0", TMAC_WIDTH_TERNARY, 256, 34});
    formats.push_back({"TQ2_0", TMAC_WIDTH_TERNARY, 256, 35});
    add_own(formats, "w2", TMAC_WIDTH_2);
    formats.push_back({"Q2_K", TMAC_WIDTH_2, 16, 10});
    formats.push_back({"Q2_0", TMAC_WIDTH_2, 64, 42});
    add_own(formats, "w3", TMAC_WIDTH_3);
    formats.push_back({"Q3_K", TMAC_WIDTH_3, 16, 11});
    add_own(formats, "w4", TMAC_WIDTH_4);
    formats.push_back({"Q4_0", TMAC_WIDTH_4, 32, 2});
    formats.push_back({"Q4_1", TMAC_WIDTH_4, 32, 3});
    formats.push_back({"Q4_K", TMAC_WIDTH_4, 32, 12});
    return formats;
}

tmac_weights_desc describe_data(const Format &format, Shape shape, const void *codes,
                                const void *scales)
{
    tmac_weights_desc desc = {};

    desc.struct_size = sizeof desc;
    if (format.ggml_type >= 0) {
        if (tmac_weights_desc_ggml(&desc, format.ggml_type, shape.rows, shape.cols, codes))
            throw std::logic_error("ggml type " + format.name + " is not imported");
        return desc;
    }
    desc.rows = shape.rows;
    desc.cols = shape.cols;
    desc.width = format.width;
    desc.code_format = TMAC_CODES_DENSE;
    desc.codes = codes;
    desc.group = format.group;
    desc.scale_type = TMAC_SCALE_F16;
    desc.scales = scales;
    desc.zero_kind = TMAC_ZERO_SYMMETRIC;
    return desc;
}

} // namespace

const std::vector<Format> &all_formats()
{
    static const std::vector<Format> formats = make_formats();
    return formats;
}

int code_bits(tmac_width width)
{
    return width == TMAC_WIDTH_TERNARY ? 2 : static_cast<int>(width);
}

int64_t input_step(const Format &format)
{
    return format.ggml_type >= 0 ? block_of(format.ggml_type).weights : format.group;
}

std::string text(const Shape &shape)
{
    return std::to_string(shape.rows) + "x" + std::to_string(shape.cols);
}

void Source::fill_blocks(const Format &format, Shape shape)
{
    const Block &block = block_of(format.ggml_type);
    const size_t size = static_cast<size_t>(block.bytes);
    Random random;

    codes.resize(static_cast<size_t>(shape.rows * shape.cols / block.weights) * size);
    random.fill(codes);
    for (size_t at = 0; at < codes.size(); at += size)
        make_valid(block, &codes[at], random);
}

void Source::fill_codes(const Format &format, Shape shape)
{
    Random random;

    codes.resize(static_cast<size_t>(shape.rows * shape.cols * code_bits(format.width) / 8));
    random.fill(codes);
    if (format.width == TMAC_WIDTH_TERNARY)
        for (uint8_t &byte : codes)
            byte = trits_2bit(byte);
    scales.resize(static_cast<size_t>(shape.rows * shape.cols / format.group));
    for (uint16_t &scale : scales)
        scale = random.half(-7);
}

Source::Source(const Format &format, Shape shape)
{
    if (format.ggml_type >= 0)
        fill_blocks(format, shape);
    else
        fill_codes(format, shape);
    desc = describe_data(format, shape, codes.data(), scales.data());
}

tmac_weights_desc describe(const Format &format, Shape shape)
{
    return describe_data(format, shape, nullptr, nullptr);
}

bool outlier_channels = false;

// What a channel is multiplied by: one in 128 is 10 to 30 times as large as the others, in all inputs.
static float channel_size(Random &random)
{
    const uint64_t word = random.next();

    return outlier_channels && word % 128 == 0 ? 10 + 20 * static_cast<float>(word >> 32) * 0x1p-32f
                                               : 1;
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
    for (int64_t k = 0; k < cols; k++) {
        const float size = channel_size(random);
        for (int64_t n = 0; n < batch; n++)
            x[static_cast<size_t>(n * cols + k)] *= size;
    }
    return x;
}
