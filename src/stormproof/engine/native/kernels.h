// What has one version for each instruction set. kernels.cpp is compiled once for each of them.
//
// Every result belongs to one row and is computed in one order of operations, however many rows or
// columns a call covers; so how work is cut up changes nothing.
#pragma once
#include <cstdint>

#include "stormproof.h"

constexpr int GROUP = 32;       // numbers that share a scale, along a row
constexpr int TILE = 16;        // outputs that are computed side by side
constexpr int KEY_LINE = 16;    // positions whose keys lie side by side in the cache
constexpr int KEY_CHUNK = 256;  // positions that attention weighs at once
constexpr int MAX_QUERIES = 6;  // queries that read a key together

// Rows on their way into a matrix: as numbers, and as 8-bit ones with a scale for each group.
struct Rows {
    const float* values;   // [rows, width]
    const int8_t* quants;  // [rows, width]
    const float* scales;   // [rows, width / GROUP]
    const float* offsets;  // scale times the sum of the group's quants
    const int32_t* sums;   // of the group's quants
    int32_t width;
};

// Where a product goes: over what is there, or onto it.
struct Out {
    float* values;
    int64_t stride;  // of rows
    bool add;
};

// Queries of one sequence that share a key head.
struct Attention {
    const float* query[MAX_QUERIES];   // [head_dim]
    float* out[MAX_QUERIES];           // [head_dim]
    int32_t position[MAX_QUERIES];     // of each query
    int32_t queries;
    int32_t head_dim;
    int32_t window;                    // 0: none
    float scale;
    float softcap;                     // 0: none
    // Where a sequence's keys and values are: block b begins at cache + table[b] * block_stride.
    const uint16_t* keys;
    const uint16_t* values;
    const int32_t* table;
    int64_t block_stride;
    int32_t block_size;
};

struct Kernels {
    const char* name;
    int32_t queries;  // that `attend` takes at once, at most MAX_QUERIES

    // W x + bias for the tiles first..last of W's rows.
    void (*multiply)(const SpMatrix& matrix, const Rows& in, int32_t rows, const Out& out,
                     int32_t first_tile, int32_t last_tile);

    // One row in 8 bits. The scale of a group is NaN where one of its numbers is not finite.
    void (*quantise)(const float* x, int32_t width, int8_t* quants, float* scales, float* offsets,
                     int32_t* sums);

    void (*normalise)(const float* x, const SpNorm& norm, int32_t width, float eps,
                      bool subtract_mean, float* out);

    void (*add)(const float* x, int32_t width, float* y);  // y += x

    // out = activation(gate) * up, or activation(gate) where up is nullptr.
    void (*activate)(const float* gate, const float* up, int32_t width, int32_t activation,
                     float* out);

    // Turns each pair of a head's dimensions, half a head apart.
    void (*rotate)(float* head, const float* cosines, const float* sines, int32_t head_dim);

    void (*attend)(const Attention& attention);

    // cap * tanh(x / cap)
    void (*cap)(float* x, int32_t width, float limit);
};

extern const Kernels portable_kernels;
#if defined(__x86_64__)
extern const Kernels avx2_kernels, avx512_kernels, avx512_bf16_kernels;
#endif
