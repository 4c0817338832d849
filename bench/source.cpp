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

// Any byte to one of four codes that are not 3.
uint8_t trits_2bit(uint8_t byte)
{
    const unsigned both = byte & byte >> 1 & 0x55;
    return static_cast<uint8_t>(byte ^ both);
}

std::vector<tmac_format_info> list_formats()
{
    std::vector<tmac_format_info> list;

    for (int32_t i = 0; i < tmac_format_count(); i++) {
        tmac_format_info info = {};
        info.struct_size = sizeof info;
        if (tmac_format_query(i, &info))
            throw std::logic_error("a format is not listed");
        list.push_back(info);
    }
    return list;
}

std::vector<Format> make_formats()
{
    const std::vector<tmac_format_info> list = list_formats();
    std::vector<Format> formats;

    for (const tmac_format_info &own : list) {
        if (own.ggml_type >= 0)
            continue;
        for (int64_t group : {32, 128})
            formats.push_back(
                {own.name + ("/g" + std::to_string(group)), own, own.width, -1, group});
        for (const tmac_format_info &type : list)
            if (type.ggml_type >= 0 && type.width == own.width)
                formats.push_back({type.name, type, type.width, type.ggml_type, type.group});
    }
    return formats;
}

// Codes and scales apart, of the same numbers as blocks have.
tmac_weights_desc describe_apart(const Format &format, Shape shape)
{
    tmac_weights_desc desc = {};

    desc.struct_size = sizeof desc;
    desc.rows = shape.rows;
    desc.cols = shape.cols;
    desc.width = format.width;
    desc.code_format = TMAC_CODES_DENSE;
    desc.group = format.group;
    desc.scale_type = TMAC_SCALE_F16;
    desc.zero_kind = format.info.zero_kind;
    desc.zero = format.info.zero;
    desc.sub_format = format.info.sub_format;
    desc.super_group = format.info.super_group;
    return desc;
}

} // namespace

const std::vector<Format> &all_formats()
{
    static const std::vector<Format> formats = make_formats();
    return formats;
}

std::string formats_by_width()
{
    std::string text;

    for (const Format &format : all_formats())
        if (format.ggml_type >= 0)
            text += std::string(" ") + format.info.name;
        else if (format.group == 32)
            text += (text.empty() ? "" : "; ") + std::string(format.info.name);
    return text;
}

int code_bits(tmac_width width)
{
    return width == TMAC_WIDTH_TERNARY ? 2 : static_cast<int>(width);
}

int64_t input_step(const Format &format)
{
    return format.ggml_type >= 0 ? format.info.block : format.group;
}

std::string text(const Shape &shape)
{
    return std::to_string(shape.rows) + "x" + std::to_string(shape.cols);
}

// Minimums are chosen so that weights are about centred, as real ones are: errors are told relative to
// results, which an offset would blow up.
void Source::fill_apart()
{
    const int bits = code_bits(desc.width);
    const int64_t supers = desc.super_group ? desc.super_group : desc.group;
    Random random;

    codes.resize(static_cast<size_t>(desc.rows * desc.cols * bits / 8));
    random.fill(codes);
    if (desc.width == TMAC_WIDTH_TERNARY)
        for (uint8_t &byte : codes)
            byte = trits_2bit(byte);
    scales.resize(static_cast<size_t>(desc.rows * desc.cols / supers));
    for (uint16_t &scale : scales)
        scale = random.half(-7);
    if (desc.zero_kind == TMAC_ZERO_MINIMUM)
        for (size_t i = 0; i < scales.size(); i++)
            minimums.push_back(random.half(bits - 8, true));
    desc.codes = codes.data();
    desc.scales = scales.data();
    desc.minimums = minimums.data();
}

// The library's writer knows where a block has its numbers.
void Source::fill_blocks(const Format &format)
{
    const int least = desc.zero_kind == TMAC_ZERO_MINIMUM ? 0 : -(1 << format.info.sub_bits) / 2;
    tmac_context *context = nullptr;
    tmac_weights *weights = nullptr;
    Random random;

    if (desc.sub_format != TMAC_SUB_NONE)
        for (int64_t i = 0; i < desc.rows * desc.cols / desc.group; i++) {
            const uint64_t word = random.next();
            sub_scales.push_back(
                static_cast<int8_t>(least + static_cast<int>(word >> (64 - format.info.sub_bits))));
            sub_minimums.push_back(static_cast<uint8_t>(word & ((1u << format.info.sub_bits) - 1)));
        }
    desc.sub_scales = sub_scales.data();
    desc.sub_minimums = sub_minimums.data();
    std::vector<uint8_t> blocks(
        static_cast<size_t>(desc.rows * desc.cols / format.info.block * format.info.block_bytes));
    const bool good =
        !tmac_context_create(nullptr, &context) && !tmac_weights_pack(context, &desc, &weights) &&
        !tmac_weights_unpack_ggml(weights, format.ggml_type, 0, desc.rows, blocks.data(), 0);
    tmac_weights_free(weights);
    tmac_context_free(context);
    if (!good)
        throw std::logic_error("no random blocks of " + format.name);
    codes = std::move(blocks);
    scales.clear();
}

Source::Source(const Format &format, Shape shape) : desc(describe_apart(format, shape))
{
    fill_apart();
    if (format.ggml_type < 0)
        return;
    fill_blocks(format);
    desc = describe(format, shape);
    desc.codes = codes.data();
}

tmac_weights_desc describe(const Format &format, Shape shape)
{
    tmac_weights_desc desc = {};

    if (format.ggml_type < 0)
        return describe_apart(format, shape);
    desc.struct_size = sizeof desc;
    if (tmac_weights_desc_ggml(&desc, format.ggml_type, shape.rows, shape.cols, nullptr))
        throw std::logic_error(format.name + " has no such shape");
    return desc;
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
