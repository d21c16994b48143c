/* The weights of windows that are three taps wide, for the sums of two pixels that stand side by side in a line.
 *
 * Winograd's F(2, 3): of the inputs d0 to d3 that the two windows cover in a line, with the taps g0 to g2 there, four
 * products make both sums instead of six.
 *
 *     m0 = g0 (d0 - d2)                    m2 = (g0 - g1 + g2) / 2 (d2 - d1)    left:  m0 + m1 + m2
 *     m1 = (g0 + g1 + g2) / 2 (d1 + d2)    m3 = g2 (d1 - d3)                    right: m1 - m2 - m3
 *
 * All lines and channels of a window are summed before the m are. Each of the m is a product of matrices. A sum takes
 * part in nothing that its own window does not cover. */
#ifndef PYMPS_ENGINE_PAIR_WEIGHTS_H
#define PYMPS_ENGINE_PAIR_WEIGHTS_H

#include "engine/packing.h"

namespace pymps::engine {

inline constexpr size_t kPairTerms = 4; /* the m */
inline constexpr size_t kPairTaps = 3;

class PairWeights {
  public:
    /* Of sources whose windows are three taps wide, as PackedWeights takes them. False when memory runs out. */
    bool Pack(const Panels &panels, bool half, size_t gate_count, const PartSource *sources, size_t source_count);

    const PackedWeights &term(size_t index) const { return terms_[index]; }

  private:
    PackedWeights terms_[kPairTerms];
};

} // namespace pymps::engine

#endif
