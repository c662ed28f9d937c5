// Choosing the token after a row of logits.
//
// A token's cost is how far its logit is below the greatest one, its weight exp(-cost /
// temperature). min_p, top_k and top_p are ceilings over the costs: what costs more cannot be
// chosen, what ties with a ceiling can. The choice among the rest inverts their cumulative
// distribution in the order of token ids.
//
// The vocabulary is cut into blocks whose greatest logits are known after one pass over it; later
// passes skip the blocks that are below a ceiling, which are nearly all.
#include "sample.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

namespace {

constexpr int32_t kBlock = 128;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLeastTemperature = 1e-5f;
constexpr int32_t kNotNumbers = -1;
constexpr int32_t kNothingAllowed = -2;

// Four numbers side by side, which every 64-bit processor computes with at once.
typedef float Floats __attribute__((vector_size(16)));
typedef int32_t Ints __attribute__((vector_size(16)));
constexpr int32_t kLanes = 4;

inline Floats load(const float* values) {
    Floats found;
    std::memcpy(&found, values, sizeof found);
    return found;
}

inline Floats all(float value) { return Floats{value, value, value, value}; }

inline Floats greater(Floats a, Floats b) { return a > b ? a : b; }

// exp(x) for x <= 0, right to about 1 ulp, and 0 where that is not a normal number.
inline Floats exp_negative(Floats x) {
    const Floats rounding = all(12582912.0f);  // 1.5 * 2^23: leaves an integer in the low bits
    const Floats bounded = greater(x, all(-87.0f));
    const Floats shifted = bounded * 1.44269504f + rounding;
    const Floats whole = shifted - rounding;
    const Floats rest = bounded - whole * 0.693359375f - whole * -2.12194440e-4f;  // ln 2
    Floats series = all(1.0f / 5040) * rest + 1.0f / 720;
    series = series * rest + 1.0f / 120;
    series = series * rest + 1.0f / 24;
    series = series * rest + 1.0f / 6;
    series = series * rest + 0.5f;
    series = series * rest * rest + rest + 1.0f;
    const Ints exponent = (Ints)shifted - (Ints)rounding;
    const Ints scaled = (Ints)series + (exponent << 23);
    return (Floats)(scaled & (Ints)(x > -87.0f));
}

// A block of logits; the last one of a vocabulary may be short and is filled up with -infinity.
struct Block {
    Block(const float* logits, int32_t block, int32_t vocab)
        : first(block * kBlock), length(std::min(kBlock, vocab - first)), values(logits + first) {
        if (length < kBlock) {
            std::fill(std::copy_n(values, length, filled), filled + kBlock, -kInfinity);
            values = filled;
        }
    }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    const int32_t first;
    const int32_t length;
    const float* values;  // [kBlock]
    float filled[kBlock];
};

// The weights of a block, 0 above the ceiling; returns their sum.
double weigh(const Block& block, float peak, float ceiling, float sharpness, float* weights) {
    Floats sums{};
    for (int32_t i = 0; i < kBlock; i += kLanes) {
        const Floats cost = peak - load(block.values + i);
        const Ints weight = (Ints)exp_negative(cost * -sharpness) & (Ints)(cost <= ceiling);
        std::memcpy(weights + i, &weight, sizeof weight);
        sums += (Floats)weight;
    }
    return (double(sums[0]) + double(sums[1])) + (double(sums[2]) + double(sums[3]));
}

}  // namespace

Chooser::Chooser(int32_t vocab)
    : vocab_(vocab),
      blocks_((vocab + kBlock - 1) / kBlock),
      adjusted_(vocab),
      best_(blocks_),
      order_(blocks_),
      sums_(blocks_),
      costs_(vocab + kLanes),  // weighed four at a time
      weights_(vocab + kLanes) {}

void Chooser::choose(const float* logits, SpDraw& draw) {
    const float* wanted = adjust(logits, draw);
    if (draw.allowed != nullptr) {
        if (!keep_allowed(wanted, draw.allowed)) {
            draw.token = kNothingAllowed;
            return;
        }
        wanted = adjusted_.data();
    }
    if (!find_peak(wanted)) {
        draw.token = kNotNumbers;
        return;
    }
    draw.token = draw.temperature > 0 ? draw_token(wanted, draw) : first_peak(wanted);
    if (draw.logprobs >= 0 && !report(logits, draw)) draw.token = kNotNumbers;
}

const float* Chooser::adjust(const float* logits, const SpDraw& draw) {
    if (draw.offsets == 0) return logits;
    std::copy_n(logits, vocab_, adjusted_.data());
    for (int32_t i = 0; i < draw.offsets; ++i)
        adjusted_[draw.offset_tokens[i]] += draw.offset_values[i];
    return adjusted_.data();
}

// Write the logits of allowed tokens, and -infinity for the others; false if there are only others.
bool Chooser::keep_allowed(const float* logits, const uint32_t* allowed) {
    bool any = false;
    for (int32_t first = 0; first < vocab_; first += 32) {
        const int32_t length = std::min(32, vocab_ - first);
        float* kept = adjusted_.data() + first;
        const uint32_t bits = allowed[first / 32] & (~0u >> (32 - length));
        any |= bits != 0;
        if (bits == 0) {
            std::fill_n(kept, length, -kInfinity);
        } else {
            for (int32_t i = 0; i < length; ++i)
                kept[i] = bits >> i & 1 ? logits[first + i] : -kInfinity;
        }
    }
    return any;
}

// Find the greatest logit of each block and of all; false if one is NaN, or the greatest infinite.
bool Chooser::find_peak(const float* logits) {
    Ints broken{};
    peak_ = -kInfinity;
    for (int32_t b = 0; b < blocks_; ++b) {
        const Block block(logits, b, vocab_);
        std::array<Floats, 4> best;
        best.fill(all(-kInfinity));
        for (int32_t i = 0; i < kBlock; i += 4 * kLanes) {
            for (int32_t j = 0; j < 4; ++j) {
                const Floats values = load(block.values + i + j * kLanes);
                best[j] = greater(values, best[j]);
                broken |= values != values;
            }
        }
        const Floats four = greater(greater(best[0], best[1]), greater(best[2], best[3]));
        best_[b] = std::max(std::max(four[0], four[1]), std::max(four[2], four[3]));
        peak_ = std::max(peak_, best_[b]);
    }
    return !(broken[0] | broken[1] | broken[2] | broken[3]) && std::isfinite(peak_);
}

int32_t Chooser::first_peak(const float* logits) const {
    const auto block = std::find(best_.begin(), best_.end(), peak_) - best_.begin();
    const float* found = std::find(logits + block * kBlock, logits + vocab_, peak_);
    return static_cast<int32_t>(found - logits);
}

int32_t Chooser::draw_token(const float* logits, const SpDraw& draw) {
    const float sharpness = 1.0f / std::max(draw.temperature, kLeastTemperature);
    const float limit = ceiling(logits, draw, sharpness);
    const double target = draw.uniform * sum_blocks(logits, limit, sharpness);
    double reached = 0;
    int32_t b = 0;
    while (reached + sums_[b] <= target) reached += sums_[b++];
    const Block block(logits, b, vocab_);
    float weights[kBlock];
    weigh(block, peak_, limit, sharpness, weights);
    int32_t chosen = 0;
    for (int32_t i = 0; i < block.length && reached <= target; ++i) {
        reached += weights[i];
        if (weights[i] > 0) chosen = i;  // if rounding keeps the sum below the target: the last
    }
    return block.first + chosen;
}

// The greatest cost that may be chosen.
float Chooser::ceiling(const float* logits, const SpDraw& draw, float sharpness) {
    const float min_p = draw.min_p > 0 ? -std::log(draw.min_p) / sharpness : kInfinity;
    if (draw.top_k > 0 && draw.top_k < vocab_) {
        const float top_k = top_k_cost(logits, draw.top_k);
        if (draw.top_p == 1) return std::min(min_p, top_k);
        const float within =
            nucleus_cost_within(logits, draw.top_p, sharpness, draw.top_k, top_k);
        return std::min(min_p, within);
    }
    if (draw.top_p == 1) return min_p;
    return std::min(min_p, nucleus_cost(logits, draw.top_p, sharpness));
}

float Chooser::top_k_cost(const float* logits, int32_t top_k) {
    float bound = kInfinity;
    if (top_k <= blocks_) {
        // As many blocks have a token that costs no more than this.
        order_ = best_;
        const auto kth = order_.begin() + top_k - 1;
        std::nth_element(order_.begin(), kth, order_.end(), std::greater());
        bound = peak_ - *kth;
    }
    const size_t count = gather(logits, bound);
    std::fill_n(weights_.begin(), count, 1.0f);
    return cheapest_reaching(count, top_k);
}

// The ceiling of top_p among all tokens.
float Chooser::nucleus_cost(const float* logits, float top_p, float sharpness) {
    const double total = sum_blocks(logits, kInfinity, sharpness);
    const double goal = top_p * total;
    // What weighs less than this is together less than what top_p leaves out; most often much
    // less, so fewer candidates are tried first.
    const double light = std::max((total - goal) / vocab_, 1e-30);
    for (const double guess : {std::min(light * 64, 1.0), light}) {
        const size_t count = gather(logits, static_cast<float>(-std::log(guess) / sharpness));
        if (weigh_candidates(count, sharpness) >= goal) return cheapest_reaching(count, goal);
    }
    return kInfinity;
}

// The ceiling of top_p among the top k tokens, of which the last costs top_k_cost.
float Chooser::nucleus_cost_within(const float* logits, float top_p, float sharpness,
                                   int32_t top_k, float top_k_cost) {
    const size_t count = gather(logits, top_k_cost);
    double total = weigh_candidates(count, sharpness);
    // Of the tokens that tie for the last places only so many count.
    if (count > static_cast<size_t>(top_k))
        total -= double(count - top_k) * exp_negative(all(-top_k_cost * sharpness))[0];
    return cheapest_reaching(count, top_p * total);
}

// Add up the weights of each block, and of all.
double Chooser::sum_blocks(const float* logits, float ceiling, float sharpness) {
    double total = 0;
    float weights[kBlock];
    for (int32_t b = 0; b < blocks_; ++b) {
        const bool reachable = peak_ - best_[b] <= ceiling;
        sums_[b] = reachable ? weigh(Block(logits, b, vocab_), peak_, ceiling, sharpness, weights)
                             : 0;
        total += sums_[b];
    }
    return total;
}

// List as candidates the tokens that cost no more than the ceiling, and count them.
size_t Chooser::gather(const float* logits, float ceiling) {
    size_t count = 0;
    for (int32_t b = 0; b < blocks_; ++b) {
        if (peak_ - best_[b] > ceiling) continue;
        const int32_t end = std::min((b + 1) * kBlock, vocab_);
        for (int32_t t = b * kBlock; t < end; ++t) {
            const float cost = peak_ - logits[t];
            costs_[count] = cost;
            count += cost <= ceiling;
        }
    }
    return count;
}

double Chooser::weigh_candidates(size_t count, float sharpness) {
    double total = 0;
    for (size_t i = 0; i < count; i += kLanes) {
        const Floats weight = exp_negative(load(&costs_[i]) * -sharpness);
        std::memcpy(&weights_[i], &weight, sizeof weight);
    }
    for (size_t i = 0; i < count; ++i) total += weights_[i];
    return total;
}

// The least cost such that the weights of the candidates that cost no more reach the goal. Selects
// digit by digit: the bits of floats that are not negative are in the order of the floats.
float Chooser::cheapest_reaching(size_t count, double goal) {
    constexpr uint32_t digits = 256;
    double reached = 0;
    for (int32_t shift = 24; shift >= 0; shift -= 8) {
        const auto digit = [shift](float cost) {
            return std::bit_cast<uint32_t>(cost) >> shift & (digits - 1);
        };
        std::array<double, digits> sums{};
        std::array<bool, digits> present{};
        for (size_t i = 0; i < count; ++i) {
            sums[digit(costs_[i])] += weights_[i];
            present[digit(costs_[i])] = true;
        }
        uint32_t wanted = 0;
        double below = reached;
        for (uint32_t d = 0; d < digits; ++d) {
            if (!present[d]) continue;
            wanted = d;
            reached = below;
            below += sums[d];
            if (below >= goal) break;  // else, by rounding: the last
        }
        size_t kept = 0;
        for (size_t i = 0; i < count; ++i) {
            if (digit(costs_[i]) != wanted) continue;
            costs_[kept] = costs_[i];
            weights_[kept++] = weights_[i];
        }
        count = kept;
    }
    return costs_[0];
}

// Report log probabilities, of logits as the model gave them; false if they are not numbers.
bool Chooser::report(const float* logits, SpDraw& draw) {
    if (!find_peak(logits)) return false;
    const double total = peak_ + std::log(sum_blocks(logits, kInfinity, 1.0f));
    draw.logprob = static_cast<float>(logits[draw.token] - total);
    list_best(logits, draw);
    for (int32_t i = 0; i < draw.logprobs; ++i)
        draw.top_logprobs[i] = static_cast<float>(draw.top_logprobs[i] - total);
    return true;
}

// List the greatest logits, of equal ones the first.
void Chooser::list_best(const float* logits, SpDraw& draw) const {
    int32_t* tokens = draw.top_tokens;
    float* values = draw.top_logprobs;
    std::fill_n(tokens, draw.logprobs, -1);
    std::fill_n(values, draw.logprobs, -kInfinity);
    if (draw.logprobs == 0) return;
    for (int32_t b = 0; b < blocks_; ++b) {
        if (best_[b] <= values[draw.logprobs - 1]) continue;
        const int32_t end = std::min((b + 1) * kBlock, vocab_);
        for (int32_t t = b * kBlock; t < end; ++t) {
            if (logits[t] <= values[draw.logprobs - 1]) continue;
            int32_t place = draw.logprobs - 1;
            for (; place > 0 && values[place - 1] < logits[t]; --place) {
                tokens[place] = tokens[place - 1];
                values[place] = values[place - 1];
            }
            tokens[place] = t;
            values[place] = logits[t];
        }
    }
}

void sp_choose(const float* logits, int32_t vocab, SpDraw* draw, int32_t draws) {
    Chooser chooser(vocab);
    for (int32_t i = 0; i < draws; ++i)
        chooser.choose(logits + int64_t(draw[i].row) * vocab, draw[i]);
}
