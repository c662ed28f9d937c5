#include "packing.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels.h"

namespace {

constexpr int LINE = 64;  // bytes: four of each of a tile's 16 rows
constexpr uint16_t NOT_A_HALF = 0x7e00;

float from_bits(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

uint32_t to_bits(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return bits;
}

float from_brain(uint16_t bits) { return from_bits(static_cast<uint32_t>(bits) << 16); }

// Shifted into place, the bits of a half are a float that is 2^112 times too small.
float from_half(uint16_t bits) {
    const uint32_t sign = (bits & 0x8000u) << 16, rest = bits & 0x7fffu;
    if (rest >= 0x7c00u) return from_bits(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
    const float size = from_bits(rest << 13) * 0x1p112f;
    return sign ? -size : size;
}

// Rounded to the nearest half, ties to even.
uint16_t to_half(float value) {
    const uint32_t sign = to_bits(value) >> 16 & 0x8000u;
    const float size = std::fabs(value);
    if (!(size < 65520.0f)) return sign | (size != size ? NOT_A_HALF : 0x7c00u);
    // Added to a power of two 13 bits above it, the sum's last bit is the half's last bit.
    const uint32_t exponent = std::max(to_bits(size) & 0x7f800000u, 0x38800000u);
    const float magic = from_bits(exponent + (13u << 23));
    const float rounded = (size + magic) - magic;
    if (rounded < 0x1p-14f) return sign | static_cast<uint16_t>(rounded * 0x1p24f);
    return sign | static_cast<uint16_t>((to_bits(rounded) - 0x38000000u) >> 13);
}

uint16_t read_half(const uint8_t* at) {
    uint16_t bits;
    std::memcpy(&bits, at, 2);
    return bits;
}

// One group of one row, ready to be put into a tile.
struct Group {
    uint8_t quants[GROUP];  // Q4: 16 bytes, low halves first; Q8: 32 bytes, plus 128
    uint16_t scale, offset;
};

struct Place {
    int32_t packed;
    int64_t groups;  // of a row
    uint8_t* tile;
    int lane;

    void put(int64_t group, const Group& from) const {
        packed == SP_PACKED_Q4 ? put_q4(group, from) : put_q8(group, from);
    }

  private:
    void put_q4(int64_t group, const Group& from) const {
        uint8_t* at = tile + group * 5 * LINE;
        for (int line = 0; line < 4; line++)
            std::memcpy(at + line * LINE + lane * 4, from.quants + line * 4, 4);
        std::memcpy(at + 4 * LINE + lane * 2, &from.scale, 2);
        std::memcpy(at + 4 * LINE + TILE * 2 + lane * 2, &from.offset, 2);
    }

    void put_q8(int64_t group, const Group& from) const {
        uint8_t* at = tile + group * 8 * LINE;
        for (int line = 0; line < 8; line++)
            std::memcpy(at + line * LINE + lane * 4, from.quants + line * 4, 4);
        std::memcpy(tile + groups * 8 * LINE + (group * TILE + lane) * 2, &from.scale, 2);
    }
};

// Files hold a group as scale (, offset), quants: https://github.com/ggml-org/ggml, ggml-common.h.
Group read_q4_0(const uint8_t* block) {
    Group group{};
    group.scale = read_half(block);
    group.offset = to_half(-8.0f * from_half(group.scale));  // weights are stored plus 8
    std::memcpy(group.quants, block + 2, 16);
    return group;
}

Group read_q4_1(const uint8_t* block) {
    Group group{};
    group.scale = read_half(block);
    group.offset = read_half(block + 2);
    std::memcpy(group.quants, block + 4, 16);
    return group;
}

Group read_q8_0(const uint8_t* block) {
    Group group{};
    group.scale = read_half(block);
    for (int i = 0; i < GROUP; i++) group.quants[i] = block[2 + i] ^ 0x80;
    return group;
}

uint8_t nearest(float value, float low, float high) {
    return static_cast<uint8_t>(std::lrintf(std::min(std::max(value, low), high)));
}

// Numbers to 8 bits, as Q8_0 does it: the greatest becomes 127.
Group quantise_q8(const float* numbers) {
    float most = 0.0f;
    for (int i = 0; i < GROUP; i++) most = std::max(most, std::fabs(numbers[i]));
    Group group{};
    group.scale = to_half(most / 127.0f);
    const float scale = from_half(group.scale), inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
    for (int i = 0; i < GROUP; i++)
        group.quants[i] = nearest(numbers[i] * inverse + 128.0f, 1.0f, 255.0f);
    return group;
}

// Numbers to 4 bits, as Q4_1 does it: the least becomes 0, the greatest 15.
Group quantise_q4(const float* numbers) {
    const float low = *std::min_element(numbers, numbers + GROUP);
    const float high = *std::max_element(numbers, numbers + GROUP);
    Group group{};
    group.scale = to_half((high - low) / 15.0f);
    group.offset = to_half(low);
    const float scale = from_half(group.scale), offset = from_half(group.offset);
    const float inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
    for (int i = 0; i < GROUP; i++) {
        const uint8_t quant = nearest((numbers[i] - offset) * inverse, 0.0f, 15.0f);
        group.quants[i % 16] |= quant << (i < 16 ? 0 : 4);
    }
    return group;
}

float read_number(int32_t stored, const uint8_t* source, int64_t at) {
    if (stored == SP_STORED_F32) {
        float value;
        std::memcpy(&value, source + at * 4, 4);
        return value;
    }
    const uint16_t bits = read_half(source + at * 2);
    return stored == SP_STORED_F16 ? from_half(bits) : from_brain(bits);
}

int64_t stored_block(int32_t stored) {  // bytes of a group
    switch (stored) {
        case SP_STORED_Q4_0:
            return 18;
        case SP_STORED_Q4_1:
            return 20;
        case SP_STORED_Q8_0:
            return 34;
        case SP_STORED_F32:
            return GROUP * 4;
        default:
            return GROUP * 2;
    }
}

Group read_group(int32_t stored, int32_t packed, const uint8_t* block) {
    switch (stored) {
        case SP_STORED_Q4_0:
            return read_q4_0(block);
        case SP_STORED_Q4_1:
            return read_q4_1(block);
        case SP_STORED_Q8_0:
            return read_q8_0(block);
        default: {
            float numbers[GROUP];
            for (int i = 0; i < GROUP; i++) numbers[i] = read_number(stored, block, i);
            Group group = packed == SP_PACKED_Q8 ? quantise_q8(numbers) : quantise_q4(numbers);
            // What is not a number must not become one.
            if (std::any_of(numbers, numbers + GROUP, [](float x) { return std::isnan(x); }))
                group.scale = NOT_A_HALF;
            return group;
        }
    }
}

bool is_quantised(int32_t packed) { return packed == SP_PACKED_Q4 || packed == SP_PACKED_Q8; }

int64_t tile_bytes(int32_t packed, int64_t cols) {
    switch (packed) {
        case SP_PACKED_Q4:
            return cols / GROUP * 5 * LINE;
        case SP_PACKED_Q8:
            return cols / GROUP * (8 * LINE + TILE * 2);
        case SP_PACKED_F32:
            return cols * TILE * 4;
        default:
            return cols * TILE * 2;
    }
}

void pack_plain_row(int64_t bytes, const uint8_t* source, int64_t cols, uint8_t* tile, int lane) {
    for (int64_t k = 0; k < cols; k++)
        std::memcpy(tile + (k * TILE + lane) * bytes, source + k * bytes, bytes);
}

void unpack_group(const SpMatrix& matrix, const uint8_t* tile, int64_t group, int lane,
                  float* out) {
    if (matrix.format == SP_PACKED_Q4) {
        const uint8_t* at = tile + group * 5 * LINE;
        const float scale = from_half(read_half(at + 4 * LINE + lane * 2));
        const float offset = from_half(read_half(at + 4 * LINE + TILE * 2 + lane * 2));
        for (int i = 0; i < GROUP; i++) {
            const uint8_t byte = at[i % 16 / 4 * LINE + lane * 4 + i % 4];
            out[i] = scale * static_cast<float>(i < 16 ? byte & 15 : byte >> 4) + offset;
        }
        return;
    }
    const uint8_t* at = tile + group * 8 * LINE;
    const uint8_t* scales = tile + matrix.cols / GROUP * 8 * LINE;
    const float scale = from_half(read_half(scales + (group * TILE + lane) * 2));
    for (int i = 0; i < GROUP; i++)
        out[i] = scale * static_cast<float>(at[i / 4 * LINE + lane * 4 + i % 4] - 128);
}

}  // namespace

void unpack_row(const SpMatrix& matrix, int64_t row, float* out) {
    const int64_t bytes = tile_bytes(matrix.format, matrix.cols);
    const uint8_t* tile = static_cast<const uint8_t*>(matrix.data) + row / TILE * bytes;
    const int lane = row % TILE;
    if (is_quantised(matrix.format)) {
        for (int64_t group = 0; group < matrix.cols / GROUP; group++)
            unpack_group(matrix, tile, group, lane, out + group * GROUP);
        return;
    }
    const int32_t stored = matrix.format == SP_PACKED_F32   ? SP_STORED_F32
                           : matrix.format == SP_PACKED_F16 ? SP_STORED_F16
                                                            : SP_STORED_BF16;
    for (int64_t k = 0; k < matrix.cols; k++)
        out[k] = read_number(stored, tile, k * TILE + lane);
}

int32_t sp_packed_format(int32_t stored, int32_t quantise) {
    switch (stored) {
        case SP_STORED_Q4_0:
        case SP_STORED_Q4_1:
            return SP_PACKED_Q4;
        case SP_STORED_Q8_0:
            return SP_PACKED_Q8;
        default:
            if (quantise == 8) return SP_PACKED_Q8;
            if (quantise == 4) return SP_PACKED_Q4;
            return stored == SP_STORED_F32   ? SP_PACKED_F32
                   : stored == SP_STORED_F16 ? SP_PACKED_F16
                                             : SP_PACKED_BF16;
    }
}

int64_t sp_packed_bytes(int32_t packed, int64_t rows, int64_t cols) {
    const int64_t bytes = (rows + TILE - 1) / TILE * tile_bytes(packed, cols);
    return (bytes + 63) / 64 * 64;
}

int32_t sp_pack(int32_t stored, int32_t packed, const void* source, int64_t rows, int64_t cols,
                void* target, int64_t first_row) {
    if (first_row % TILE || (is_quantised(packed) && cols % GROUP)) return SP_BAD_ARGUMENT;
    const int64_t row_bytes = is_quantised(packed) ? cols / GROUP * stored_block(stored)
                                                   : cols * (stored == SP_STORED_F32 ? 4 : 2);
    for (int64_t row = 0; row < rows; row++) {
        const uint8_t* from = static_cast<const uint8_t*>(source) + row * row_bytes;
        uint8_t* tile = static_cast<uint8_t*>(target) +
                        (first_row + row) / TILE * tile_bytes(packed, cols);
        const int lane = (first_row + row) % TILE;
        if (!is_quantised(packed)) {
            pack_plain_row(stored == SP_STORED_F32 ? 4 : 2, from, cols, tile, lane);
            continue;
        }
        const Place place{packed, cols / GROUP, tile, lane};
        for (int64_t group = 0; group < cols / GROUP; group++)
            place.put(group, read_group(stored, packed, from + group * stored_block(stored)));
    }
    return SP_OK;
}
