// One step of a decoder-only transformer: rows of any mix of prompts and answers, over a paged
// key/value cache (PagedAttention, Kwon et al. 2023, https://arxiv.org/abs/2309.06180).
//
// The members of a crew go through the layers side by side, in phases: one needs what another has
// made only in the phase before. Matrices are shared out by columns, all else by rows or heads.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "crew.h"
#include "kernels.h"
#include "memory.h"
#include "packing.h"
#include "sample.h"
#include "stormproof.h"

namespace {

const Kernels* best_kernels() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512vnni");
    if (avx512 && __builtin_cpu_supports("avx512bf16")) return &avx512_bf16_kernels;
    if (avx512) return &avx512_kernels;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("f16c"))
        return &avx2_kernels;
#endif
    return &portable_kernels;
}

const Kernels* kernels_in_use = best_kernels();

std::vector<const Kernels*> usable_kernels() {
#if defined(__x86_64__)
    const std::vector<const Kernels*> all = {&portable_kernels, &avx2_kernels, &avx512_kernels,
                                             &avx512_bf16_kernels};
#else
    const std::vector<const Kernels*> all = {&portable_kernels};
#endif
    const auto best = std::find(all.begin(), all.end(), best_kernels());
    return {all.begin(), best + 1};
}

// A row whose work every member does for itself costs less than meeting for it.
constexpr int32_t OWN_ROWS = 2;

bool is_plain(const SpMatrix& matrix) {
    return matrix.format != SP_PACKED_Q4 && matrix.format != SP_PACKED_Q8;
}

// Memory for rows on their way into a matrix.
struct RowMemory {
    Memory<float> values, scales, offsets;
    Memory<int8_t> quants;
    Memory<int32_t> sums;

    RowMemory(int64_t rows, int64_t width)
        : values(rows * width), scales(rows * width / GROUP), offsets(rows * width / GROUP),
          quants(rows * width), sums(rows * width / GROUP) {}

    Rows rows(int32_t width) const { return {values, quants, scales, offsets, sums, width}; }
};

// Queries that are weighed together: some of the rows of one sequence, for one key head.
struct AttentionTask {
    int32_t sequence, kv_head, first, count;  // of the sequence's (row, head) pairs, in this order
};

enum Phase { NORMS, MATRICES, ATTENTION, HEAD, CHOOSING, PHASES };

class Stopwatch {
  public:
    Stopwatch(int64_t* nanoseconds, bool running) : spent_(nanoseconds), running_(running) {
        if (running_) last_ = std::chrono::steady_clock::now();
    }

    void lap(Phase phase) {
        if (!running_) return;
        const auto now = std::chrono::steady_clock::now();
        spent_[phase] += std::chrono::nanoseconds(now - last_).count();
        last_ = now;
    }

  private:
    int64_t* spent_;
    bool running_;
    std::chrono::steady_clock::time_point last_;
};

}  // namespace

struct SpEngine {
    SpEngine(const SpModel& description, int32_t num_blocks, int32_t block_size, int32_t max_rows,
             int32_t max_draws, int32_t threads)
        : model(description),
          layers(description.layer, description.layer + description.layers),
          frequencies(description.rope_frequencies,
                      description.rope_frequencies +
                          description.rope_tables * description.head_dim / 2),
          kernels(*kernels_in_use),
          block_size(block_size),
          layer_stride(static_cast<int64_t>(block_size) * model.head_dim * model.kv_heads),
          block_stride(model.layers * layer_stride),
          keys(num_blocks, block_stride),
          values(num_blocks, block_stride),
          widest(std::max({model.hidden, model.heads * model.head_dim, model.intermediate})),
          stream(int64_t{max_rows} * model.hidden),
          branch(has_post_norms() ? int64_t{max_rows} * model.hidden : 0),
          projected(int64_t{max_rows} * qkv_width()),
          attended(int64_t{max_rows} * model.heads * model.head_dim),
          inner(max_rows * inner_stride()),
          logits(max_draws * logits_stride()),
          cosines(int64_t{model.rope_tables} * max_rows * model.head_dim / 2),
          sines(int64_t{model.rope_tables} * max_rows * model.head_dim / 2),
          scratch(int64_t{threads} * widest),
          shared(std::max(max_rows, max_draws), widest),
          max_rows(max_rows),
          crew(threads, [this](int member, uint32_t phase) { forward(member, phase); }) {
        for (int member = 0; member < threads; member++) {
            own.emplace_back(OWN_ROWS, widest);
            choosers.emplace_back(model.vocab);
        }
        row_sequence.resize(max_rows);
        row_position.resize(max_rows);
        drawn_row.resize(max_draws);
    }

    void step(const SpStep& next) {
        crew.close();
        at = next;
        plan();
        crew.run();
    }

    int64_t nanoseconds[PHASES] = {};

  private:
    // A member's way through a step. One that is late, because its processor was busy elsewhere, may
    // be on its way when the step is over and the caller's memory gone. Nothing is left for it to do
    // then; but until it notices, it reads. So outside of the pieces of a phase it reads nothing but
    // this, the weights, and what the engine owns.
    struct Walk {
        int member;
        uint32_t phase;
        int32_t rows, draws, tasks;
        Stopwatch watch;
    };

    bool has_post_norms() const {
        return std::any_of(layers.begin(), layers.end(), [](const SpLayer& layer) {
            return layer.post_attention_norm.weight || layer.post_mlp_norm.weight;
        });
    }
    int32_t qkv_width() const { return (model.heads + 2 * model.kv_heads) * model.head_dim; }
    // Rows that lie a power of two apart would share a few places in the caches.
    int64_t inner_stride() const { return model.intermediate * (model.gated ? 2 : 1) + TILE; }
    int64_t logits_stride() const { return (model.vocab + TILE - 1) / TILE * TILE + TILE; }

    // --- Planning: on the caller's thread, before the crew begins ---

    void plan() {
        int32_t row = 0;
        tasks.clear();
        for (int32_t sequence = 0; sequence < at.sequences; sequence++) {
            const int32_t length = at.query_lengths[sequence];
            const int32_t begin = at.context_lengths[sequence] - length;
            for (int32_t i = 0; i < length; i++, row++) {
                row_sequence[row] = sequence;
                row_position[row] = begin + i;
            }
        }
        for (int32_t i = 0; i < at.draws; i++) drawn_row[i] = at.draw[i].row;
        const int32_t together = plan_width();
        const int32_t sharing = model.heads / model.kv_heads;
        for (int32_t sequence = 0; sequence < at.sequences; sequence++)
            for (int32_t head = 0; head < model.kv_heads; head++) {
                const int32_t queries = at.query_lengths[sequence] * sharing;
                for (int32_t first = 0; first < queries; first += together)
                    tasks.push_back({sequence, head, first, std::min(together, queries - first)});
            }
    }

    // Reading keys once for several queries saves bandwidth; but every member should have a share.
    int32_t plan_width() const {
        const int32_t queries = at.rows * model.heads;
        return std::clamp(queries / crew.size(), 1, kernels.queries);
    }

    // --- Sharing work ---

    // One phase: `each(first, last)` does some of its pieces.
    template <class Each>
    void share(Walk& walk, Phase phase, int32_t count, int32_t at_once, const Each& each) {
        crew.share(walk.member, walk.phase++, count, std::max(at_once, 1), each);
        walk.watch.lap(phase);
    }

    template <class Each>
    void share_rows(Walk& walk, Phase phase, int32_t rows, const Each& each) {
        share(walk, phase, rows, rows / (2 * crew.size()), [&](int32_t first, int32_t last) {
            for (int32_t row = first; row < last; row++) each(row);
        });
    }

    // --- Rows into matrices ---

    // Where each member prepares all rows itself, none has to wait for the others.
    bool alone(int32_t rows) const { return rows <= OWN_ROWS && !branch; }

    // Has `make(row, out)` make each row of a matrix's input, and brings it into the matrix's form.
    template <class Make>
    Rows prepare(Walk& walk, const SpMatrix& matrix, int32_t rows, const Make& make) {
        const bool by_myself = alone(rows);
        const RowMemory& memory = by_myself ? own[walk.member] : shared;
        const int64_t width = matrix.cols, groups = width / GROUP;
        const auto one = [&](int32_t row) {
            float* numbers = is_plain(matrix) ? memory.values + row * width
                                              : scratch + int64_t{walk.member} * widest;
            make(row, numbers);
            if (!is_plain(matrix))
                kernels.quantise(numbers, matrix.cols, memory.quants + row * width,
                                 memory.scales + row * groups, memory.offsets + row * groups,
                                 memory.sums + row * groups);
        };
        if (by_myself) {
            for (int32_t row = 0; row < rows; row++) one(row);
            walk.watch.lap(NORMS);
        } else {
            share_rows(walk, NORMS, rows, one);
        }
        return memory.rows(matrix.cols);
    }

    void multiply(Walk& walk, const SpMatrix& matrix, const Rows& in, int32_t rows, const Out& out,
                  Phase phase) {
        const int32_t tiles = (matrix.rows + TILE - 1) / TILE;
        share(walk, phase, tiles, tiles / (crew.size() * 6), [&](int32_t first, int32_t last) {
            kernels.multiply(matrix, in, rows, out, first, last);
        });
    }

    // The result of a branch is added to the residual stream, at once or after a norm of its own.
    void multiply_onto_stream(Walk& walk, const SpMatrix& matrix, const Rows& in,
                              const SpNorm& post_norm) {
        const bool add = !post_norm.weight;
        multiply(walk, matrix, in, walk.rows, {add ? stream : branch, model.hidden, add}, MATRICES);
        if (!post_norm.weight) return;
        share_rows(walk, NORMS, walk.rows, [&](int32_t row) {
            float* normed = scratch + int64_t{walk.member} * widest;
            normalise(branch + int64_t{row} * model.hidden, post_norm, model.hidden, normed);
            kernels.add(normed, model.hidden, stream + int64_t{row} * model.hidden);
        });
    }

    void normalise(const float* x, const SpNorm& norm, int32_t width, float* out) const {
        kernels.normalise(x, norm, width, model.norm_eps, model.layer_norm, out);
    }

    // --- The step ---

    void forward(int member, uint32_t phase) {
        Walk walk{member,  phase, at.rows, at.draws, static_cast<int32_t>(tasks.size()),
                  Stopwatch(nanoseconds, member == 0)};
        if (!crew.is_current(phase)) return;
        share_rows(walk, NORMS, walk.rows, [this](int32_t row) { embed(row); });
        for (int32_t layer = 0; layer < model.layers; layer++) {
            attention_block(walk, layers[layer], layer);
            mlp_block(walk, layers[layer]);
        }
        choose(walk);
    }

    void embed(int32_t row) {
        float* x = stream + int64_t{row} * model.hidden;
        unpack_row(model.embedding, at.tokens[row], x);
        const float* place = model.position_embedding;
        if (place) place += int64_t{row_position[row]} * model.hidden;
        for (int32_t i = 0; i < model.hidden; i++)
            x[i] = x[i] * model.embedding_scale + (place ? place[i] : 0.0f);
        const int32_t half = model.head_dim / 2;
        for (int32_t table = 0; table < model.rope_tables; table++)
            for (int32_t i = 0; i < half; i++) {
                const float angle =
                    static_cast<float>(row_position[row]) * frequencies[table * half + i];
                const int64_t place_of = (int64_t{table} * max_rows + row) * half + i;
                cosines[place_of] = static_cast<float>(std::cos(static_cast<double>(angle)));
                sines[place_of] = static_cast<float>(std::sin(static_cast<double>(angle)));
            }
    }

    void attention_block(Walk& walk, const SpLayer& layer, int32_t number) {
        const Rows in = prepare(walk, layer.qkv, walk.rows, [&](int32_t row, float* out) {
            normalise(stream + int64_t{row} * model.hidden, layer.attention_norm, model.hidden, out);
        });
        multiply(walk, layer.qkv, in, walk.rows, {projected, qkv_width(), false}, MATRICES);
        share_rows(walk, ATTENTION, walk.rows * model.kv_heads, [&](int32_t i) {
            turn_and_store(layer, number, i / model.kv_heads, i % model.kv_heads);
        });
        share(walk, ATTENTION, walk.tasks, 1, [&](int32_t first, int32_t last) {
            for (int32_t task = first; task < last; task++) attend(layer, number, tasks[task]);
        });
        const int32_t width = model.heads * model.head_dim;
        const Rows heads = prepare(walk, layer.output, walk.rows, [&](int32_t row, float* out) {
            std::memcpy(out, attended + int64_t{row} * width, width * sizeof(float));
        });
        multiply_onto_stream(walk, layer.output, heads, layer.post_attention_norm);
    }

    void mlp_block(Walk& walk, const SpLayer& layer) {
        const Rows in = prepare(walk, layer.up, walk.rows, [&](int32_t row, float* out) {
            normalise(stream + int64_t{row} * model.hidden, layer.mlp_norm, model.hidden, out);
        });
        multiply(walk, layer.up, in, walk.rows, {inner, inner_stride(), false}, MATRICES);
        const Rows wide = prepare(walk, layer.down, walk.rows, [&](int32_t row, float* out) {
            const float* gate = inner + row * inner_stride();
            const float* up = model.gated ? gate + model.intermediate : nullptr;
            kernels.activate(gate, up, model.intermediate, model.activation, out);
        });
        multiply_onto_stream(walk, layer.down, wide, layer.post_mlp_norm);
    }

    // --- Attention ---

    float* head_of(int32_t row, int32_t head) {
        return projected + int64_t{row} * qkv_width() + int64_t{head} * model.head_dim;
    }

    // One key head of one row, and the queries that share it: normed, turned, and put into the cache.
    void turn_and_store(const SpLayer& layer, int32_t number, int32_t row, int32_t kv_head) {
        const int32_t sharing = model.heads / model.kv_heads;
        for (int32_t i = 0; i < sharing; i++)
            turn(layer, layer.query_norm, row, head_of(row, kv_head * sharing + i));
        float* key = head_of(row, model.heads + kv_head);
        turn(layer, layer.key_norm, row, key);
        store(number, row, kv_head, key, head_of(row, model.heads + model.kv_heads + kv_head));
    }

    void turn(const SpLayer& layer, const SpNorm& norm, int32_t row, float* head) const {
        if (norm.weight) normalise(head, norm, model.head_dim, head);
        if (layer.rope < 0) return;
        const int64_t place = (int64_t{layer.rope} * max_rows + row) * (model.head_dim / 2);
        kernels.rotate(head, cosines + place, sines + place, model.head_dim);
    }

    static uint16_t to_brain(float x) {
        uint32_t bits;
        std::memcpy(&bits, &x, 4);
        if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 0x40u);
        return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
    }

    void store(int32_t number, int32_t row, int32_t kv_head, const float* key, const float* value) {
        const int32_t position = row_position[row], dim = model.head_dim;
        const int32_t* table = at.block_tables + int64_t{row_sequence[row]} * at.table_stride;
        const int64_t line = position % block_size / KEY_LINE * KEY_LINE * int64_t{dim};
        const int64_t start = number * layer_stride + table[position / block_size] * block_stride +
                              int64_t{kv_head} * block_size * dim + line;
        uint16_t *k = keys + start, *v = values + start;
        const int32_t in_line = position % KEY_LINE;
        const int32_t end = at.context_lengths[row_sequence[row]] - position;
        if (in_line == 0 && end < KEY_LINE) clear_values(v, end);
        for (int32_t i = 0; i < dim; i++) {
            k[i / 2 * 2 * KEY_LINE + in_line * 2 + i % 2] = to_brain(key[i]);
            v[in_line / 2 * 2 * dim + i * 2 + in_line % 2] = to_brain(value[i]);
        }
    }

    // Positions that the sequence has not reached are weighed by 0; but 0 times the NaN that another
    // one may have left there would be NaN.
    void clear_values(uint16_t* line, int32_t first) const {
        const int32_t pair = 2 * model.head_dim;
        if (first % 2)
            for (int32_t i = 1; i < pair; i += 2) line[first / 2 * pair + i] = 0;
        const int32_t pairs = (first + 1) / 2;
        std::memset(line + pairs * pair, 0, (KEY_LINE / 2 - pairs) * pair * sizeof(uint16_t));
    }

    void attend(const SpLayer& layer, int32_t number, const AttentionTask& task) {
        const int32_t sharing = model.heads / model.kv_heads;
        const int32_t first_row = first_row_of(task.sequence);
        const int64_t start =
            number * layer_stride + int64_t{task.kv_head} * block_size * model.head_dim;
        Attention together{};
        together.queries = task.count;
        together.head_dim = model.head_dim;
        together.window = layer.window;
        together.scale = model.attention_scale;
        together.softcap = model.attention_softcap;
        together.keys = keys + start;
        together.values = values + start;
        together.table = at.block_tables + int64_t{task.sequence} * at.table_stride;
        together.block_stride = block_stride;
        together.block_size = block_size;
        for (int32_t i = 0; i < task.count; i++) {
            const int32_t row = first_row + (task.first + i) / sharing;
            const int32_t head = task.kv_head * sharing + (task.first + i) % sharing;
            together.query[i] = head_of(row, head);
            together.out[i] = attended + (int64_t{row} * model.heads + head) * model.head_dim;
            together.position[i] = row_position[row];
        }
        kernels.attend(together);
    }

    int32_t first_row_of(int32_t sequence) const {
        return static_cast<int32_t>(
            std::lower_bound(row_sequence.begin(), row_sequence.begin() + at.rows, sequence) -
            row_sequence.begin());
    }

    // --- Choosing ---

    void choose(Walk& walk) {
        const Out scores = {at.logits ? at.logits : static_cast<float*>(logits),
                            at.logits ? model.vocab : logits_stride(), false};
        const Rows in = prepare(walk, model.head, walk.draws, [&](int32_t i, float* out) {
            const float* row = stream + int64_t{drawn_row[i]} * model.hidden;
            normalise(row, model.norm, model.hidden, out);
        });
        multiply(walk, model.head, in, walk.draws, scores, HEAD);
        share_rows(walk, CHOOSING, walk.draws, [&](int32_t i) {
            float* row = scores.values + i * scores.stride;
            if (model.final_softcap != 0.0f) kernels.cap(row, model.vocab, model.final_softcap);
            choosers[walk.member].choose(row, at.draw[i]);
        });
    }

    const SpModel model;
    const std::vector<SpLayer> layers;
    const std::vector<float> frequencies;
    const Kernels& kernels;
    const int32_t block_size;
    const int64_t layer_stride, block_stride;
    // bfloat16 [blocks][layers][kv_heads][block_size * head_dim]; see kernels.cpp for the inside.
    // What a block needs lies together: memory is taken only for blocks that were used.
    const Memory<uint16_t> keys, values;
    const int32_t widest;
    const Memory<float> stream;     // [rows, hidden]: the residual stream
    const Memory<float> branch;     // [rows, hidden]: what is normed before it joins the stream
    const Memory<float> projected;  // [rows, (heads + 2 kv_heads) * head_dim]
    const Memory<float> attended;   // [rows, heads * head_dim]
    const Memory<float> inner;      // [rows, inner_stride]
    const Memory<float> logits;     // [draws, logits_stride]
    const Memory<float> cosines, sines;  // [rope_tables, rows, head_dim / 2]
    const Memory<float> scratch;    // [threads, widest]
    const RowMemory shared;
    std::vector<RowMemory> own;
    std::vector<Chooser> choosers;
    const int32_t max_rows;

    SpStep at{};
    std::vector<int32_t> row_sequence, row_position;  // [rows]
    std::vector<int32_t> drawn_row;                   // [draws]
    std::vector<AttentionTask> tasks;
    Crew crew;  // last: its threads end before what they use
};

const char* sp_kernels() { return kernels_in_use->name; }

int32_t sp_use_kernels(const char* name) {
    for (const Kernels* kernels : usable_kernels())
        if (!std::strcmp(kernels->name, name)) {
            kernels_in_use = kernels;
            return true;
        }
    return false;
}

const char* sp_model_problem(const SpModel* model, int32_t block_size) {
    if (block_size % KEY_LINE) return "its cache blocks do not hold a multiple of 16 tokens";
    if (model->hidden % GROUP) return "its hidden size is not a multiple of 32";
    if (model->intermediate % GROUP) return "its MLP's size is not a multiple of 32";
    if (model->head_dim % TILE) return "its head dimension is not a multiple of 16";
    if (model->head_dim > 1024) return "its heads are wider than 1024";
    if (model->heads * model->head_dim % GROUP) return "its heads' width is not a multiple of 32";
    if (model->heads % model->kv_heads) return "its heads do not share key heads evenly";
    return nullptr;
}

int32_t sp_engine_new(const SpModel* model, int32_t num_blocks, int32_t block_size,
                      int32_t max_rows, int32_t max_draws, int32_t threads, SpEngine** engine) {
    if (sp_model_problem(model, block_size)) return SP_BAD_ARGUMENT;
    try {
        *engine = new SpEngine(*model, num_blocks, block_size, max_rows, max_draws, threads);
        return SP_OK;
    } catch (const std::bad_alloc&) {
        return SP_OUT_OF_MEMORY;
    } catch (const std::exception&) {  // threads that the machine does not give
        return SP_OUT_OF_MEMORY;
    }
}

void sp_engine_free(SpEngine* engine) { delete engine; }

int32_t sp_engine_step(SpEngine* engine, const SpStep* step) {
    try {
        engine->step(*step);
        return SP_OK;
    } catch (const std::bad_alloc&) {
        return SP_OUT_OF_MEMORY;
    }
}

void sp_engine_times(SpEngine* engine, int64_t* nanoseconds) {
    std::copy_n(engine->nanoseconds, PHASES, nanoseconds);
    std::fill_n(engine->nanoseconds, PHASES, 0);
}
