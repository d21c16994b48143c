/* Weight matrices in the order in which the kernels read them.
 *
 * Outputs are cut into panels of a few vectors. A panel holds, one after the other, its slice of every part; a part is
 * all that is multiplied by one input (x, h0, ...), for the gates that have such a weight. A slice holds, for each
 * column, the panel's vectors, and for each vector its gates. So one pass over memory yields all gates of all outputs:
 *
 *     panel 0 | x:  column 0: outputs 0..7 of gate 0, of gate 1, ..., outputs 8..15 of gate 0, ...; column 1: ...
 *             | h0: ...
 *     panel 1 | x:  column 0: outputs 16..23 of gate 0, ...
 *
 * Outputs are padded with zeros to whole vectors. */
#ifndef PYMPS_ENGINE_PACKING_H
#define PYMPS_ENGINE_PACKING_H

#include "engine/memory.h"

namespace pymps::engine {

inline constexpr size_t kMaxGates = 4;
inline constexpr size_t kMaxParts = 3;

/* How outputs are cut: panels of `panel_vectors` vectors, a power of two, while they last, then of half as many, of a
 * quarter, and so on. */
struct Panels {
    size_t outputs;
    size_t lanes; /* floats in a vector of the target */
    size_t panel_vectors;
    size_t vectors; /* in total, the last one padded */
    size_t count;   /* of panels as wide as the first */

    Panels() = default;
    Panels(size_t outputs_, size_t lanes_, size_t panel_vectors_)
        : outputs(outputs_), lanes(lanes_), panel_vectors(panel_vectors_),
          vectors(outputs / lanes + (outputs % lanes != 0)), count((vectors + panel_vectors - 1) / panel_vectors) {}

    size_t PaddedOutputs() const { return MultiplySizes(vectors, lanes); }
    /* Vectors of the panel that starts at vector `first`. */
    size_t Width(size_t first) const {
        size_t width = panel_vectors;
        while (width > vectors - first)
            width /= 2;
        return width;
    }
    /* Where the panel begins that comes after the one at `first`, `descending` before it; the last has itself. */
    size_t Next(size_t first, bool descending) const {
        if (descending)
            return first == 0 ? first : first - WidthBefore(first);
        const size_t next = first + Width(first);
        return next == vectors ? first : next;
    }
    /* Of the panel that ends before vector `end`. */
    size_t WidthBefore(size_t end) const {
        const size_t rest = end & (panel_vectors - 1);
        return rest == 0 ? panel_vectors : rest & (~rest + 1); // the narrowest comes last
    }
};

/* Row-major outputs x columns per gate; NULL: this gate does not see this input. The columns of a window are those of
 * its lines, one after the other. */
struct PartSource {
    const float *gates[kMaxGates];
    size_t columns;
    size_t lines = 1;
};

struct Part {
    size_t columns = 0;
    size_t lines = 1, line_columns = 0; /* of a window */
    size_t gate_count = 0;              /* 0: nothing to do */
    size_t gates[kMaxGates] = {};
    size_t offset = 0; /* of a panel's slice, in vectors per vector of the panel */
};

/* How one row fetches weights before it needs them, by the size of the layer. Few stay in a near cache, where the
 * processor's own prefetchers do best (Sapphire Rapids: 10 % less time than with any help). More are fetched some way
 * ahead (Zen 3 and Sapphire Rapids: 5 to 20 % less than without). Narrow ones of a large layer, which other work sends
 * back to memory, are fetched a panel ahead, in several places at a time: one alone leaves memory waiting (Sapphire
 * Rapids, 12.6 MB of float16: 14 % less time from memory, though 3 to 7 % more from the third-level cache). */
enum class Fetch { kNothing, kAhead, kNextPanel };

inline Fetch FetchOf(bool is_narrow, size_t layer_bytes) {
    if (is_narrow && layer_bytes > (size_t{8} << 20))
        return Fetch::kNextPanel;
    return layer_bytes > (size_t{1} << 20) ? Fetch::kAhead : Fetch::kNothing;
}

/* kRounded: as float16, but kept as floats. */
enum class WeightFormat { kFloat, kHalf, kRounded };

class PackedWeights {
  public:
    /* The sources have `gate_count` gates. False when memory runs out. */
    bool Pack(const Panels &panels, WeightFormat format, size_t gate_count, const PartSource *sources,
              size_t source_count);

    size_t gate_count() const { return gate_count_; }
    const Part &part(size_t index) const { return parts_[index]; }
    bool half() const { return half_; }
    size_t bytes() const { return data_.get_deleter().bytes; }
    Fetch fetch() const { return fetch_; }
    void SetFetch(size_t layer_bytes) { fetch_ = FetchOf(half_, layer_bytes); }

    /* The slice of `part` in the panel of `width` vectors that starts at vector `first`. T is float or, if half(),
     * uint16_t. */
    template <class T> const T *Slice(const Part &part, size_t first, size_t width) const {
        return reinterpret_cast<const T *>(data_.get()) + (first * depth_ + width * part.offset) * lanes_;
    }

    /* Reads a gate's matrix of one part back, row-major. False where it was NULL. */
    bool Unpack(const Panels &panels, size_t part, size_t gate, float *matrix) const;

  private:
    template <class T> void Fill(const Panels &panels, const PartSource *sources, T *packed) const;
    template <class T> void ReadGate(const Panels &panels, const Part &part, size_t slot, float *matrix) const;

    Part parts_[kMaxParts];
    size_t gate_count_ = 0;
    size_t depth_ = 0; /* columns x gates of all parts */
    size_t lanes_ = 0;
    bool half_ = false;
    Fetch fetch_ = Fetch::kNothing;
    AlignedArray<unsigned char> data_;
};

/* One float per output and gate: for each vector its gates. Absent ones are zero. */
class PackedVector {
  public:
    /* `half`: the values are rounded to float16, and kept as floats. False when memory runs out. */
    bool Pack(const Panels &panels, const float *const gates[kMaxGates], bool half);
    const float *Slice(size_t first) const { return values_.get() + first * kMaxGates * lanes_; }
    /* Reads a gate's values back. */
    void Unpack(const Panels &panels, size_t gate, float *values) const;

  private:
    size_t lanes_ = 0;
    AlignedArray<float> values_;
};

/* One float per output, zero where padded; all zero for NULL. Null when memory runs out. */
AlignedArray<float> PaddedCopy(const float *values, const Panels &panels);

} // namespace pymps::engine

#endif
