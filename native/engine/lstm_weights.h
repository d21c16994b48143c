/* What an LSTM layer keeps of its description. */
#ifndef PYMPS_ENGINE_LSTM_WEIGHTS_H
#define PYMPS_ENGINE_LSTM_WEIGHTS_H

#include "engine/byte_weights.h"
#include "engine/engine.h"
#include "engine/owned_neuron.h"
#include "engine/packing.h"
#include "engine/window.h"

namespace pymps::engine {

enum LstmGate : size_t { kInputGate, kForgetGate, kCellGate, kOutputGate };
enum LstmPart : size_t { kInputPart, kRecurrentPart, kMemoryPart };

struct LstmWeights {
    Panels panels;
    bool unit_input = false;
    bool diagonal_memory = false; /* some V is given, as a vector */
    bool full_output_memory = false;
    bool usual_neurons = false; /* sigmoid gates, tanh for the cell and for gh */

    PackedWeights gates;         /* parts: LstmPart; the memory part (V of input, forget and cell gate) sees c0 */
    PackedWeights output_memory; /* V of the output gate, as gate 0: it sees c1, which must be complete by then */
    Windows windows;             /* of the parts: LstmPart */
    PairWeights pairs, output_memory_pairs; /* the same as gates and output_memory, where windows.MakePairs() */
    ByteWeights bytes[2];                   /* W and U of the gates where they are bytes */
    PackedVector bias;
    PackedVector diagonal;
    OwnedNeuron neurons[kMaxGates];
    OwnedNeuron cell_to_output;

    /* False when memory runs out. */
    bool Pack(const pymps_engine_lstm &lstm, size_t lanes, size_t panel_vectors, bool may_be_wide);
    /* As pymps_engine_layer_read_weights and pymps_engine_layer_read_bytes. */
    bool Read(size_t gate, size_t part, float *weights) const;
    bool ReadBytes(size_t gate, size_t part, uint8_t *values, float *minima, float *steps) const;

  private:
    void SetWindows(const pymps_engine_lstm &lstm);
    bool PackBytes(const pymps_engine_lstm &lstm);
    bool PackMemory(const pymps_engine_lstm &lstm);
    bool CopyNeurons(const pymps_engine_lstm &lstm);
};

} // namespace pymps::engine

#endif
