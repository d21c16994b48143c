/* The weights of one part, W or U, of the gates that have it as bytes: multiplied as integers.
 *
 * A panel holds, for each four columns (a quad), its vectors, for each vector its gates, and for each gate the bytes of
 * `lanes` outputs, four columns each:
 *
 *     panel 0 | columns 0..3: outputs 0..15 of gate 0, of gate 1, ..., outputs 16..31 of gate 0, ...; columns 4..7: ...
 *     panel 1 | columns 0..3: outputs 32..47 of gate 0, ...
 *
 * Beside 8-bit weights it can hold the 16-bit ones of float weights: two planes of bytes, the high one first, that
 * stand side by side for each gate. */
#ifndef PYMPS_ENGINE_BYTE_WEIGHTS_H
#define PYMPS_ENGINE_BYTE_WEIGHTS_H

#include "engine/engine.h"
#include "engine/packing.h"

namespace pymps::engine {

inline constexpr size_t kQuad = 4;

/* Of a row of activations as integers: see byte_rows-inl.h. */
inline size_t QuantizedRowBytes(size_t columns) {
    return AddSizes(kAlignment, MultiplySizes(2, RoundUp(columns, kAlignment)));
}

class ByteWeights {
  public:
    /* `gates` has `gate_count` matrices of `columns` columns; those without values are not here. False when memory
     * runs out. */
    bool Pack(const Panels &panels, const pymps_engine_bytes *gates, size_t gate_count, size_t columns);

    /* Of 16-bit weights: their sums fit an int32 that far. */
    static constexpr size_t kMostWideColumns = 32768;

    /* Whether all gates of the source can be kept in 16 bits without losing what float16 keeps, and are worth it: see
     * PackWide. */
    static bool FitsWide(const PartSource &source, size_t gate_count, size_t outputs);
    /* Keeps all gates of a source that fits as multiples of a power of two for each output, in 16 bits. False when
     * memory runs out. */
    bool PackWide(const Panels &panels, const PartSource &source, size_t gate_count);

    size_t gate_count() const { return gate_count_; } /* 0: nothing here */
    /* Of a slot, as the gates that are here are numbered. */
    size_t gate(size_t slot) const { return gates_[slot]; }
    size_t columns() const { return columns_; }
    size_t quads() const { return (columns_ + kQuad - 1) / kQuad; }
    bool is_wide() const { return is_wide_; }
    size_t bytes() const { return values_.get_deleter().bytes; }
    Fetch fetch() const { return fetch_; }
    void SetFetch(size_t layer_bytes) { fetch_ = FetchOf(/*is_narrow=*/true, layer_bytes); }

    /* The panel that starts at vector `first`. */
    const uint8_t *Slice(size_t first) const { return values_.get() + first * gate_count_ * BytesPerVector(); }
    /* Of the vectors from `first` on, for each vector its slots: lanes floats. */
    const float *Steps(size_t first) const { return steps_.get() + first * gate_count_ * lanes_; }
    const float *Minima(size_t first) const { return minima_.get() + first * gate_count_ * lanes_; }

    /* A gate's 8-bit matrix as it was given. False where it is not here. */
    bool Read(const Panels &panels, size_t gate, uint8_t *values, float *minima, float *steps) const;
    /* The floats that a gate's matrix stands for, row-major. False where it is not here. */
    bool ReadFloats(const Panels &panels, size_t gate, float *weights) const;

  private:
    bool Allocate(const Panels &panels);
    size_t SlotOf(size_t gate) const;
    size_t planes() const { return is_wide_ ? 2 : 1; }
    size_t BytesPerVector() const { return quads() * kQuad * lanes_ * planes(); }
    /* Where the first plane's byte of a weight is, and one of an output's two floats. */
    size_t ByteAt(const Panels &panels, size_t slot, size_t output, size_t column) const;
    size_t FloatAt(size_t slot, size_t output) const;
    void SetOutput(const Panels &panels, size_t slot, size_t output, const float *weights);

    size_t gate_count_ = 0, columns_ = 0, lanes_ = 0;
    size_t gates_[kMaxGates] = {};
    bool is_wide_ = false;
    Fetch fetch_ = Fetch::kNothing;
    AlignedArray<uint8_t> values_;
    AlignedArray<float> minima_, steps_;
};

} // namespace pymps::engine

#endif
