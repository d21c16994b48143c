/* The arithmetic of one step of a GRU beside its products, for some rows of some outputs. */
#if defined(PYMPS_ENGINE_GRU_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_GRU_INL_H
#undef PYMPS_ENGINE_GRU_INL_H
#else
#define PYMPS_ENGINE_GRU_INL_H
#endif

#include <cmath>

#include "engine/math-inl.h"
#include "engine/neuron_value.h"
#include "engine/owned_neuron.h"
#include "engine/tiles-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/* to = a b, element by element. `to` may be a or b. */
inline void Multiply(const Block &block, const Grid &a, const Grid &b, const Grid &to) {
    const hn::ScalableTag<float> d;
    for (size_t r = 0; r < block.rows; ++r) {
        for (size_t v = 0; v < block.vectors; ++v)
            hn::Store(hn::Mul(hn::Load(d, a.At(r, v)), hn::Load(d, b.At(r, v))), d, to.At(r, v));
    }
}

/* complement = (1 - z^p)^(1/p) with z = neuron(sums). All in float64: near z = 1 the slope in z is infinite. */
inline void PnormComplement(const OwnedNeuron &neuron, double p, const Block &block, const Grid &sums,
                            const Grid &complement) {
    const pymps_engine_neuron of_block = neuron.At(block.first * kLanes);
    for (size_t r = 0; r < block.rows; ++r) {
        for (size_t i = 0; i < block.vectors * kLanes; ++i) {
            const double z = NeuronValue(of_block, sums.At(r, 0)[i], i);
            complement.At(r, 0)[i] = static_cast<float>(std::pow(1 - std::pow(z, p), 1 / p));
        }
    }
}

/* complement = 1 - z. */
inline void Complement(const Block &block, const Grid &z, const Grid &complement) {
    const hn::ScalableTag<float> d;
    for (size_t r = 0; r < block.rows; ++r) {
        for (size_t v = 0; v < block.vectors; ++v)
            hn::Store(hn::Sub(hn::Set(d, 1.0f), hn::Load(d, z.At(r, v))), d, complement.At(r, v));
    }
}

/* h1 = complement a + z b. */
inline void Blend(const Block &block, const Grid &complement, const Grid &a, const Grid &z, const Grid &b,
                  const Grid &h1) {
    const hn::ScalableTag<float> d;
    for (size_t r = 0; r < block.rows; ++r) {
        for (size_t v = 0; v < block.vectors; ++v) {
            const auto first = hn::Mul(hn::Load(d, complement.At(r, v)), hn::Load(d, a.At(r, v)));
            hn::Store(hn::MulAdd(hn::Load(d, z.At(r, v)), hn::Load(d, b.At(r, v)), first), d, h1.At(r, v));
        }
    }
}

/* The usual GRU in fewer passes: z = sigmoid(z), r = sigmoid(r) h0. */
inline void UsualGates(const Block &block, const Grid &h0, const Grid &z, const Grid &r_gate) {
    const hn::ScalableTag<float> d;
    for (size_t r = 0; r < block.rows; ++r) {
        for (size_t v = 0; v < block.vectors; ++v) {
            const auto reset = Sigmoid32(d, hn::Load(d, r_gate.At(r, v)));
            hn::Store(Sigmoid32(d, hn::Load(d, z.At(r, v))), d, z.At(r, v));
            hn::Store(hn::Mul(reset, hn::Load(d, h0.At(r, v))), d, r_gate.At(r, v));
        }
    }
}

/* h1 = (1 - z) tanh(h) + z h0. */
inline void UsualBlend(const Block &block, const Grid &h, const Grid &z, const Grid &h0, const Grid &h1) {
    const hn::ScalableTag<float> d;
    for (size_t r = 0; r < block.rows; ++r) {
        for (size_t v = 0; v < block.vectors; ++v) {
            const auto weight = hn::Load(d, z.At(r, v));
            const auto first = hn::Mul(hn::Sub(hn::Set(d, 1.0f), weight), Tanh32(d, hn::Load(d, h.At(r, v))));
            hn::Store(hn::MulAdd(weight, hn::Load(d, h0.At(r, v)), first), d, h1.At(r, v));
        }
    }
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
