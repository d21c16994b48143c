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

  private:
    /* The input of one step: x, or, if they were computed ahead, the gates W x + b. */
    struct StepInput {
        const float *x;
        size_t x_stride;
        float *gates;
    };

    /* What is computed together: vectors [first, end) of up to kTileRows rows. */
    struct Tile {
        size_t first, end, row, rows;
    };

    size_t ChunkSteps(const pymps_engine_sequence &sequence, size_t step) const;
    void StartChunk(const pymps_engine_matrix *x, size_t steps, const LstmWorkspace &workspace) const;
    StepInput LoadStep(const pymps_engine_matrix &x, const LstmWorkspace &workspace) const;
    void Step(const StepInput &input, size_t rows, const LstmWorkspace &workspace, const LstmState &before,
              const LstmState &after) const;
    void StepTile(const Tile &tile, const StepInput &input, const LstmWorkspace &workspace, const LstmState &before,
                  const LstmState &after) const;
    void OutputTile(const Tile &tile, const LstmWorkspace &workspace, const LstmState &after) const;
    void LoadState(const pymps_engine_state *initial, size_t rows, const LstmWorkspace &workspace,
                   const LstmState &to) const;
    void StoreState(const LstmState &from, size_t rows, const LstmWorkspace &workspace,
                    const pymps_engine_state &to) const;

    template <class Function> void ForEachTile(size_t rows, Function f) const;
    template <class Function> void ForEachPanel(const Tile &tile, Function f) const;

    LstmWeights weights_;
};

/* Calls f(tile) for all tiles, those that share weights one after the other. */
template <class Function> HWY_INLINE void Lstm::ForEachTile(size_t rows, Function f) const {
    // Where rows are few a tile takes more panels instead: the activations of several panels overlap in time.
    const size_t panels = kTileRows / std::clamp(rows, size_t{1}, kTileRows);
    const size_t vectors = weights_.panels.vectors;
    for (size_t first = 0; first < vectors; first += panels * kPanelVectors) {
        for (size_t row = 0; row < rows; row += kTileRows)
            f(Tile{first, std::min(first + panels * kPanelVectors, vectors), row, std::min(rows - row, kTileRows)});
    }
}

/* Calls f(first, width) for the panels of a tile. */
template <class Function> HWY_INLINE void Lstm::ForEachPanel(const Tile &tile, Function f) const {
    for (size_t first = tile.first; first < tile.end; first += weights_.panels.Width(first))
        f(first, weights_.panels.Width(first));
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
    const size_t gate_stride = kMaxGates * workspace.stride;
    ForEachTile(count, [&](const Tile &tile) HWY_ATTR {
        ForEachPanel(tile, [&](size_t first, size_t width) HWY_ATTR {
            float *gates = workspace.gates + tile.row * gate_stride + first * kMaxGates * kLanes;
            StartGates(weights_, first, width, rows + tile.row, tile.rows, gates, gate_stride);
        });
    });
}

Lstm::StepInput Lstm::LoadStep(const pymps_engine_matrix &x, const LstmWorkspace &workspace) const {
    if (x.type == PYMPS_ENGINE_FLOAT32)
        return {static_cast<const float *>(x.data), x.row_bytes / sizeof(float), nullptr};
    for (size_t r = 0; r < x.rows; ++r)
        LoadRow(x, r, weights_.inputs, workspace.x + r * weights_.inputs);
    return {workspace.x, weights_.inputs, nullptr};
}

void Lstm::StepTile(const Tile &tile, const StepInput &input, const LstmWorkspace &workspace, const LstmState &before,
                    const LstmState &after) const {
    const size_t stride = workspace.stride;
    const TileRows h0(before.h + tile.row * stride, stride, tile.rows);
    const TileRows c0(before.c + tile.row * stride, stride, tile.rows);
    const PackedWeights &packed = weights_.gates;

    HWY_ALIGN float buffer[kTileRows * kMaxGates * kPanelVectors * kLanes];
    const bool started = input.gates != nullptr;
    const size_t gate_stride = kMaxGates * (started ? stride : (tile.end - tile.first) * kLanes);
    float *tile_gates = started ? input.gates + tile.row * gate_stride + tile.first * kMaxGates * kLanes : buffer;
    const auto gates_of = [&](size_t first, size_t r) {
        return tile_gates + r * gate_stride + (first - tile.first) * kMaxGates * kLanes;
    };

    ForEachPanel(tile, [&](size_t first, size_t width) HWY_ATTR {
        float *gates = gates_of(first, 0);
        if (!started) {
            const TileRows x(input.x + tile.row * input.x_stride, input.x_stride, tile.rows);
            StartGates(weights_, first, width, x.rows, tile.rows, gates, gate_stride);
        }
        AddProduct(packed, packed.part(kRecurrentPart), first, width, h0.rows, tile.rows, gates, gate_stride);
        AddProduct(packed, packed.part(kMemoryPart), first, width, c0.rows, tile.rows, gates, gate_stride);
    });
    // All cells first, then all outputs: neighbours in either loop do not depend on each other, and so overlap.
    ForEachPanel(tile, [&](size_t first, size_t width) HWY_ATTR {
        for (size_t r = 0; r < tile.rows; ++r) {
            const size_t at = (tile.row + r) * stride + first * kLanes;
            UpdateCell(weights_, first, width, gates_of(first, r), before.c + at, after.c + at);
        }
    });
    ForEachPanel(tile, [&](size_t first, size_t width) HWY_ATTR {
        for (size_t r = 0; r < tile.rows; ++r) {
            const size_t at = (tile.row + r) * stride + first * kLanes, count = width * kLanes;
            float *output_gate = gates_of(first, r) + kOutputGate * count;
            if (weights_.full_output_memory)
                std::copy_n(output_gate, count, workspace.output_gate + at);
            else
                UpdateOutput(weights_, first, width, output_gate, after.c + at, after.h + at);
        }
    });
}

/* The output gate with a full V: needs all of c1, hence a pass of its own. */
void Lstm::OutputTile(const Tile &tile, const LstmWorkspace &workspace, const LstmState &after) const {
    const size_t stride = workspace.stride;
    const TileRows c1(after.c + tile.row * stride, stride, tile.rows);
    ForEachPanel(tile, [&](size_t first, size_t width) HWY_ATTR {
        size_t at = tile.row * stride + first * kLanes;
        AddProduct(weights_.output_memory, weights_.output_memory.part(0), first, width, c1.rows, tile.rows,
                   workspace.output_gate + at, stride);
        for (size_t r = 0; r < tile.rows; ++r, at += stride)
            UpdateOutput(weights_, first, width, workspace.output_gate + at, after.c + at, after.h + at);
    });
}

void Lstm::Step(const StepInput &input, size_t rows, const LstmWorkspace &workspace, const LstmState &before,
                const LstmState &after) const {
    ForEachTile(rows, [&](const Tile &tile) HWY_ATTR { StepTile(tile, input, workspace, before, after); });
    if (weights_.full_output_memory)
        ForEachTile(rows, [&](const Tile &tile) HWY_ATTR { OutputTile(tile, workspace, after); });
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
