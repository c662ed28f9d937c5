// Sixteen numbers at a time, spelled once for every instruction set.
//
// SP_ISA says which: 0 portable, 1 AVX2, 2 AVX-512 with VNNI, 3 that with bfloat16. Everything here
// is local to the file that includes it, since the same names mean different code in each.
#pragma once
#include <cstdint>
#include <cstring>

#if SP_ISA > 0
#include <immintrin.h>
#endif

#define SP_INLINE static inline __attribute__((always_inline))

constexpr int LANES = 16;

#if SP_ISA >= 2

using Floats = __m512;
using Ints = __m512i;

SP_INLINE Floats splat(float x) { return _mm512_set1_ps(x); }
SP_INLINE Floats load(const float* p) { return _mm512_loadu_ps(p); }
SP_INLINE void store(float* p, Floats x) { _mm512_storeu_ps(p, x); }
SP_INLINE Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
SP_INLINE Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
SP_INLINE Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
SP_INLINE Floats divide(Floats a, Floats b) { return _mm512_div_ps(a, b); }
SP_INLINE Floats maximum(Floats a, Floats b) { return _mm512_max_ps(a, b); }
SP_INLINE Floats minimum(Floats a, Floats b) { return _mm512_min_ps(a, b); }
SP_INLINE Floats multiply_add(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
SP_INLINE Floats magnitude(Floats a) { return _mm512_abs_ps(a); }
SP_INLINE Floats nearest(Floats a) { return _mm512_roundscale_ps(a, 0); }
SP_INLINE float sum_of(Floats a) { return _mm512_reduce_add_ps(a); }
SP_INLINE float maximum_of(Floats a) { return _mm512_reduce_max_ps(a); }
SP_INLINE bool has_nan(Floats a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q) != 0; }
// a where x < limit, b elsewhere.
SP_INLINE Floats where_below(Floats x, float limit, Floats a, Floats b) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, splat(limit), _CMP_LT_OQ), b, a);
}
SP_INLINE Floats times_power_of_two(Floats a, Floats n) { return _mm512_scalef_ps(a, n); }
SP_INLINE Floats load_half(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
SP_INLINE Floats load_brain(const uint16_t* p) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
// Rounds to the nearest integers, which fit into bytes; stores them and returns their sum.
SP_INLINE int32_t store_rounded(int8_t* p, Floats a) {
    const __m512i rounded = _mm512_cvtps_epi32(a);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(rounded));
    return _mm512_reduce_add_epi32(rounded);
}

SP_INLINE Ints no_ints() { return _mm512_setzero_si512(); }
SP_INLINE Ints load_bytes(const uint8_t* p) { return _mm512_loadu_si512(p); }
SP_INLINE Ints low_nibbles(Ints a) { return _mm512_and_si512(a, _mm512_set1_epi8(15)); }
SP_INLINE Ints high_nibbles(Ints a) {
    return _mm512_and_si512(_mm512_srli_epi16(a, 4), _mm512_set1_epi8(15));
}
SP_INLINE Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
SP_INLINE Floats to_floats(Ints a) { return _mm512_cvtepi32_ps(a); }
// The same four bytes in every lane.
SP_INLINE Ints four_bytes(const int8_t* x) {
    int32_t word;
    memcpy(&word, x, 4);
    return _mm512_set1_epi32(word);
}
// Each lane adds the products of its four unsigned bytes with its four signed ones. In
// assembler, since compilers spill the accumulators of the intrinsic.
SP_INLINE void add_products(Ints& sum, Ints weights, Ints four) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(weights), "v"(four));
}
SP_INLINE void add_centred_products(Ints& sum, Ints weights, Ints four) {
    add_products(sum, weights, four);
}
// Bytes stand for themselves minus 128; what that comes to is taken off at the end.
SP_INLINE Ints centred(Ints sum, int32_t sum_of_x) {
    return _mm512_sub_epi32(sum, _mm512_set1_epi32(128 * sum_of_x));
}

#elif SP_ISA == 1

struct Floats {
    __m256 low, high;
};
struct Ints {
    __m256i low, high;
};

SP_INLINE Floats splat(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
SP_INLINE Floats load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
SP_INLINE void store(float* p, Floats x) {
    _mm256_storeu_ps(p, x.low);
    _mm256_storeu_ps(p + 8, x.high);
}
#define SP_BOTH(name, instruction)                                       \
    SP_INLINE Floats name(Floats a, Floats b) {                          \
        return {instruction(a.low, b.low), instruction(a.high, b.high)}; \
    }
SP_BOTH(add, _mm256_add_ps)
SP_BOTH(sub, _mm256_sub_ps)
SP_BOTH(mul, _mm256_mul_ps)
SP_BOTH(divide, _mm256_div_ps)
SP_BOTH(maximum, _mm256_max_ps)
SP_BOTH(minimum, _mm256_min_ps)
#undef SP_BOTH
SP_INLINE Floats multiply_add(Floats a, Floats b, Floats c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
SP_INLINE Floats magnitude(Floats a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
}
SP_INLINE Floats nearest(Floats a) {
    return {_mm256_round_ps(a.low, 8), _mm256_round_ps(a.high, 8)};
}
SP_INLINE float sum_of(Floats a) {
    const __m256 eight = _mm256_add_ps(a.low, a.high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}
SP_INLINE float maximum_of(Floats a) {
    const __m256 eight = _mm256_max_ps(a.low, a.high);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}
SP_INLINE bool has_nan(Floats a) {
    const __m256 low = _mm256_cmp_ps(a.low, a.low, _CMP_UNORD_Q);
    const __m256 high = _mm256_cmp_ps(a.high, a.high, _CMP_UNORD_Q);
    return _mm256_movemask_ps(_mm256_or_ps(low, high)) != 0;
}
SP_INLINE Floats where_below(Floats x, float limit, Floats a, Floats b) {
    const __m256 bound = _mm256_set1_ps(limit);
    return {_mm256_blendv_ps(b.low, a.low, _mm256_cmp_ps(x.low, bound, _CMP_LT_OQ)),
            _mm256_blendv_ps(b.high, a.high, _mm256_cmp_ps(x.high, bound, _CMP_LT_OQ))};
}
SP_INLINE __m256 times_power_of_two(__m256 a, __m256 n) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}
SP_INLINE Floats times_power_of_two(Floats a, Floats n) {
    return {times_power_of_two(a.low, n.low), times_power_of_two(a.high, n.high)};
}
SP_INLINE Floats load_half(const uint16_t* p) {
    const __m128i* halves = reinterpret_cast<const __m128i*>(p);
    return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
}
SP_INLINE __m256 from_brain(__m128i bits) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
SP_INLINE Floats load_brain(const uint16_t* p) {
    const __m128i* halves = reinterpret_cast<const __m128i*>(p);
    return {from_brain(_mm_loadu_si128(halves)), from_brain(_mm_loadu_si128(halves + 1))};
}
SP_INLINE int32_t store_rounded(int8_t* p, Floats a) {
    const __m256i low = _mm256_cvtps_epi32(a.low), high = _mm256_cvtps_epi32(a.high);
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
    const __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
    const __m256i eight = _mm256_add_epi32(low, high);
    __m128i four =
        _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}

SP_INLINE Ints no_ints() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
SP_INLINE Ints load_bytes(const uint8_t* p) {
    const __m256i* halves = reinterpret_cast<const __m256i*>(p);
    return {_mm256_loadu_si256(halves), _mm256_loadu_si256(halves + 1)};
}
SP_INLINE Ints low_nibbles(Ints a) {
    const __m256i mask = _mm256_set1_epi8(15);
    return {_mm256_and_si256(a.low, mask), _mm256_and_si256(a.high, mask)};
}
SP_INLINE Ints high_nibbles(Ints a) {
    return low_nibbles({_mm256_srli_epi16(a.low, 4), _mm256_srli_epi16(a.high, 4)});
}
SP_INLINE Ints add(Ints a, Ints b) {
    return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
SP_INLINE Floats to_floats(Ints a) {
    return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)};
}
SP_INLINE Ints four_bytes(const int8_t* x) {
    int32_t word;
    memcpy(&word, x, 4);
    return {_mm256_set1_epi32(word), _mm256_set1_epi32(word)};
}
// Pairs of products are summed in 16 bits: unsigned bytes up to 128 and signed ones down to -127
// never overflow.
SP_INLINE __m256i products(__m256i unsigned_bytes, __m256i signed_bytes) {
    const __m256i pairs = _mm256_maddubs_epi16(unsigned_bytes, signed_bytes);
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
SP_INLINE void add_products(Ints& sum, Ints weights, Ints four) {
    sum = add(sum, {products(weights.low, four.low), products(weights.high, four.high)});
}
// The signs of the weights go to x: -128 has no opposite, and x is never less than -127.
SP_INLINE __m256i centred_products(__m256i weights, __m256i x) {
    const __m256i centred = _mm256_xor_si256(weights, _mm256_set1_epi8(-128));
    return products(_mm256_abs_epi8(centred), _mm256_sign_epi8(x, centred));
}
SP_INLINE void add_centred_products(Ints& sum, Ints weights, Ints four) {
    sum = add(sum, {centred_products(weights.low, four.low),
                    centred_products(weights.high, four.high)});
}
SP_INLINE Ints centred(Ints sum, int32_t) { return sum; }

#else

struct Floats {
    float at[LANES];
};
struct Ints {
    int32_t at[LANES];
};

#define SP_EACH for (int i = 0; i < LANES; i++)
#define SP_MAP(name, expression)                \
    SP_INLINE Floats name(Floats a, Floats b) { \
        Floats r;                               \
        SP_EACH r.at[i] = expression;           \
        return r;                               \
    }
SP_MAP(add, a.at[i] + b.at[i])
SP_MAP(sub, a.at[i] - b.at[i])
SP_MAP(mul, a.at[i] * b.at[i])
SP_MAP(divide, a.at[i] / b.at[i])
SP_MAP(maximum, a.at[i] > b.at[i] ? a.at[i] : b.at[i])
SP_MAP(minimum, a.at[i] < b.at[i] ? a.at[i] : b.at[i])
#undef SP_MAP
SP_INLINE Floats splat(float x) {
    Floats r;
    SP_EACH r.at[i] = x;
    return r;
}
SP_INLINE Floats load(const float* p) {
    Floats r;
    memcpy(r.at, p, sizeof r.at);
    return r;
}
SP_INLINE void store(float* p, Floats x) { memcpy(p, x.at, sizeof x.at); }
SP_INLINE Floats multiply_add(Floats a, Floats b, Floats c) { return add(mul(a, b), c); }
SP_INLINE Floats magnitude(Floats a) {
    SP_EACH a.at[i] = __builtin_fabsf(a.at[i]);
    return a;
}
// Adding and taking off 1.5 * 2^23 leaves no fraction; good for anything below 2^22.
SP_INLINE Floats nearest(Floats a) {
    SP_EACH a.at[i] = (a.at[i] + 12582912.0f) - 12582912.0f;
    return a;
}
// In halves, as the wider instruction sets do it.
SP_INLINE float sum_of(Floats a) {
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) a.at[i] += a.at[i + half];
    return a.at[0];
}
SP_INLINE float maximum_of(Floats a) {
    float r = a.at[0];
    SP_EACH r = a.at[i] > r ? a.at[i] : r;
    return r;
}
SP_INLINE bool has_nan(Floats a) {
    bool r = false;
    SP_EACH r |= a.at[i] != a.at[i];
    return r;
}
SP_INLINE Floats where_below(Floats x, float limit, Floats a, Floats b) {
    SP_EACH b.at[i] = x.at[i] < limit ? a.at[i] : b.at[i];
    return b;
}
SP_INLINE Floats times_power_of_two(Floats a, Floats n) {
    SP_EACH {
        const float shifted = n.at[i] + 12582912.0f;  // 1.5 * 2^23: n is in the lowest bits
        uint32_t exponent;
        memcpy(&exponent, &shifted, 4);
        exponent = (exponent + 127u) << 23;
        float power;
        memcpy(&power, &exponent, 4);
        a.at[i] *= power;
    }
    return a;
}
SP_INLINE float from_bits(uint32_t bits) {
    float r;
    memcpy(&r, &bits, 4);
    return r;
}
// Half the exponent range: shifted into place, a half is a float times 2^-112, subnormals included.
SP_INLINE float from_half(uint16_t bits) {
    const uint32_t sign = (bits & 0x8000u) << 16, rest = bits & 0x7fffu;
    const float size = rest >= 0x7c00u ? from_bits(0x7f800000u | (rest & 0x3ffu) << 13)
                                       : from_bits(rest << 13) * from_bits(0x77800000u);
    return sign ? -size : size;
}
SP_INLINE Floats load_half(const uint16_t* p) {
    Floats r;
    SP_EACH r.at[i] = from_half(p[i]);
    return r;
}
SP_INLINE Floats load_brain(const uint16_t* p) {
    Floats r;
    SP_EACH r.at[i] = from_bits(static_cast<uint32_t>(p[i]) << 16);
    return r;
}
SP_INLINE int32_t store_rounded(int8_t* p, Floats a) {
    a = nearest(a);
    int32_t sum = 0;
    SP_EACH {
        p[i] = static_cast<int8_t>(a.at[i]);
        sum += p[i];
    }
    return sum;
}

SP_INLINE Ints no_ints() { return {}; }
// A lane keeps its four bytes in the order of memory.
SP_INLINE Ints load_bytes(const uint8_t* p) {
    Ints r;
    memcpy(r.at, p, sizeof r.at);
    return r;
}
SP_INLINE Ints low_nibbles(Ints a) {
    SP_EACH a.at[i] &= 0x0f0f0f0f;
    return a;
}
SP_INLINE Ints high_nibbles(Ints a) {
    SP_EACH a.at[i] = static_cast<int32_t>(static_cast<uint32_t>(a.at[i]) >> 4 & 0x0f0f0f0fu);
    return a;
}
SP_INLINE Ints add(Ints a, Ints b) {
    SP_EACH a.at[i] += b.at[i];
    return a;
}
SP_INLINE Floats to_floats(Ints a) {
    Floats r;
    SP_EACH r.at[i] = static_cast<float>(a.at[i]);
    return r;
}
SP_INLINE Ints four_bytes(const int8_t* x) {
    Ints r;
    SP_EACH memcpy(&r.at[i], x, 4);
    return r;
}
SP_INLINE void add_products(Ints& sum, Ints weights, Ints four) {
    uint8_t w[4 * LANES];
    int8_t x[4];
    memcpy(w, weights.at, sizeof w);
    memcpy(x, four.at, sizeof x);
    SP_EACH sum.at[i] += w[4 * i] * x[0] + w[4 * i + 1] * x[1] + w[4 * i + 2] * x[2] +
                         w[4 * i + 3] * x[3];
}
SP_INLINE void add_centred_products(Ints& sum, Ints weights, Ints four) {
    add_products(sum, weights, four);
}
SP_INLINE Ints centred(Ints sum, int32_t sum_of_x) {
    SP_EACH sum.at[i] -= 128 * sum_of_x;
    return sum;
}
#undef SP_EACH

#endif

SP_INLINE Floats none() { return splat(0.0f); }

// bfloat16, rounded to the nearest, ties to even; NaN stays NaN.
SP_INLINE uint16_t to_brain(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
    return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

// Each lane adds the products of its two bfloat16 with the same other two.
#if SP_ISA == 3
SP_INLINE Floats add_pair_products(Floats sum, const uint16_t* pairs, uint32_t pair) {
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_loadu_si512(pairs),
                            (__m512bh)_mm512_set1_epi32(static_cast<int32_t>(pair)));
}
#else
SP_INLINE float low_brain(uint32_t pair) {
    pair <<= 16;
    float r;
    memcpy(&r, &pair, 4);
    return r;
}
SP_INLINE float high_brain(uint32_t pair) {
    pair &= 0xffff0000u;
    float r;
    memcpy(&r, &pair, 4);
    return r;
}
#if SP_ISA == 2
SP_INLINE void load_pairs(const uint16_t* p, Floats& low, Floats& high) {
    const __m512i bits = _mm512_loadu_si512(p);
    low = _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
    high = _mm512_castsi512_ps(_mm512_and_si512(bits, _mm512_set1_epi32(-65536)));
}
#elif SP_ISA == 1
SP_INLINE void load_pairs(const uint16_t* p, Floats& low, Floats& high) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 16));
    const __m256i mask = _mm256_set1_epi32(-65536);
    low = {_mm256_castsi256_ps(_mm256_slli_epi32(first, 16)),
           _mm256_castsi256_ps(_mm256_slli_epi32(second, 16))};
    high = {_mm256_castsi256_ps(_mm256_and_si256(first, mask)),
            _mm256_castsi256_ps(_mm256_and_si256(second, mask))};
}
#else
SP_INLINE void load_pairs(const uint16_t* p, Floats& low, Floats& high) {
    for (int i = 0; i < LANES; i++) {
        low.at[i] = from_bits(static_cast<uint32_t>(p[2 * i]) << 16);
        high.at[i] = from_bits(static_cast<uint32_t>(p[2 * i + 1]) << 16);
    }
}
#endif
SP_INLINE Floats add_pair_products(Floats sum, const uint16_t* pairs, uint32_t pair) {
    Floats low, high;
    load_pairs(pairs, low, high);
    sum = multiply_add(low, splat(low_brain(pair)), sum);
    return multiply_add(high, splat(high_brain(pair)), sum);
}
#endif

// e to the x, to about one unit in the last place; exactly 0 below -87. The polynomial is that of
// Cephes' expf (Moshier), after taking the multiple of ln 2 off in two parts.
SP_INLINE Floats exponential(Floats x) {
    // In this order, what is not a number stays so.
    const Floats bounded = minimum(splat(88.0f), maximum(splat(-87.0f), x));
    const Floats n = nearest(mul(bounded, splat(1.44269504f)));
    Floats r = multiply_add(n, splat(-0.693359375f), bounded);
    r = multiply_add(n, splat(2.12194440e-4f), r);
    Floats p = splat(1.9875691500e-4f);
    p = multiply_add(p, r, splat(1.3981999507e-3f));
    p = multiply_add(p, r, splat(8.3334519073e-3f));
    p = multiply_add(p, r, splat(4.1665795894e-2f));
    p = multiply_add(p, r, splat(1.6666665459e-1f));
    p = multiply_add(p, r, splat(5.0000001201e-1f));
    p = multiply_add(mul(p, r), r, add(r, splat(1.0f)));
    return where_below(x, -87.0f, none(), times_power_of_two(p, n));
}
SP_INLINE float exponential_of(float x) {
    float numbers[LANES];
    store(numbers, exponential(splat(x)));
    return numbers[0];
}
