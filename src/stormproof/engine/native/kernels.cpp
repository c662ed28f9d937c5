// The arithmetic of a step, compiled once for each instruction set: see simd.h.
//
// No template or inline function of the standard library may be used here: the linker keeps one
// copy of each, and it could be one that the processor at hand cannot run.
#include "kernels.h"

#include "simd.h"

namespace {

// --- Matrices -----------------------------------------------------------------------------------

// Bytes of a tile: 16 rows of a matrix, each group of which lies together.
SP_INLINE int64_t tile_bytes(const SpMatrix& matrix) {
    const int64_t numbers = static_cast<int64_t>(TILE) * matrix.cols;
    switch (matrix.format) {
        case SP_PACKED_Q4:
            return numbers / 2 + numbers / GROUP * 4;
        case SP_PACKED_Q8:
            return numbers + numbers / GROUP * 2;
        case SP_PACKED_F32:
            return numbers * 4;
        default:
            return numbers * 2;
    }
}

// Bytes of a group of a quantised tile, the scales of an 8-bit one apart.
template <int FORMAT>
constexpr int GROUP_BYTES = FORMAT == SP_PACKED_Q4 ? 5 * 64 : 8 * 64;

// A group's share of the tile's bytes: its scales come on top.
template <int FORMAT>
constexpr int GROUP_SHARE = GROUP_BYTES<FORMAT> + (FORMAT == SP_PACKED_Q8 ? TILE * 2 : 0);

// Four lines of a group: its first or its second half. A line has four numbers of each row; where
// they have 4 bits, a byte's low half belongs to the first half, its high half to the second.
template <int FORMAT>
SP_INLINE Ints load_weights(const uint8_t* group, int half, int line) {
    if (FORMAT == SP_PACKED_Q8) return load_bytes(group + (half * 4 + line) * 64);
    const Ints bytes = load_bytes(group + line * 64);
    return half ? high_nibbles(bytes) : low_nibbles(bytes);
}

// Integer sums of one group, for some rows and tiles.
template <int FORMAT, int ROWS, int TILES>
SP_INLINE void sum_group(const uint8_t* group, int64_t tile_bytes, const int8_t* x, int64_t width,
                         Ints (*sums)[ROWS]) {
    for (int tile = 0; tile < TILES; tile++)
        for (int i = 0; i < ROWS; i++) sums[tile][i] = no_ints();
    for (int half = 0; half < 2; half++) {
        Ints weights[TILES][4];
        for (int tile = 0; tile < TILES; tile++)
            for (int line = 0; line < 4; line++)
                weights[tile][line] = load_weights<FORMAT>(group + tile * tile_bytes, half, line);
        for (int i = 0; i < ROWS; i++)
            for (int line = 0; line < 4; line++) {
                const Ints four = four_bytes(x + i * width + half * GROUP / 2 + line * 4);
                for (int tile = 0; tile < TILES; tile++)
                    if (FORMAT == SP_PACKED_Q4)
                        add_products(sums[tile][i], weights[tile][line], four);
                    else
                        add_centred_products(sums[tile][i], weights[tile][line], four);
            }
    }
}

// Weights come from main memory once a step. The next tiles are asked for, a share with each group,
// while the first rows are multiplied with these.
template <int BYTES>
SP_INLINE void fetch(const uint8_t* share) {
    for (int byte = 0; byte < BYTES; byte += 64) __builtin_prefetch(share + byte);
}

// The sums of some tiles for some rows: weights of 4 bits stand for scale * weight + offset, those of
// 8 bits, which are stored plus 128 and whose scales follow the tile's weights, for scale * weight.
template <int FORMAT, int ROWS, int TILES>
SP_INLINE void multiply_groups(const uint8_t* tiles, int64_t tile_bytes, const Rows& in,
                               int64_t row, Floats (*sums)[ROWS]) {
    const int64_t groups = in.width / GROUP, first = row * groups;
    const int8_t* x = in.quants + row * in.width;
    for (int64_t group = 0; group < groups; group++, x += GROUP) {
        const uint8_t* at = tiles + group * GROUP_BYTES<FORMAT>;
        if (row == 0)
            for (int tile = 0; tile < TILES; tile++)
                fetch<GROUP_SHARE<FORMAT>>(tiles + (TILES + tile) * tile_bytes +
                                           group * GROUP_SHARE<FORMAT>);
        Ints products[TILES][ROWS];
        sum_group<FORMAT, ROWS, TILES>(at, tile_bytes, x, in.width, products);
        for (int tile = 0; tile < TILES; tile++) {
            const uint16_t* halves = reinterpret_cast<const uint16_t*>(
                FORMAT == SP_PACKED_Q4
                    ? at + tile * tile_bytes + 4 * 64
                    : tiles + tile * tile_bytes + groups * TILE * GROUP + group * TILE * 2);
            const Floats scale = load_half(halves);
            for (int i = 0; i < ROWS; i++) {
                const int64_t place = first + i * groups + group;
                Ints sum = products[tile][i];
                if (FORMAT == SP_PACKED_Q8) sum = centred(sum, in.sums[place]);
                const Floats scaled = mul(to_floats(sum), splat(in.scales[place]));
                sums[tile][i] = multiply_add(scaled, scale, sums[tile][i]);
                if (FORMAT == SP_PACKED_Q4)
                    sums[tile][i] = multiply_add(load_half(halves + TILE),
                                                 splat(in.offsets[place]), sums[tile][i]);
            }
        }
    }
}

SP_INLINE Floats load_number(const float* p) { return load(p); }
struct Half {
    uint16_t bits;
};
struct Brain {
    uint16_t bits;
};
SP_INLINE Floats load_number(const Half* p) { return load_half(&p->bits); }
SP_INLINE Floats load_number(const Brain* p) { return load_brain(&p->bits); }

// The same for weights that are numbers.
template <class Number, int ROWS, int TILES>
SP_INLINE void multiply_plain(const uint8_t* tiles, int64_t tile_bytes, const Rows& in,
                              int64_t row, Floats (*sums)[ROWS]) {
    const float* x = in.values + row * in.width;
    for (int64_t k = 0; k < in.width; k++)
        for (int tile = 0; tile < TILES; tile++) {
            const uint8_t* at = tiles + tile * tile_bytes;
            const Floats column = load_number(reinterpret_cast<const Number*>(at) + k * TILE);
            for (int i = 0; i < ROWS; i++)
                sums[tile][i] =
                    multiply_add(column, splat(x[i * in.width + k]), sums[tile][i]);
        }
}

// Some columns of one row of the result; the last tile may reach beyond the matrix.
SP_INLINE void finish(const SpMatrix& matrix, int64_t column, Floats sums, float* y, bool add_to) {
    const int64_t left = matrix.rows - column;
    if (left >= TILE) {
        if (matrix.bias) sums = add(sums, load(matrix.bias + column));
        if (add_to) sums = add(sums, load(y));
        store(y, sums);
        return;
    }
    float numbers[TILE];
    store(numbers, sums);
    for (int64_t i = 0; i < left; i++) {
        if (matrix.bias) numbers[i] += matrix.bias[column + i];
        y[i] = add_to ? numbers[i] + y[i] : numbers[i];
    }
}

template <int FORMAT, int ROWS, int TILES>
void multiply_block(const SpMatrix& matrix, const Rows& in, int64_t row, int64_t first_tile,
                    const Out& out) {
    const int64_t bytes = tile_bytes(matrix);
    const uint8_t* tiles = static_cast<const uint8_t*>(matrix.data) + first_tile * bytes;
    Floats sums[TILES][ROWS];
    for (int tile = 0; tile < TILES; tile++)
        for (int i = 0; i < ROWS; i++) sums[tile][i] = none();
    if constexpr (FORMAT == SP_PACKED_F32)
        multiply_plain<float, ROWS, TILES>(tiles, bytes, in, row, sums);
    else if constexpr (FORMAT == SP_PACKED_F16)
        multiply_plain<Half, ROWS, TILES>(tiles, bytes, in, row, sums);
    else if constexpr (FORMAT == SP_PACKED_BF16)
        multiply_plain<Brain, ROWS, TILES>(tiles, bytes, in, row, sums);
    else
        multiply_groups<FORMAT, ROWS, TILES>(tiles, bytes, in, row, sums);
    for (int tile = 0; tile < TILES; tile++) {
        const int64_t column = (first_tile + tile) * TILE;
        for (int i = 0; i < ROWS; i++)
            finish(matrix, column, sums[tile][i],
                   out.values + (row + i) * out.stride + column, out.add);
    }
}

// As many rows and tiles at once as there are registers for their sums; then what is left.
constexpr int ROWS_AT_ONCE = SP_ISA >= 2 ? 6 : SP_ISA == 1 ? 2 : 1;
constexpr int TILES_AT_ONCE = SP_ISA >= 2 ? 2 : 1;
// Few rows wait for memory, which is read fastest straight on: one tile after the other. What holds up
// many is loading the rows themselves, which two tiles share.
constexpr int FEW_ROWS = 48;

template <int FORMAT, int TILES>
void multiply_rows(const SpMatrix& matrix, const Rows& in, int32_t rows, int64_t tile,
                   const Out& out) {
    int64_t row = 0;
    for (; row + ROWS_AT_ONCE <= rows; row += ROWS_AT_ONCE)
        multiply_block<FORMAT, ROWS_AT_ONCE, TILES>(matrix, in, row, tile, out);
    switch (rows - row) {
        case 1:
            return multiply_block<FORMAT, 1, TILES>(matrix, in, row, tile, out);
#if SP_ISA >= 2
        case 2:
            return multiply_block<FORMAT, 2, TILES>(matrix, in, row, tile, out);
        case 3:
            return multiply_block<FORMAT, 3, TILES>(matrix, in, row, tile, out);
        case 4:
            return multiply_block<FORMAT, 4, TILES>(matrix, in, row, tile, out);
        case 5:
            return multiply_block<FORMAT, 5, TILES>(matrix, in, row, tile, out);
#endif
        default:
            return;
    }
}

template <int FORMAT>
void multiply_tiles(const SpMatrix& matrix, const Rows& in, int32_t rows, const Out& out,
                    int32_t first, int32_t last) {
    int64_t tile = first;
    if (rows > FEW_ROWS)
        for (; tile + TILES_AT_ONCE <= last; tile += TILES_AT_ONCE)
            multiply_rows<FORMAT, TILES_AT_ONCE>(matrix, in, rows, tile, out);
    for (; tile < last; tile++) multiply_rows<FORMAT, 1>(matrix, in, rows, tile, out);
}

void multiply(const SpMatrix& matrix, const Rows& in, int32_t rows, const Out& out,
              int32_t first, int32_t last) {
    switch (matrix.format) {
        case SP_PACKED_Q4:
            return multiply_tiles<SP_PACKED_Q4>(matrix, in, rows, out, first, last);
        case SP_PACKED_Q8:
            return multiply_tiles<SP_PACKED_Q8>(matrix, in, rows, out, first, last);
        case SP_PACKED_F32:
            return multiply_tiles<SP_PACKED_F32>(matrix, in, rows, out, first, last);
        case SP_PACKED_F16:
            return multiply_tiles<SP_PACKED_F16>(matrix, in, rows, out, first, last);
        default:
            return multiply_tiles<SP_PACKED_BF16>(matrix, in, rows, out, first, last);
    }
}

// --- Rows ---------------------------------------------------------------------------------------

void quantise(const float* x, int32_t width, int8_t* quants, float* scales, float* offsets,
              int32_t* sums) {
    for (int32_t group = 0; group < width / GROUP; group++, x += GROUP, quants += GROUP) {
        Floats a = load(x), b = load(x + LANES);
        float most = maximum_of(maximum(magnitude(a), magnitude(b)));
        if (has_nan(add(sub(a, a), sub(b, b)))) {  // as what is infinite leaves
            most = __builtin_nanf("");
            a = b = none();
        }
        const float scale = most / 127.0f;
        const Floats inverse = splat(most > 1e-30f ? 127.0f / most : 0.0f);
        const int32_t sum =
            store_rounded(quants, mul(a, inverse)) + store_rounded(quants + LANES, mul(b, inverse));
        scales[group] = scale;
        offsets[group] = scale * static_cast<float>(sum);
        sums[group] = sum;
    }
}

void normalise(const float* x, const SpNorm& norm, int32_t width, float eps, bool subtract_mean,
               float* out) {
    Floats total = none();
    if (subtract_mean)
        for (int32_t i = 0; i < width; i += LANES) total = add(total, load(x + i));
    const Floats mean = splat(sum_of(total) / static_cast<float>(width));
    Floats squares = none();
    for (int32_t i = 0; i < width; i += LANES) {
        const Floats centre = sub(load(x + i), mean);
        squares = multiply_add(centre, centre, squares);
    }
    const float variance = sum_of(squares) / static_cast<float>(width);
    const Floats scale = splat(1.0f / __builtin_sqrtf(variance + eps));
    for (int32_t i = 0; i < width; i += LANES) {
        Floats y = mul(mul(sub(load(x + i), mean), scale), load(norm.weight + i));
        if (norm.bias) y = add(y, load(norm.bias + i));
        store(out + i, y);
    }
}

void add_row(const float* x, int32_t width, float* y) {
    for (int32_t i = 0; i < width; i += LANES) store(y + i, add(load(y + i), load(x + i)));
}

// x / (1 + e^-x)
SP_INLINE Floats silu(Floats x) {
    return divide(x, add(splat(1.0f), exponential(sub(none(), x))));
}

// GELU by tanh (Hendrycks and Gimpel, https://arxiv.org/abs/1606.08415), where
// (1 + tanh u) / 2 = 1 / (1 + e^-2u).
SP_INLINE Floats gelu(Floats x) {
    const Floats cube = mul(mul(x, x), x);
    const Floats u = multiply_add(cube, splat(0.044715f), x);
    return divide(x, add(splat(1.0f), exponential(mul(u, splat(-1.5957691216f)))));
}

void activate(const float* gate, const float* up, int32_t width, int32_t activation, float* out) {
    for (int32_t i = 0; i < width; i += LANES) {
        const Floats x = load(gate + i);
        const Floats y = activation == SP_SILU ? silu(x) : gelu(x);
        store(out + i, up ? mul(y, load(up + i)) : y);
    }
}

void rotate(float* head, const float* cosines, const float* sines, int32_t head_dim) {
    const int32_t half = head_dim / 2;
    int32_t i = 0;
    for (; i + LANES <= half; i += LANES) {
        const Floats a = load(head + i), b = load(head + half + i);
        const Floats cosine = load(cosines + i), sine = load(sines + i);
        store(head + i, sub(mul(a, cosine), mul(b, sine)));
        store(head + half + i, add(mul(b, cosine), mul(a, sine)));
    }
    for (; i < half; i++) {
        const float a = head[i], b = head[half + i];
        head[i] = a * cosines[i] - b * sines[i];
        head[half + i] = b * cosines[i] + a * sines[i];
    }
}

SP_INLINE Floats capped(Floats x, float limit) {
    // tanh z = 1 - 2 / (e^2z + 1)
    const Floats e = exponential(mul(x, splat(2.0f / limit)));
    return mul(splat(limit), sub(splat(1.0f), divide(splat(2.0f), add(e, splat(1.0f)))));
}

void cap(float* x, int32_t width, float limit) {
    int32_t i = 0;
    for (; i + LANES <= width; i += LANES) store(x + i, capped(load(x + i), limit));
    if (i == width) return;
    float rest[LANES] = {};
    memcpy(rest, x + i, (width - i) * sizeof(float));
    store(rest, capped(load(rest), limit));
    memcpy(x + i, rest, (width - i) * sizeof(float));
}

// --- Attention ----------------------------------------------------------------------------------

constexpr float MASKED = -1e30f;
constexpr int MAX_HEAD_DIM = 1024;

// The cache keeps, for each line of 16 positions, keys as [head_dim / 2][16 positions][2] and values
// as [8 pairs of positions][head_dim][2], so that one instruction multiplies pairs.
struct Line {
    const uint16_t* keys;
    const uint16_t* values;
};

SP_INLINE Line line_at(const Attention& a, int32_t line) {
    const int32_t lines = a.block_size / KEY_LINE;
    const int64_t block = a.table[line / lines];
    const int64_t at =
        block * a.block_stride + static_cast<int64_t>(line % lines) * KEY_LINE * a.head_dim;
    return {a.keys + at, a.values + at};
}

SP_INLINE int32_t first_visible(const Attention& a, int32_t position) {
    return a.window && position >= a.window ? position - a.window + 1 : 0;
}

// Lines come from main memory, each from somewhere else.
SP_INLINE void fetch_line(const uint16_t* line, int32_t head_dim) {
    const char* at = reinterpret_cast<const char*>(line);
    for (int32_t byte = 0; byte < head_dim * KEY_LINE * 2; byte += 64)
        __builtin_prefetch(at + byte);
}

// Scores of some lines. They do not depend on each other, and so keep the processor busy.
template <int QUERIES, int LINES>
SP_INLINE void score_lines(const Attention& a, const uint32_t (*pairs)[MAX_HEAD_DIM / 2],
                           int32_t line, float (*scores)[KEY_CHUNK], int32_t at) {
    const uint16_t* keys[LINES];
    Floats sums[LINES][QUERIES];
    for (int l = 0; l < LINES; l++) {
        keys[l] = line_at(a, line + l).keys;
        for (int q = 0; q < QUERIES; q++) sums[l][q] = none();
    }
    for (int32_t i = 0; i < a.head_dim / 2; i++)
        for (int l = 0; l < LINES; l++)
            for (int q = 0; q < QUERIES; q++)
                sums[l][q] =
                    add_pair_products(sums[l][q], keys[l] + i * 2 * KEY_LINE, pairs[q][i]);
    for (int l = 0; l < LINES; l++)
        for (int q = 0; q < QUERIES; q++) {
            const Floats found =
                a.softcap != 0.0f ? capped(sums[l][q], a.softcap) : sums[l][q];
            store(scores[q] + at + l * KEY_LINE, found);
        }
}

SP_INLINE void mask(float* scores, int32_t count, int32_t from, int32_t to) {
    for (int32_t key = 0; key < from; key++) scores[key] = MASKED;
    for (int32_t key = to > 0 ? to : 0; key < count; key++) scores[key] = MASKED;
}

// Scores of `count` positions from `begin`, [queries][KEY_CHUNK], those that a query does not see
// masked.
template <int QUERIES>
SP_INLINE void score(const Attention& a, const uint32_t (*pairs)[MAX_HEAD_DIM / 2], int32_t begin,
                     int32_t count, float (*scores)[KEY_CHUNK]) {
    constexpr int LINES = QUERIES == 1 ? 4 : 2;
    const int32_t first = begin / KEY_LINE, lines = count / KEY_LINE;
    int32_t line = 0;
    for (; line + LINES <= lines; line += LINES) {
        for (int l = 0; l < LINES; l++) {
            if (line + LINES + l < lines)
                fetch_line(line_at(a, first + line + LINES + l).keys, a.head_dim);
            fetch_line(line_at(a, first + line + l).values, a.head_dim);
        }
        score_lines<QUERIES, LINES>(a, pairs, first + line, scores, line * KEY_LINE);
    }
    for (; line < lines; line++) {
        fetch_line(line_at(a, first + line).values, a.head_dim);
        score_lines<QUERIES, 1>(a, pairs, first + line, scores, line * KEY_LINE);
    }
    for (int q = 0; q < QUERIES; q++) {
        const int32_t from = first_visible(a, a.position[q]) - begin;
        mask(scores[q], count, from < count ? from : count, a.position[q] + 1 - begin);
    }
}

// Turns one query's scores into weights, as pairs of bfloat16; returns their sum.
SP_INLINE float weigh(const float* scores, int32_t count, float most, uint32_t* weights) {
    Floats total = none();
    const Floats top = splat(most);
    for (int32_t i = 0; i < count; i += LANES) {
        const Floats weight = exponential(sub(load(scores + i), top));
        total = add(total, weight);
#if SP_ISA == 3
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(weights + i / 2),
                            (__m256i)_mm512_cvtneps_pbh(weight));
#else
        float numbers[LANES];
        store(numbers, weight);
        for (int pair = 0; pair < LANES / 2; pair++)
            weights[i / 2 + pair] = static_cast<uint32_t>(to_brain(numbers[2 * pair + 1])) << 16 |
                                    to_brain(numbers[2 * pair]);
#endif
    }
    return sum_of(total);
}

SP_INLINE float most_of(const float* scores, int32_t count) {
    Floats most = load(scores);
    for (int32_t i = LANES; i < count; i += LANES) most = maximum(most, load(scores + i));
    return maximum_of(most);
}

template <int QUERIES, int WIDE>
SP_INLINE void add_columns(const Attention& a, const uint32_t (*weights)[KEY_CHUNK / 2],
                           const float* keep, int32_t begin, int32_t count, int32_t column,
                           int32_t row) {
    Floats even[QUERIES][WIDE], odd[QUERIES][WIDE];
    for (int q = 0; q < QUERIES; q++)
        for (int w = 0; w < WIDE; w++) {
            even[q][w] = mul(load(a.out[q] + column + w * LANES), splat(keep[q]));
            odd[q][w] = none();
        }
    for (int32_t at = 0; at < count; at += KEY_LINE) {
        const uint16_t* values = line_at(a, (begin + at) / KEY_LINE).values + column * 2;
        for (int pair = 0; pair < KEY_LINE / 2; pair += 2, values += 2 * row)
            for (int w = 0; w < WIDE; w++)
                for (int q = 0; q < QUERIES; q++) {
                    const uint32_t* weight = weights[q] + at / 2 + pair;
                    const uint16_t* place = values + w * 2 * LANES;
                    even[q][w] = add_pair_products(even[q][w], place, weight[0]);
                    odd[q][w] = add_pair_products(odd[q][w], place + row, weight[1]);
                }
    }
    for (int q = 0; q < QUERIES; q++)
        for (int w = 0; w < WIDE; w++)
            store(a.out[q] + column + w * LANES, add(even[q][w], odd[q][w]));
}

// Adds the weighted values of `count` positions to what the queries have so far, which shrinks by
// `keep`. Even and odd pairs have sums of their own, so that none waits for the other.
template <int QUERIES>
SP_INLINE void add_values(const Attention& a, const uint32_t (*weights)[KEY_CHUNK / 2],
                          const float* keep, int32_t begin, int32_t count) {
    constexpr int WIDE = QUERIES <= 3 ? 4 : 2;  // as many sums as there are registers for
    const int32_t row = a.head_dim * 2;
    int32_t column = 0;
    for (; column + WIDE * LANES <= a.head_dim; column += WIDE * LANES)
        add_columns<QUERIES, WIDE>(a, weights, keep, begin, count, column, row);
    for (; column < a.head_dim; column += LANES)
        add_columns<QUERIES, 1>(a, weights, keep, begin, count, column, row);
}

SP_INLINE void pair_up(const Attention& a, int q, uint32_t* pairs) {
    for (int32_t i = 0; i < a.head_dim / 2; i++)
        pairs[i] = static_cast<uint32_t>(to_brain(a.query[q][2 * i + 1] * a.scale)) << 16 |
                   to_brain(a.query[q][2 * i] * a.scale);
}

// Softmax over chunks of positions, in order, keeping the greatest score and the sum so far (online
// softmax, Milakov and Gimelshein, https://arxiv.org/abs/1805.02867). A chunk in which a query sees
// nothing changes nothing of its result.
template <int QUERIES>
void attend_together(const Attention& a) {
    alignas(64) uint32_t pairs[QUERIES][MAX_HEAD_DIM / 2];
    alignas(64) float scores[QUERIES][KEY_CHUNK];
    alignas(64) uint32_t weights[QUERIES][KEY_CHUNK / 2];
    float most[QUERIES], total[QUERIES], keep[QUERIES];
    int32_t begin = first_visible(a, a.position[0]), end = 0;
    for (int q = 0; q < QUERIES; q++) {
        pair_up(a, q, pairs[q]);
        most[q] = MASKED;
        total[q] = 0.0f;
        for (int32_t i = 0; i < a.head_dim; i++) a.out[q][i] = 0.0f;
        const int32_t from = first_visible(a, a.position[q]);
        begin = from < begin ? from : begin;
        end = a.position[q] + 1 > end ? a.position[q] + 1 : end;
    }
    for (int32_t chunk = begin / KEY_CHUNK * KEY_CHUNK; chunk < end; chunk += KEY_CHUNK) {
        const int32_t stop = chunk + KEY_CHUNK < end ? chunk + KEY_CHUNK : end;
        const int32_t count = (stop - chunk + KEY_LINE - 1) / KEY_LINE * KEY_LINE;
        score<QUERIES>(a, pairs, chunk, count, scores);
        for (int q = 0; q < QUERIES; q++) {
            const float now = most_of(scores[q], count);
            const float top = now <= most[q] ? most[q] : now;  // of no number, none
            keep[q] = total[q] > 0.0f ? exponential_of(most[q] - top) : 0.0f;
            total[q] *= keep[q];
            if (top <= MASKED)
                memset(weights[q], 0, sizeof weights[q]);
            else
                total[q] += weigh(scores[q], count, top, weights[q]);
            most[q] = top;
        }
        add_values<QUERIES>(a, weights, keep, chunk, count);
    }
    for (int q = 0; q < QUERIES; q++) {
        const Floats share = splat(1.0f / total[q]);
        for (int32_t i = 0; i < a.head_dim; i += LANES)
            store(a.out[q] + i, mul(load(a.out[q] + i), share));
    }
}

// As many queries at once as there are registers for their sums.
constexpr int QUERIES_AT_ONCE = SP_ISA >= 2 ? MAX_QUERIES : SP_ISA == 1 ? 2 : 1;

void attend(const Attention& attention) {
    switch (attention.queries) {
        case 1:
            return attend_together<1>(attention);
#if SP_ISA >= 1
        case 2:
            return attend_together<2>(attention);
#endif
#if SP_ISA >= 2
        case 3:
            return attend_together<3>(attention);
        case 4:
            return attend_together<4>(attention);
        case 5:
            return attend_together<5>(attention);
        case 6:
            return attend_together<6>(attention);
#endif
        default:
            return;
    }
}

}  // namespace

#if SP_ISA == 3
#define SP_TABLE avx512_bf16_kernels
#define SP_NAME "avx512-bf16"
#elif SP_ISA == 2
#define SP_TABLE avx512_kernels
#define SP_NAME "avx512"
#elif SP_ISA == 1
#define SP_TABLE avx2_kernels
#define SP_NAME "avx2"
#else
#define SP_TABLE portable_kernels
#define SP_NAME "portable"
#endif

const Kernels SP_TABLE = {SP_NAME,  QUERIES_AT_ONCE, multiply, quantise, normalise, add_row,
                          activate, rotate,  attend,   cap};
