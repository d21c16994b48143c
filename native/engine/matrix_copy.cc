/* Copies of matrices, from any type to any. */
#include "engine/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/matrix_copy.cc"
#include "hwy/foreach_target.h"

#include <algorithm>

#include "engine/engine.h"
#include "engine/elements-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

/* In pieces that the first-level cache holds. */
void CopyRow(pymps_engine_type from_type, const char *from, pymps_engine_type to_type, char *to, size_t columns) {
    constexpr size_t kPiece = 256;
    HWY_ALIGN float piece[kPiece];
    for (size_t i = 0; i < columns; i += kPiece) {
        const size_t count = std::min(columns - i, kPiece);
        LoadElements(from_type, from + i * ElementBytes(from_type), piece, count);
        StoreElements(to_type, piece, to + i * ElementBytes(to_type), count);
    }
}

void CopyMatrix(const pymps_engine_matrix &from, const pymps_engine_matrix &to, size_t columns) {
    for (size_t r = 0; r < to.rows; ++r) {
        const char *row_from = static_cast<const char *>(from.data) + r * from.row_bytes;
        char *row_to = static_cast<char *>(to.data) + r * to.row_bytes;
        if (from.type == to.type)
            std::memcpy(row_to, row_from, columns * ElementBytes(to.type));
        else
            CopyRow(from.type, row_from, to.type, row_to, columns);
    }
}

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace pymps::engine {
HWY_EXPORT(CopyMatrix);
} // namespace pymps::engine

extern "C" void pymps_engine_matrix_copy(const pymps_engine_matrix *from, const pymps_engine_matrix *to,
                                         size_t columns) {
    using namespace pymps::engine;
    HWY_DYNAMIC_DISPATCH(CopyMatrix)(*from, *to, columns);
}

#endif
