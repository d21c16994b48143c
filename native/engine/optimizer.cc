/* The optimizers' formulas. */
#include "engine/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/optimizer.cc"
#include "hwy/foreach_target.h"

#include <algorithm>

#include "engine/elements-inl.h"
#include "engine/optimizer.h"
#include "engine/packing.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

constexpr size_t kPiece = 256; /* elements, so that the pieces of all matrices stay in the first-level cache */

/* A piece of a row as whole vectors of floats: where it lies, or a copy, filled up with zeros. */
class Piece {
  public:
    Piece(const pymps_engine_matrix &matrix, size_t row, size_t column, size_t count)
        : type_(matrix.type), count_(count) {
        if (matrix.data == nullptr)
            return;
        place_ = static_cast<char *>(matrix.data) + row * matrix.row_bytes + column * ElementBytes(type_);
        is_copy_ = type_ != PYMPS_ENGINE_FLOAT32 || count % hn::MaxLanes(D()) != 0;
        data = is_copy_ ? copy_ : reinterpret_cast<float *>(place_);
    }
    Piece(const Piece &) = delete;

    void Read() {
        if (!is_copy_)
            return;
        LoadElements(type_, place_, copy_, count_);
        std::fill(copy_ + count_, copy_ + RoundUp(count_, hn::MaxLanes(D())), 0.0f);
    }
    void Write() {
        if (is_copy_)
            StoreElements(type_, copy_, place_, count_);
    }

    float *data = nullptr; /* NULL where there is no matrix */

  private:
    pymps_engine_type type_;
    size_t count_;
    char *place_ = nullptr;
    bool is_copy_ = false;
    HWY_ALIGN float copy_[kPiece];
};

/* The gradient as the rules use it. */
HWY_INLINE V Prepare(const pymps_engine_optimizer &o, V g, V v) {
    const D d;
    if (o.clips) // the gradient comes second, so that its NaN stays
        g = hn::Min(hn::Set(d, o.clip_max), hn::Max(hn::Set(d, o.clip_min), g));
    const V added = hn::MulAdd(hn::Set(d, o.portion), v, hn::Set(d, o.constant));
    return hn::MulAdd(g, hn::Set(d, o.rescale), added);
}

/* `rest` old + (1 - rest) fresh. */
HWY_INLINE V Blend(double rest, V old, V fresh) {
    const D d;
    return hn::MulAdd(hn::Set(d, static_cast<float>(rest)), old,
                      hn::Mul(hn::Set(d, static_cast<float>(1 - rest)), fresh));
}

struct Plain { /* SGD without momentum */
    static constexpr size_t kStates = 0;
    HWY_INLINE V operator()(const pymps_engine_optimizer &o, V g, V v, V *) const {
        return hn::NegMulAdd(hn::Set(D(), o.learning_rate), g, v);
    }
};

struct Momentum {
    static constexpr size_t kStates = 1;
    HWY_INLINE V operator()(const pymps_engine_optimizer &o, V g, V v, V *m) const {
        m[0] = hn::MulAdd(hn::Set(D(), o.momentum_scale), m[0], hn::Mul(hn::Set(D(), o.learning_rate), g));
        return hn::Sub(v, m[0]);
    }
};

struct Nesterov {
    static constexpr size_t kStates = 1;
    HWY_INLINE V operator()(const pymps_engine_optimizer &o, V g, V v, V *m) const {
        const V scale = hn::Set(D(), o.momentum_scale);
        m[0] = hn::MulAdd(scale, m[0], g);
        return hn::NegMulAdd(hn::Set(D(), o.learning_rate), hn::MulAdd(scale, m[0], g), v);
    }
};

/* v - lr direction / (sqrt(squares) + epsilon) */
HWY_INLINE V StepAlong(const pymps_engine_optimizer &o, V direction, V squares, V v) {
    const D d;
    const V divisor = hn::Add(hn::Sqrt(squares), hn::Set(d, o.epsilon));
    return hn::Sub(v, hn::Div(hn::Mul(hn::Set(d, o.learning_rate), direction), divisor));
}

struct RmsProp {
    static constexpr size_t kStates = 1;
    HWY_INLINE V operator()(const pymps_engine_optimizer &o, V g, V v, V *s) const {
        s[0] = Blend(o.beta2, s[0], hn::Mul(g, g));
        return StepAlong(o, g, s[0], v);
    }
};

struct Adam {
    static constexpr size_t kStates = 2;
    HWY_INLINE V operator()(const pymps_engine_optimizer &o, V g, V v, V *s) const {
        s[0] = Blend(o.beta1, s[0], g);
        s[1] = Blend(o.beta2, s[1], hn::Mul(g, g));
        return StepAlong(o, s[0], s[1], v);
    }
};

struct AmsGrad {
    static constexpr size_t kStates = 3;
    HWY_INLINE V operator()(const pymps_engine_optimizer &o, V g, V v, V *s) const {
        s[0] = Blend(o.beta1, s[0], g);
        s[1] = Blend(o.beta2, s[1], hn::Mul(g, g));
        s[2] = hn::Max(s[2], s[1]);
        return StepAlong(o, s[0], s[2], v);
    }
};

template <class Rule>
HWY_INLINE void UpdateVector(const pymps_engine_optimizer &o, const Rule &rule, const float *g, const float *v,
                             float *result, float *const *states, size_t i) {
    const D d;
    V s[std::max(Rule::kStates, size_t(1))];
    for (size_t k = 0; k < Rule::kStates; ++k)
        s[k] = hn::LoadU(d, states[k] + i);
    const V value = hn::LoadU(d, v + i);
    hn::StoreU(rule(o, Prepare(o, hn::LoadU(d, g + i), value), value, s), d, result + i);
    for (size_t k = 0; k < Rule::kStates; ++k)
        hn::StoreU(s[k], d, states[k] + i);
}

template <class Rule>
void UpdatePiece(const pymps_engine_optimizer &o, const pymps_engine_update &update, size_t row, size_t column) {
    const size_t count = std::min(update.columns - column, kPiece);
    Piece gradient(update.gradient, row, column, count), values(update.values, row, column, count);
    Piece result(update.result, row, column, count);
    Piece states[] = {{update.states[0], row, column, count},
                      {update.states[1], row, column, count},
                      {update.states[2], row, column, count}};
    gradient.Read();
    values.Read();
    float *s[PYMPS_ENGINE_MOST_OPTIMIZER_STATES];
    for (size_t k = 0; k < Rule::kStates; ++k) {
        states[k].Read();
        s[k] = states[k].data;
    }
    for (size_t i = 0; i < count; i += hn::MaxLanes(D()))
        UpdateVector(o, Rule(), gradient.data, values.data, result.data, s, i);
    result.Write();
    for (size_t k = 0; k < Rule::kStates; ++k)
        states[k].Write();
}

template <class Rule> void Update(const pymps_engine_optimizer &o, const pymps_engine_update &update) {
    for (size_t row = 0; row < update.result.rows; ++row)
        for (size_t column = 0; column < update.columns; column += kPiece)
            UpdatePiece<Rule>(o, update, row, column);
}

void Optimize(const pymps_engine_optimizer &o, const pymps_engine_update &update) {
    switch (o.rule) {
    case PYMPS_ENGINE_SGD:
        if (update.states[0].data == nullptr)
            return Update<Plain>(o, update);
        return o.nesterov ? Update<Nesterov>(o, update) : Update<Momentum>(o, update);
    case PYMPS_ENGINE_RMSPROP:
        return Update<RmsProp>(o, update);
    case PYMPS_ENGINE_ADAM:
        return update.states[2].data == nullptr ? Update<Adam>(o, update) : Update<AmsGrad>(o, update);
    }
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace pymps::engine {
HWY_EXPORT(Optimize);
} // namespace pymps::engine

extern "C" void pymps_engine_optimize(const pymps_engine_optimizer *optimizer, const pymps_engine_update *update) {
    using namespace pymps::engine;
    HWY_DYNAMIC_DISPATCH(Optimize)(*optimizer, *update);
}

#endif
