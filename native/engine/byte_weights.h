/* The weights of one part, W or U, of the gates that have it as bytes.
 *
 * They are kept as they were given, to be read back; the kernels run on floats made of them. */
#ifndef PYMPS_ENGINE_BYTE_WEIGHTS_H
#define PYMPS_ENGINE_BYTE_WEIGHTS_H

#include "engine/engine.h"
#include "engine/packing.h"

namespace pymps::engine {

class ByteWeights {
  public:
    /* `gates` has `gate_count` matrices of `columns` columns; those without values are not here. False when memory
     * runs out. */
    bool Pack(const Panels &panels, const pymps_engine_bytes *gates, size_t gate_count, size_t columns);

    /* As the gate's matrix was given. False where it was not here. */
    bool Read(size_t gate, uint8_t *values, float *minima, float *steps) const;
    /* The floats that it stands for, row-major. */
    bool ReadFloats(size_t gate, float *weights) const;

    /* The floats as sources of the gates that are here, until they are dropped. */
    void AddFloats(PartSource *source) const;
    void DropFloats();

  private:
    struct Gate {
        AlignedArray<uint8_t> values; /* null: not here */
        AlignedArray<float> minima, steps, floats;
    };

    bool PackGate(const pymps_engine_bytes &source, Gate *gate) const;

    size_t outputs_ = 0, columns_ = 0;
    Gate gates_[kMaxGates];
};

} // namespace pymps::engine

#endif
