/* The sum of two matrices: how the halves of a bidirectional layer are combined. */
#include "engine/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/sum.cc"
#include "hwy/foreach_target.h"

#include <algorithm>

#include "engine/engine.h"
#include "engine/elements-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

void AddRow(const float *a, const float *b, float *sum, size_t columns) {
    const hn::ScalableTag<float> d;
    size_t i = 0;
    for (; i + hn::Lanes(d) <= columns; i += hn::Lanes(d))
        hn::StoreU(hn::Add(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, sum + i);
    for (; i < columns; ++i)
        sum[i] = a[i] + b[i];
}

/* In pieces that the first-level cache holds. */
void AddRowTo(pymps_engine_type type, const float *a, const float *b, char *sum, size_t columns) {
    constexpr size_t kPiece = 256;
    HWY_ALIGN float piece[kPiece];
    for (size_t i = 0; i < columns; i += kPiece) {
        const size_t count = std::min(columns - i, kPiece);
        AddRow(a + i, b + i, piece, count);
        StoreElements(type, piece, sum + i * ElementBytes(type), count);
    }
}

void SumMatrices(const pymps_engine_matrix &a, const pymps_engine_matrix &b, const pymps_engine_matrix &sum,
                 size_t columns) {
    for (size_t r = 0; r < sum.rows; ++r) {
        const auto row = [r](const pymps_engine_matrix &matrix) {
            return static_cast<void *>(static_cast<char *>(matrix.data) + r * matrix.row_bytes);
        };
        const float *row_a = static_cast<const float *>(row(a)), *row_b = static_cast<const float *>(row(b));
        if (sum.type == PYMPS_ENGINE_FLOAT32)
            AddRow(row_a, row_b, static_cast<float *>(row(sum)), columns);
        else
            AddRowTo(sum.type, row_a, row_b, static_cast<char *>(row(sum)), columns);
    }
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace pymps::engine {
HWY_EXPORT(SumMatrices);
} // namespace pymps::engine

extern "C" void pymps_engine_matrix_sum(const pymps_engine_matrix *a, const pymps_engine_matrix *b,
                                        const pymps_engine_matrix *sum, size_t columns) {
    using namespace pymps::engine;
    HWY_DYNAMIC_DISPATCH(SumMatrices)(*a, *b, *sum, columns);
}

#endif
