// Choosing the token after a row of logits.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "stormproof.h"

// Memory for choosing one token at a time, none of it allocated while choosing; one per thread.
class Chooser {
public:
    explicit Chooser(int32_t vocab);

    // Fill in what comes back of `draw`, from logits [vocab].
    void choose(const float* logits, SpDraw& draw);

private:
    const float* adjust(const float* logits, const SpDraw& draw);
    bool keep_allowed(const float* logits, const uint32_t* allowed);
    bool find_peak(const float* logits);
    int32_t first_peak(const float* logits) const;

    int32_t draw_token(const float* logits, const SpDraw& draw);
    float ceiling(const float* logits, const SpDraw& draw, float sharpness);
    float top_k_cost(const float* logits, int32_t top_k);
    float nucleus_cost(const float* logits, float top_p, float sharpness);
    float nucleus_cost_within(const float* logits, float top_p, float sharpness, int32_t top_k,
                              float top_k_cost);
    double sum_blocks(const float* logits, float ceiling, float sharpness);
    size_t gather(const float* logits, float ceiling);
    double weigh_candidates(size_t count, float sharpness);
    float cheapest_reaching(size_t count, double goal);

    bool report(const float* logits, SpDraw& draw);
    void list_best(const float* logits, SpDraw& draw) const;

    int32_t vocab_;
    int32_t blocks_;
    float peak_ = 0;
    std::vector<float> adjusted_;  // [vocab] logits with offsets, without what is not allowed
    std::vector<float> best_;      // [blocks] the greatest logit of each block
    std::vector<float> order_;     // [blocks]
    std::vector<double> sums_;     // [blocks] the weights of each block
    std::vector<float> costs_;     // [vocab] of candidates: how far below the peak
    std::vector<float> weights_;   // [vocab] of the same
};
