/* The LSTM layer: a sequence cut into steps, a step into panels and tiles. */
#include "engine/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/lstm.cc"
#include "hwy/foreach_target.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "engine/layer.h"
#include "engine/lstm-inl.h"
#include "engine/lstm_workspace.h"
#include "engine/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

class Lstm final : public pymps_engine_layer {
  public:
    bool Pack(const pymps_engine_lstm &lstm) { return weights_.Pack(lstm, kLanes, kPanelVectors); }

    size_t WorkspaceBytes(size_t steps, size_t rows) const override {
        return LstmWorkspace(weights_, steps, rows, nullptr).bytes();
    }

    void Run(const pymps_engine_sequence &sequence, void *workspace) const override;

    bool ReadWeights(size_t gate, size_t part, float *weights) const override {
        return weights_.Read(gate, part, weights);
    }

  private:
    /* The input of one step: x, or, if they were computed ahead, the gates W x + b. */
    struct StepInput {
        const float *x;
        size_t x_stride;
        float *gates;
    };

    size_t ChunkSteps(const pymps_engine_sequence &sequence, size_t step) const;
    void StartChunk(const pymps_engine_matrix *x, size_t steps, const LstmWorkspace &workspace) const;
    StepInput LoadStep(const pymps_engine_matrix &x, const LstmWorkspace &workspace) const;
    void Step(const StepInput &input, size_t rows, const LstmWorkspace &workspace, const LstmState &before,
              const LstmState &after) const;
    void StepTile(const Block &tile, const StepInput &input, const LstmWorkspace &workspace, const LstmState &before,
                  const LstmState &after) const;
    void OutputTile(const Block &tile, const LstmWorkspace &workspace, const LstmState &after) const;
    void LoadState(const pymps_engine_state *initial, size_t rows, const LstmWorkspace &workspace,
                   const LstmState &to) const;
    void StoreState(const LstmState &from, size_t rows, const LstmWorkspace &workspace,
                    const pymps_engine_state &to) const;

    template <class Function> void ForEachTile(size_t rows, Function f) const;
    template <class Function> void ForEachPanel(const Block &tile, Function f) const;

    LstmWeights weights_;
};

/* The part of rows of states, or of gates, that goes with a block. */
HWY_INLINE Grid StateOf(const Block &block, float *state, const LstmWorkspace &workspace) {
    return {state + block.row * workspace.stride + block.first * kLanes, workspace.stride, kLanes};
}
HWY_INLINE Grid GatesOf(const Block &block, float *gates, const LstmWorkspace &workspace) {
    return {gates + (block.row * workspace.stride + block.first * kLanes) * kMaxGates, workspace.stride * kMaxGates,
            kLanes * kMaxGates};
}

/* Calls f(tile) for all tiles; those that share weights follow each other. */
template <class Function> HWY_INLINE void Lstm::ForEachTile(size_t rows, Function f) const {
    // Rows are shared out evenly. Where they are few a tile takes more panels: more activations overlap in time.
    const size_t tiles = (rows + kTileRows - 1) / kTileRows;
    const size_t width = kTileRows / std::clamp(rows, size_t{1}, kTileRows) * kPanelVectors;
    const size_t vectors = weights_.panels.vectors;
    for (size_t first = 0; first < vectors; first += width) {
        for (size_t tile = 0; tile < tiles; ++tile) {
            const size_t row = rows * tile / tiles, end = rows * (tile + 1) / tiles;
            f(Block{first, std::min(width, vectors - first), row, end - row});
        }
    }
}

/* Calls f(panel, vector) for the panels of a tile; `vector` is the panel's first, counted from the tile's. */
template <class Function> HWY_INLINE void Lstm::ForEachPanel(const Block &tile, Function f) const {
    for (size_t vector = 0; vector < tile.vectors;) {
        const size_t first = tile.first + vector, width = weights_.panels.Width(first);
        f(Block{first, width, tile.row, tile.rows}, vector);
        vector += width;
    }
}

/* How many steps to start together: 1 where several would not fit, or not gain. */
size_t Lstm::ChunkSteps(const pymps_engine_sequence &sequence, size_t step) const {
    size_t steps = 0;
    for (size_t rows = 0; step + steps < sequence.steps; ++steps) {
        rows += sequence.x[step + steps].rows;
        if (rows > kChunkRows)
            break;
    }
    return std::max(steps, size_t{1});
}

/* workspace.gates = W x + b, for the rows of `steps` steps one after the other. */
void Lstm::StartChunk(const pymps_engine_matrix *x, size_t steps, const LstmWorkspace &workspace) const {
    const float *rows[kChunkRows];
    size_t count = 0;
    for (size_t step = 0; step < steps; ++step) {
        for (size_t r = 0; r < x[step].rows; ++r, ++count)
            rows[count] = LoadRow(x[step], r, weights_.inputs, workspace.x + count * weights_.inputs);
    }
    ForEachTile(count, [&](const Block &tile) HWY_ATTR {
        const Grid gates = GatesOf(tile, workspace.gates, workspace);
        const float *const *in[] = {rows + tile.row};
        ForEachPanel(tile, [&](const Block &panel, size_t vector) HWY_ATTR {
            SumProducts(weights_.gates, kInputPart, 1, in, panel,
                        {weights_.bias.Slice(panel.first), 0, gates.At(0, vector), gates.row_stride});
        });
        if (weights_.unit_input)
            AddUnitInput(weights_, tile, in[0], gates);
    });
}

Lstm::StepInput Lstm::LoadStep(const pymps_engine_matrix &x, const LstmWorkspace &workspace) const {
    if (x.type == PYMPS_ENGINE_FLOAT32)
        return {static_cast<const float *>(x.data), x.row_bytes / sizeof(float), nullptr};
    for (size_t r = 0; r < x.rows; ++r)
        LoadRow(x, r, weights_.inputs, workspace.x + r * weights_.inputs);
    return {workspace.x, weights_.inputs, nullptr};
}

void Lstm::StepTile(const Block &tile, const StepInput &input, const LstmWorkspace &workspace, const LstmState &before,
                    const LstmState &after) const {
    const TileRows x(input.x, input.x_stride, tile), h0(before.h, workspace.stride, tile),
        c0(before.c, workspace.stride, tile);
    const float *const *in[] = {x.rows, h0.rows, c0.rows};
    HWY_ALIGN float buffer[kTileRows * kMaxGates * kPanelVectors * kLanes];
    Grid gates = {buffer, kMaxGates * tile.vectors * kLanes, kMaxGates * kLanes};
    if (input.gates != nullptr) {
        gates = GatesOf(tile, input.gates, workspace);
        ForEachPanel(tile, [&](const Block &panel, size_t vector) HWY_ATTR {
            float *sums = gates.At(0, vector);
            SumProducts(weights_.gates, kRecurrentPart, 2, in + kRecurrentPart, panel,
                        {sums, gates.row_stride, sums, gates.row_stride});
        });
    } else {
        ForEachPanel(tile, [&](const Block &panel, size_t vector) HWY_ATTR {
            SumProducts(weights_.gates, kInputPart, 3, in, panel,
                        {weights_.bias.Slice(panel.first), 0, gates.At(0, vector), gates.row_stride});
        });
        if (weights_.unit_input)
            AddUnitInput(weights_, tile, x.rows, gates);
    }

    const Grid c1 = StateOf(tile, after.c, workspace), output_gates = OfGate(gates, kOutputGate);
    UpdateCells(weights_, tile, gates, StateOf(tile, before.c, workspace), c1);
    if (weights_.full_output_memory)
        CopyGrid(tile, output_gates, StateOf(tile, workspace.output_gate, workspace));
    else
        UpdateOutputs(weights_, tile, output_gates, c1, StateOf(tile, after.h, workspace));
}

/* The output gate with a full V: needs all of c1, hence a pass of its own. */
void Lstm::OutputTile(const Block &tile, const LstmWorkspace &workspace, const LstmState &after) const {
    const Grid gates = StateOf(tile, workspace.output_gate, workspace);
    const TileRows c1(after.c, workspace.stride, tile);
    const float *const *in[] = {c1.rows};
    ForEachPanel(tile, [&](const Block &panel, size_t vector) HWY_ATTR {
        float *sums = gates.At(0, vector);
        SumProducts(weights_.output_memory, 0, 1, in, panel, {sums, gates.row_stride, sums, gates.row_stride});
    });
    UpdateOutputs(weights_, tile, gates, StateOf(tile, after.c, workspace), StateOf(tile, after.h, workspace));
}

void Lstm::Step(const StepInput &input, size_t rows, const LstmWorkspace &workspace, const LstmState &before,
                const LstmState &after) const {
    ForEachTile(rows, [&](const Block &tile) HWY_ATTR { StepTile(tile, input, workspace, before, after); });
    if (weights_.full_output_memory)
        ForEachTile(rows, [&](const Block &tile) HWY_ATTR { OutputTile(tile, workspace, after); });
}

void Lstm::LoadState(const pymps_engine_state *initial, size_t rows, const LstmWorkspace &workspace,
                     const LstmState &to) const {
    if (initial == nullptr) {
        std::fill_n(to.h, rows * workspace.stride, 0.0f);
        std::fill_n(to.c, rows * workspace.stride, 0.0f);
        return;
    }
    CopyRows(initial->h, initial->row_floats, to.h, workspace.stride, rows, weights_.panels.outputs);
    CopyRows(initial->c, initial->row_floats, to.c, workspace.stride, rows, weights_.panels.outputs);
}

void Lstm::StoreState(const LstmState &from, size_t rows, const LstmWorkspace &workspace,
                      const pymps_engine_state &to) const {
    CopyRows(from.h, workspace.stride, to.h, to.row_floats, rows, weights_.panels.outputs);
    CopyRows(from.c, workspace.stride, to.c, to.row_floats, rows, weights_.panels.outputs);
}

void Lstm::Run(const pymps_engine_sequence &sequence, void *memory) const {
    const size_t all_rows = sequence.x[0].rows;
    const LstmWorkspace workspace(weights_, sequence.steps, all_rows, memory);
    const LstmState *before = &workspace.states[0], *after = &workspace.states[1];
    LoadState(sequence.initial, all_rows, workspace, *before);

    size_t chunk_end = 0;
    float *gates = nullptr; // of the next step, if it was started with its chunk
    for (size_t step = 0; step < sequence.steps; ++step) {
        const pymps_engine_matrix &x = sequence.x[step];
        if (step == chunk_end) {
            const size_t steps = ChunkSteps(sequence, step);
            chunk_end += steps;
            gates = steps > 1 ? workspace.gates : nullptr;
            if (steps > 1)
                StartChunk(&x, steps, workspace);
        }
        if (gates != nullptr) {
            Step({nullptr, 0, gates}, x.rows, workspace, *before, *after);
            gates += x.rows * kMaxGates * workspace.stride;
        } else {
            Step(LoadStep(x, workspace), x.rows, workspace, *before, *after);
        }
        for (size_t r = 0; r < x.rows; ++r)
            StoreRow(after->h + r * workspace.stride, sequence.y[step], r, weights_.panels.outputs);
        if (sequence.state_count > 1)
            StoreState(*after, all_rows, workspace, sequence.states[step]);

        // Rows that end here keep their state, whichever of the two comes next.
        const size_t next_rows = step + 1 < sequence.steps ? sequence.x[step + 1].rows : x.rows;
        const size_t ended = next_rows * workspace.stride;
        const size_t count = (x.rows - next_rows) * workspace.stride;
        std::copy_n(after->h + ended, count, before->h + ended);
        std::copy_n(after->c + ended, count, before->c + ended);
        std::swap(before, after);
    }
    if (sequence.state_count == 1)
        StoreState(*before, all_rows, workspace, sequence.states[0]);
}

/* NULL when memory runs out. */
pymps_engine_layer *NewLstm(const pymps_engine_lstm &description) {
    std::unique_ptr<Lstm> lstm(new (std::nothrow) Lstm);
    return lstm != nullptr && lstm->Pack(description) ? lstm.release() : nullptr;
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace pymps::engine {
HWY_EXPORT(NewLstm);
} // namespace pymps::engine

extern "C" pymps_engine_layer *pymps_engine_lstm_create(const pymps_engine_lstm *lstm) {
    using namespace pymps::engine;
    return HWY_DYNAMIC_DISPATCH(NewLstm)(*lstm);
}

#endif
