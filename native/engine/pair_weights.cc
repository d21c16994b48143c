#include "engine/pair_weights.h"

#include "engine/half.h"

namespace pymps::engine {
namespace {

/* What a term multiplies with, for one channel of one line of a window. */
float TermOf(size_t term, double g0, double g1, double g2) {
    const double of_terms[kPairTerms] = {g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2};
    return static_cast<float>(of_terms[term]);
}

/* One term of a matrix with `lines` lines of taps: outputs x (lines x channels). Null when memory runs out. */
AlignedArray<float> NewTerm(size_t term, const float *taps, size_t outputs, const PartSource &source, bool half) {
    const size_t channels = source.columns / source.lines / kPairTaps, lines = outputs * source.lines;
    AlignedArray<float> matrix = AllocateAligned<float>(MultiplySizes(lines, channels));
    const auto round = [half](float tap) { return half ? FloatFromHalf(HalfFromFloat(tap)) : tap; };
    for (size_t line = 0; matrix != nullptr && line < lines; ++line, taps += kPairTaps * channels) {
        for (size_t c = 0; c < channels; ++c)
            matrix[line * channels + c] =
                TermOf(term, round(taps[c]), round(taps[channels + c]), round(taps[2 * channels + c]));
    }
    return matrix;
}

} // namespace

bool PairWeights::Pack(const Panels &panels, bool half, size_t gate_count, const PartSource *sources,
                       size_t source_count) {
    for (size_t term = 0; term < kPairTerms; ++term) {
        PartSource of_term[kMaxParts];
        AlignedArray<float> matrices[kMaxParts][kMaxGates];
        for (size_t part = 0; part < source_count; ++part) {
            of_term[part] = {{}, sources[part].columns / kPairTaps, sources[part].lines};
            for (size_t gate = 0; gate < gate_count; ++gate) {
                const float *const taps = sources[part].gates[gate];
                if (taps == nullptr)
                    continue;
                matrices[part][gate] = NewTerm(term, taps, panels.outputs, sources[part], half);
                if (matrices[part][gate] == nullptr)
                    return false;
                of_term[part].gates[gate] = matrices[part][gate].get();
            }
        }
        if (!terms_[term].Pack(panels, WeightFormat::kFloat, gate_count, of_term, source_count))
            return false;
    }
    return true;
}

} // namespace pymps::engine
