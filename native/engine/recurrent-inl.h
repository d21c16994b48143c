/* What all kinds of layers have in common: a sequence is cut into steps, each of which leads from a state to the
 * next. */
#if defined(PYMPS_ENGINE_RECURRENT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_RECURRENT_INL_H
#undef PYMPS_ENGINE_RECURRENT_INL_H
#else
#define PYMPS_ENGINE_RECURRENT_INL_H
#endif

#include <algorithm>

#include "engine/byte_rows-inl.h"
#include "engine/images-inl.h"
#include "engine/layer.h"
#include "engine/rows-inl.h"
#include "engine/team.h"
#include "engine/tiles-inl.h"
#include "engine/workspace.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

/* Some rows of one step. `started`: the gates hold W x + b already, and x is not set. `descending`: from the last
 * outputs to the first. */
struct StepInput {
    size_t rows = 0;
    Rows x = {};
    const Images *images = nullptr; // NULL: rows are no pixels
    float *gates = nullptr;
    bool started = false, descending = false;
    QuantizedRows quantized_x = {}, quantized_h = {}; // rows of x and h0, where weights are bytes; h's are then free

    /* What a part is multiplied by, out of rows of `stride` floats: with the neighbours of pixels. */
    Rows Around(size_t part, float *data, size_t stride, Team *team) const {
        if (images == nullptr)
            return {data, stride};
        return images->Around(part, {data, stride}, team);
    }

    /* Calls f(tile) for all tiles of the step. */
    template <class Function> HWY_INLINE void ForEachTile(Team *team, const Panels &panels, const Function &f) const {
        const size_t tile_rows = images == nullptr ? rows : images->tile_rows();
        HWY_NAMESPACE::ForEachTile(team, panels, tile_rows, descending, [&](const Block &tile) HWY_ATTR {
            f(images == nullptr ? tile : images->PixelsOf(tile));
        });
    }
};

/* Steps of more rows than that use the weights often enough by themselves; and sums that come and go cost them more. */
inline constexpr size_t kMostStartedRows = 2 * kTileRows;

class RecurrentLayer : public pymps_engine_layer {
  public:
    size_t WorkspaceBytes(size_t steps, size_t rows) const final {
        return Workspace(shape_, rows, ChunkRows(steps, rows), nullptr).bytes();
    }

    size_t ImageWorkspaceBytes(size_t width, size_t height, size_t count) const final;

    void Run(const pymps_engine_sequence &sequence, void *workspace, Team *team) const final;

  protected:
    const WorkspaceShape &shape() const { return shape_; }
    void SetShape(const WorkspaceShape &shape) { shape_ = shape; }

  private:
    /* At most, of the rows of some steps. */
    static size_t ChunkRows(size_t steps, size_t rows) { return std::min(MultiplySizes(steps, rows), kChunkRows); }

    /* gates = W x + b, for at most kChunkRows rows. */
    virtual void StartRows(const float *const *x, const QuantizedRows &quantized_x, size_t rows, float *gates,
                           Team *team) const = 0;
    /* For at most kChunkRows rows, or for all pixels; `before` and `after` begin at the first of them. */
    virtual void Step(const StepInput &input, const State &before, const State &after, float *scratch,
                      Team *team) const = 0;

    size_t ChunkSteps(const pymps_engine_sequence &sequence, size_t step) const;
    void StartChunk(const pymps_engine_matrix *x, size_t steps, const Workspace &workspace,
                    const Teamwork &teamwork) const;
    StepInput LoadInput(const pymps_engine_matrix &x, size_t row, size_t rows, const Workspace &workspace) const;
    void WholeStep(const pymps_engine_matrix &x, bool descending, const Workspace &workspace, const State &before,
                   const State &after, const Teamwork &teamwork) const;
    QuantizedRows QuantizeState(const State &state, size_t rows, const Workspace &workspace) const;
    size_t Work(size_t rows, size_t columns) const;
    Teamwork ShareWork(const pymps_engine_sequence &sequence, Team *team) const;
    State StateAt(const State &state, size_t row) const;
    bool IsInPlace(const pymps_engine_state &state) const;
    void LoadState(const pymps_engine_state *initial, size_t rows, const State &to) const;
    void StoreState(const State &from, size_t rows, const pymps_engine_state &to) const;
    void KeepRows(const State &from, size_t begin, size_t end, const State &to) const;
    void RunImages(const pymps_engine_sequence &sequence, void *memory, Team *team) const;

    WorkspaceShape shape_ = {};
};

/* How many steps to start together: 1 where several would not fit, or not gain. */
inline size_t RecurrentLayer::ChunkSteps(const pymps_engine_sequence &sequence, size_t step) const {
    if (sequence.x[step].rows > kMostStartedRows)
        return 1;
    size_t steps = 0;
    for (size_t rows = 0; step + steps < sequence.steps; ++steps) {
        rows += sequence.x[step + steps].rows;
        if (rows > kChunkRows)
            break;
    }
    return std::max(steps, size_t{1});
}

/* workspace.gates = W x + b, for the rows of `steps` steps one after the other. */
inline void RecurrentLayer::StartChunk(const pymps_engine_matrix *x, size_t steps, const Workspace &workspace,
                                       const Teamwork &teamwork) const {
    const float *rows[kChunkRows];
    size_t count = 0;
    for (size_t step = 0; step < steps; ++step) {
        for (size_t r = 0; r < x[step].rows; ++r, ++count)
            rows[count] = LoadRow(x[step], r, shape_.inputs, workspace.x + count * shape_.inputs);
    }
    const QuantizedRows quantized_x = {workspace.quantized_x, shape_.inputs};
    for (size_t r = 0; shape_.quantizes_inputs && r < count; ++r)
        QuantizeRow(rows[r], shape_.inputs, quantized_x.At(r));
    // What another core has put into the gates is slow to read: that pays where it goes on with them in the steps, or
    // has summed many products for each (measured: not for 64 or 128).
    const bool pays = teamwork.For(Work(x[0].rows, shape_.outputs)) != nullptr || shape_.inputs >= 512;
    StartRows(rows, quantized_x, count, workspace.gates, pays ? teamwork.For(Work(count, shape_.inputs)) : nullptr);
}

inline StepInput RecurrentLayer::LoadInput(const pymps_engine_matrix &x, size_t row, size_t rows,
                                           const Workspace &workspace) const {
    StepInput input;
    input.rows = rows;
    input.x = {workspace.x, shape_.inputs};
    if (x.type == PYMPS_ENGINE_FLOAT32) {
        input.x = {static_cast<const float *>(MatrixRow(x, row)), x.row_bytes / sizeof(float)};
    } else {
        for (size_t r = 0; r < rows; ++r)
            LoadRow(x, row + r, shape_.inputs, workspace.x + r * shape_.inputs);
    }
    input.gates = workspace.gates;
    input.quantized_x = {workspace.quantized_x, shape_.inputs};
    for (size_t r = 0; shape_.quantizes_inputs && r < rows; ++r)
        QuantizeRow(input.x.data + r * input.x.stride, shape_.inputs, input.quantized_x.At(r));
    return input;
}

/* At most kChunkRows rows of h0 as integers, where some weights want them. */
inline QuantizedRows RecurrentLayer::QuantizeState(const State &state, size_t rows, const Workspace &workspace) const {
    const QuantizedRows quantized = {workspace.quantized_h, shape_.outputs};
    for (size_t r = 0; shape_.quantizes_outputs && r < rows; ++r)
        QuantizeRow(state.h + r * shape_.stride, shape_.outputs, quantized.At(r));
    return quantized;
}

/* A step that was not started with others. */
inline void RecurrentLayer::WholeStep(const pymps_engine_matrix &x, bool descending, const Workspace &workspace,
                                      const State &before, const State &after, const Teamwork &teamwork) const {
    for (size_t row = 0; row < x.rows; row += kChunkRows) {
        StepInput input = LoadInput(x, row, std::min(x.rows - row, kChunkRows), workspace);
        input.descending = descending;
        const State from = StateAt(before, row);
        input.quantized_h = QuantizeState(from, input.rows, workspace);
        Step(input, from, StateAt(after, row), workspace.scratch,
             teamwork.For(Work(input.rows, shape_.inputs + shape_.outputs)));
    }
}

/* Multiply-adds of all gates of some rows that have this many columns. */
inline size_t RecurrentLayer::Work(size_t rows, size_t columns) const {
    return MultiplySizes(MultiplySizes(rows, columns), shape_.gates);
}

inline Teamwork RecurrentLayer::ShareWork(const pymps_engine_sequence &sequence, Team *team) const {
    const size_t columns = shape_.inputs + shape_.outputs, rows = MultiplySizes(sequence.steps, sequence.x[0].rows);
    return Teamwork(team, Work(std::min(rows, kChunkRows), columns), Work(rows, columns));
}

inline State RecurrentLayer::StateAt(const State &state, size_t row) const {
    const size_t offset = row * shape_.stride;
    return {state.h + offset, shape_.has_memory_cell ? state.c + offset : nullptr};
}

inline void RecurrentLayer::LoadState(const pymps_engine_state *initial, size_t rows, const State &to) const {
    if (initial == nullptr) {
        std::fill_n(to.h, rows * shape_.stride, 0.0f);
        if (shape_.has_memory_cell)
            std::fill_n(to.c, rows * shape_.stride, 0.0f);
        return;
    }
    CopyRows(initial->h, initial->row_floats, to.h, shape_.stride, rows, shape_.outputs);
    if (shape_.has_memory_cell)
        CopyRows(initial->c, initial->row_floats, to.c, shape_.stride, rows, shape_.outputs);
}

inline void RecurrentLayer::StoreState(const State &from, size_t rows, const pymps_engine_state &to) const {
    CopyRows(from.h, shape_.stride, to.h, to.row_floats, rows, shape_.outputs);
    if (shape_.has_memory_cell)
        CopyRows(from.c, shape_.stride, to.c, to.row_floats, rows, shape_.outputs);
}

inline void RecurrentLayer::KeepRows(const State &from, size_t begin, size_t end, const State &to) const {
    const size_t offset = begin * shape_.stride, count = (end - begin) * shape_.stride;
    std::copy_n(from.h + offset, count, to.h + offset);
    if (shape_.has_memory_cell)
        std::copy_n(from.c + offset, count, to.c + offset);
}

/* Whether a step can work in a caller's state: its rows are as those of the workspace. */
inline bool RecurrentLayer::IsInPlace(const pymps_engine_state &state) const {
    const auto is_aligned = [](const float *data) { return reinterpret_cast<uintptr_t>(data) % kAlignment == 0; };
    return state.row_floats == shape_.outputs && shape_.stride == shape_.outputs && is_aligned(state.h) &&
           is_aligned(state.c);
}

inline void RecurrentLayer::Run(const pymps_engine_sequence &sequence, void *memory, Team *team) const {
    if (sequence.width != 0 && shape_.windows.AreLarge())
        return RunImages(sequence, memory, team);
    const size_t all_rows = sequence.x[0].rows;
    Workspace workspace(shape_, all_rows, ChunkRows(sequence.steps, all_rows), memory);
    State *before = &workspace.states[0], *after = &workspace.states[1];
    const Teamwork teamwork = ShareWork(sequence, team);
    const bool one_step = sequence.steps == 1;
    const bool reads_in_place = one_step && sequence.initial != nullptr && IsInPlace(*sequence.initial);
    const bool writes_in_place = one_step && IsInPlace(sequence.states[0]);
    if (reads_in_place)
        *before = {sequence.initial->h, sequence.initial->c};
    else
        LoadState(sequence.initial, all_rows, *before);
    if (writes_in_place)
        *after = {sequence.states->h, sequence.states->c};

    size_t chunk_end = 0;
    float *gates = nullptr;                // of the next step, if it was started with its chunk
    bool descending = sequence.descending; // steps take turns: each begins with what the one before has read last
    for (size_t step = 0; step < sequence.steps; ++step) {
        const pymps_engine_matrix &x = sequence.x[step];
        if (step == chunk_end) {
            const size_t steps = ChunkSteps(sequence, step);
            chunk_end += steps;
            gates = steps > 1 ? workspace.gates : nullptr;
            if (steps > 1)
                StartChunk(&x, steps, workspace, teamwork);
        }
        if (gates != nullptr) {
            StepInput input;
            input.rows = x.rows;
            input.gates = gates;
            input.started = true;
            input.descending = descending;
            input.quantized_h = QuantizeState(*before, x.rows, workspace);
            Step(input, *before, *after, workspace.scratch, teamwork.For(Work(x.rows, shape_.outputs)));
            gates += x.rows * shape_.gates;
        } else {
            WholeStep(x, descending, workspace, *before, *after, teamwork);
        }
        descending = !descending;
        for (size_t r = 0; r < x.rows; ++r)
            StoreRow(after->h + r * shape_.stride, sequence.y[step], r, shape_.outputs);
        if (sequence.state_count > 1)
            StoreState(*after, all_rows, sequence.states[step]);

        // Rows that end here keep their state, whichever of the two comes next.
        const size_t next_rows = step + 1 < sequence.steps ? sequence.x[step + 1].rows : x.rows;
        KeepRows(*after, next_rows, x.rows, *before);
        std::swap(before, after);
    }
    if (sequence.state_count == 1 && !writes_in_place)
        StoreState(*before, all_rows, sequence.states[0]);
}

inline size_t RecurrentLayer::ImageWorkspaceBytes(size_t width, size_t height, size_t count) const {
    const size_t pixels = MultiplySizes(count, MultiplySizes(width, height));
    if (!shape_.windows.AreLarge()) // then pixels are rows like any others
        return WorkspaceBytes(SIZE_MAX, pixels);
    return AddSizes(Workspace(shape_.OfImages(), pixels, pixels, nullptr).bytes(),
                    Images(shape_, width, height, count, nullptr).bytes());
}

/* All pixels of a step at a time, as they are each other's neighbours. */
inline void RecurrentLayer::RunImages(const pymps_engine_sequence &sequence, void *memory, Team *team) const {
    StepInput input;
    input.rows = sequence.x[0].rows;
    const Workspace workspace(shape_.OfImages(), input.rows, input.rows, memory);
    const Images images(shape_, sequence.width, sequence.height, input.rows / (sequence.width * sequence.height),
                        static_cast<char *>(memory) + workspace.bytes());
    input.images = &images;
    input.gates = workspace.gates;
    input.descending = sequence.descending;
    const size_t work = Work(input.rows, images.columns());
    const Teamwork teamwork(team, work, MultiplySizes(work, sequence.steps));
    Team *const helpers = teamwork.For(work);

    State before = workspace.states[1];
    if (sequence.initial != nullptr && IsInPlace(*sequence.initial))
        before = {sequence.initial->h, sequence.initial->c};
    else
        LoadState(sequence.initial, input.rows, before);
    for (size_t step = 0; step < sequence.steps; ++step) {
        const bool is_wanted = sequence.state_count > 1 || step + 1 == sequence.steps;
        const pymps_engine_state *const wanted =
            is_wanted ? &sequence.states[sequence.state_count > 1 ? step : 0] : nullptr;
        const bool in_place = is_wanted && IsInPlace(*wanted);
        const State after = in_place ? State{wanted->h, wanted->c} : workspace.states[step % 2];
        input.x = images.Around(0, images.Load(sequence.x[step], helpers), helpers);
        Step(input, before, after, workspace.scratch, helpers);
        ShareOut(helpers, input.rows, [&](Share rows) HWY_ATTR {
            StoreRows(after.h, shape_.stride, sequence.y[step], rows.begin, rows.end - rows.begin, shape_.outputs);
        });
        if (is_wanted && !in_place)
            StoreState(after, input.rows, *wanted);
        before = after;
        input.descending = !input.descending;
    }
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
