// The C face of the native engine: what Python calls, through ctypes.
//
// A model is a plain description (struct Model) whose weights lie, packed, in memory that the caller
// owns; an engine adds the paged key/value cache, scratch memory and threads. One call to
// sp_engine_step reads any mix of prompt and answer rows and chooses the next tokens.
//
// Numbers: integer sums are exact, every row is computed alone and in one order, nothing is
// contracted or reordered by the compiler. So a row's result depends neither on the rows beside it
// nor on the number of threads.
#pragma once
#include <cstdint>

#pragma GCC visibility push(default)
extern "C" {

// How numbers are stored in files: ggml's type numbers.
enum SpStored : int32_t {
    SP_STORED_F32 = 0,
    SP_STORED_F16 = 1,
    SP_STORED_Q4_0 = 2,
    SP_STORED_Q4_1 = 3,
    SP_STORED_Q8_0 = 8,
    SP_STORED_BF16 = 30,
};

// How a matrix is packed for the kernels. Quantised ones have groups of 32 along a row.
enum SpPacked : int32_t {
    SP_PACKED_Q4 = 0,    // 4 bits, a scale and an offset for each group; holds Q4_0 and Q4_1 exactly
    SP_PACKED_Q8 = 1,    // 8 bits and a scale for each group; holds Q8_0 exactly
    SP_PACKED_F32 = 2,   // as they are
    SP_PACKED_F16 = 3,
    SP_PACKED_BF16 = 4,
};

enum SpStatus : int32_t {
    SP_OK = 0,
    SP_OUT_OF_MEMORY = 1,
    SP_BAD_ARGUMENT = 2,  // sizes that the kernels cannot work with; see sp_model_problem
};

// [rows, cols]; y = W x + bias. An absent matrix has data == nullptr.
struct SpMatrix {
    const void* data;   // packed, 64-byte aligned
    const float* bias;  // [rows], or nullptr
    int32_t format;     // SpPacked
    int32_t rows;
    int32_t cols;
};

// Scale and shift of a norm. weight == nullptr: there is no such norm.
struct SpNorm {
    const float* weight;
    const float* bias;  // nullptr for RMSNorm
};

struct SpLayer {
    SpNorm attention_norm;
    SpMatrix qkv;            // query, key and value rows, in this order
    SpNorm query_norm;       // per head, of width head_dim
    SpNorm key_norm;
    SpMatrix output;
    SpNorm post_attention_norm;  // Gemma 2 and 3: before the sum is added to the residual stream
    SpNorm mlp_norm;
    SpMatrix up;             // gated: gate rows, then up rows; else up rows alone
    SpMatrix down;
    SpNorm post_mlp_norm;
    int32_t window;          // positions that a query sees back, itself included; 0: all
    int32_t rope;            // which of the model's frequency tables; -1: none
};

enum SpActivation : int32_t { SP_SILU = 0, SP_GELU_TANH = 1 };

struct SpModel {
    int32_t hidden, layers, heads, kv_heads, head_dim, intermediate, vocab, max_context;
    int32_t gated;               // whether the MLP is activation(gate) * up
    int32_t activation;          // SpActivation
    int32_t layer_norm;          // norms subtract the mean (GPT-2); else RMSNorm
    int32_t rope_tables;
    float norm_eps;
    float attention_scale;       // of query times key
    float attention_softcap;     // 0: none
    float final_softcap;         // of the logits; 0: none
    float embedding_scale;       // 1: none
    const float* rope_frequencies;    // [rope_tables, head_dim / 2] radians a position
    const float* position_embedding;  // [max_context, hidden], or nullptr
    SpMatrix embedding;          // [vocab, hidden]
    SpMatrix head;               // [vocab, hidden]
    SpNorm norm;
    const struct SpLayer* layer; // [layers]
};

// How the token after one row is chosen; see sample.cpp. Mirrors stormproof.engine.sampling.draw.Draw.
struct SpDraw {
    int32_t row;                 // of the step
    float temperature, top_p, min_p;
    int32_t top_k;
    double uniform;              // in [0, 1): the random number of this request and position
    int32_t offsets;             // how many logits are changed before choosing
    const int32_t* offset_tokens;
    const float* offset_values;  // added
    const uint32_t* allowed;     // bit t % 32 of word t / 32: token t may be chosen; nullptr: all
    int32_t logprobs;            // alternatives to report; -1: no log probabilities at all
    int32_t* top_tokens;         // [logprobs], best first; -1 when the vocabulary has no more
    float* top_logprobs;         // [logprobs]
    // What comes back.
    int32_t token;               // -1: the logits were not numbers; -2: no token is allowed
    float logprob;               // of the token, before any parameter was applied
};

struct SpStep {
    int32_t rows, sequences, draws;
    const int32_t* tokens;           // [rows], sequence after sequence
    const int32_t* query_lengths;    // [sequences] rows of each
    const int32_t* context_lengths;  // [sequences] tokens in the cache once this step's are written
    const int32_t* block_tables;     // [sequences, table_stride]
    int32_t table_stride;
    struct SpDraw* draw;             // [draws]
    float* logits;                   // [draws, vocab] to be written, or nullptr for scratch memory
};

struct SpEngine;

// The kernels in use: "avx512-bf16", "avx512", "avx2" or "portable".
const char* sp_kernels();

// Use these kernels from now on, for tests; false: the processor lacks what they need.
int32_t sp_use_kernels(const char* name);

// How a stored matrix is packed: as it is, or in 8 or 4 bits (quantise = 8, 4; 0: as it is).
int32_t sp_packed_format(int32_t stored, int32_t quantise);

// Bytes of a packed matrix; a multiple of 64.
int64_t sp_packed_bytes(int32_t packed, int64_t rows, int64_t cols);

// Pack the stored rows [rows, cols] as rows first_row... of the packed matrix. first_row must be a
// multiple of 16, and packed memory must be zero beforehand. Thread-safe for distinct rows.
int32_t sp_pack(int32_t stored, int32_t packed, const void* source, int64_t rows, int64_t cols,
                void* target, int64_t first_row);

// What keeps the kernels from running this model, in words; nullptr: nothing.
const char* sp_model_problem(const struct SpModel* model, int32_t block_size);

// Make an engine; the model's description is copied, its weights are not.
int32_t sp_engine_new(const struct SpModel* model, int32_t num_blocks, int32_t block_size,
                      int32_t max_rows, int32_t max_draws, int32_t threads,
                      struct SpEngine** engine);
void sp_engine_free(struct SpEngine* engine);

// One forward pass. All numbers in the step must be in range: the caller has checked them.
int32_t sp_engine_step(struct SpEngine* engine, const struct SpStep* step);

// Choose a token for each draw, from row draw.row of logits [rows, vocab].
void sp_choose(const float* logits, int32_t vocab, struct SpDraw* draw, int32_t draws);

// Nanoseconds spent since the last call, by phase: embedding and norms, layer matmuls, attention,
// head, choosing. [5]
void sp_engine_times(struct SpEngine* engine, int64_t* nanoseconds);
}
#pragma GCC visibility pop
