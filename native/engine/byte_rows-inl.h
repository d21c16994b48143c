/* Rows of activations as integers, for products with weights that are bytes.
 *
 * A row is a scale times integers of at most kMostQuantized, so that each is off by at most 2^-16 of the largest. Where
 * the row has an infinity or a NaN, the scale is NaN, and so are the products. */
#if defined(PYMPS_ENGINE_BYTE_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef PYMPS_ENGINE_BYTE_ROWS_INL_H
#undef PYMPS_ENGINE_BYTE_ROWS_INL_H
#else
#define PYMPS_ENGINE_BYTE_ROWS_INL_H
#endif

#include <cstring>
#include <utility>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "engine/byte_weights.h"
#include "engine/memory.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pymps::engine {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

inline constexpr float kMostQuantized = 127 * 256; // the high part is then a signed byte, rounded too

/* Whether the machine multiplies four unsigned bytes with four signed ones at once (AVX-512 VNNI). The integers are
 * then split into two signed bytes, high * 256 + low; elsewhere they are 16 bits. */
inline bool HasByteProducts() {
#if HWY_TARGET == HWY_AVX3
    static const bool has = [] {
        unsigned a, b, c = 0, d;
        return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & bit_AVX512VNNI) != 0;
    }();
    return has;
#else
    return false;
#endif
}

/* Whether rows of so many columns are split: sums of 16-bit weights fit an int32 that far. */
inline bool IsSplit(size_t columns) {
    return columns <= ByteWeights::kMostWideColumns && HasByteProducts();
}

/* What stands before the integers of a row. */
struct QuantizedHeader {
    float scale;
    float sum;                 // of the integers
    int32_t high_sum, low_sum; // of their two parts, where they are split
};

/* A row in the engine's scratch memory: the header, then for split rows all high bytes and all low bytes, otherwise 16
 * bits for each column, in which the middle two of each quad have changed places. Zero up to whole vectors. */
class QuantizedRow {
  public:
    QuantizedRow(void *memory, size_t columns)
        : memory_(static_cast<char *>(memory)), padded_(RoundUp(columns, kAlignment)) {}

    QuantizedHeader &header() const { return *reinterpret_cast<QuantizedHeader *>(memory_); }
    int8_t *high() const { return reinterpret_cast<int8_t *>(memory_ + kAlignment); }
    int8_t *low() const { return high() + padded_; }
    int16_t *whole() const { return reinterpret_cast<int16_t *>(memory_ + kAlignment); }

  private:
    char *memory_;
    size_t padded_;
};

/* The bits of the largest magnitude; those of infinity and NaN are larger than a number's. */
HWY_INLINE int32_t LargestMagnitude(const float *row, size_t columns) {
    const hn::ScalableTag<float> d;
    const hn::RebindToSigned<decltype(d)> di;
    auto largest = hn::Zero(di);
    size_t i = 0;
    for (; i + hn::MaxLanes(d) <= columns; i += hn::MaxLanes(d))
        largest = hn::Max(largest, hn::BitCast(di, hn::Abs(hn::LoadU(d, row + i))));
    HWY_ALIGN float rest[hn::MaxLanes(d)] = {};
    std::memcpy(rest, row + i, (columns - i) * sizeof(float));
    largest = hn::Max(largest, hn::BitCast(di, hn::Abs(hn::Load(d, rest))));
    return hn::GetLane(hn::MaxOfLanes(di, largest));
}

/* Writes the integers of a row vector by vector, and sums them. */
template <bool kSplit> class QuantizedWriter {
    using D = hn::ScalableTag<float>;
    using DI = hn::RebindToSigned<D>;

  public:
    explicit QuantizedWriter(const QuantizedRow &row) : row_(row) {}

    HWY_INLINE void Write(hn::Vec<DI> values, size_t at) {
        if constexpr (kSplit) {
            const hn::Rebind<int8_t, DI> d8;
            const auto high = hn::ShiftRight<8>(hn::Add(values, hn::Set(DI(), 128)));
            const auto low = hn::Sub(values, hn::ShiftLeft<8>(high));
            hn::StoreU(hn::DemoteTo(d8, high), d8, row_.high() + at);
            hn::StoreU(hn::DemoteTo(d8, low), d8, row_.low() + at);
            high_sum_ = hn::Add(high_sum_, high);
            low_sum_ = hn::Add(low_sum_, low);
        } else {
            const hn::Rebind<int16_t, DI> d16;
            hn::StoreU(hn::DemoteTo(d16, values), d16, row_.whole() + at);
            sum_ = hn::Add(sum_, hn::ConvertTo(D(), values));
        }
    }

    HWY_INLINE void Finish(float scale, size_t columns) const {
        QuantizedHeader &header = row_.header();
        header.scale = scale;
        if constexpr (kSplit) {
            header.high_sum = hn::GetLane(hn::SumOfLanes(DI(), high_sum_));
            header.low_sum = hn::GetLane(hn::SumOfLanes(DI(), low_sum_));
            header.sum = 256.0f * static_cast<float>(header.high_sum) + static_cast<float>(header.low_sum);
        } else {
            header.sum = hn::GetLane(hn::SumOfLanes(D(), sum_));
            for (size_t quad = 0; quad < columns; quad += kQuad)
                std::swap(row_.whole()[quad + 1], row_.whole()[quad + 2]);
        }
    }

  private:
    const QuantizedRow &row_;
    hn::Vec<DI> high_sum_ = hn::Zero(DI()), low_sum_ = hn::Zero(DI());
    hn::Vec<D> sum_ = hn::Zero(D());
};

template <bool kSplit> HWY_INLINE void QuantizeRowAs(const float *from, size_t columns, const QuantizedRow &to) {
    const hn::ScalableTag<float> d;
    const hn::RebindToSigned<decltype(d)> di;
    constexpr size_t kVector = hn::MaxLanes(d);
    const int32_t bits = LargestMagnitude(from, columns);
    float largest;
    std::memcpy(&largest, &bits, sizeof(largest));
    const bool is_number = bits < 0x7F800000, is_zero = largest < 0x1p-100f; // so small that its inverse is in danger
    const auto inverse = hn::Set(d, !is_number || is_zero ? 0 : kMostQuantized / largest);
    const auto quantized = [&](auto values)
                               HWY_ATTR { return is_number ? hn::NearestInt(hn::Mul(values, inverse)) : hn::Zero(di); };

    QuantizedWriter<kSplit> writer(to);
    size_t i = 0;
    for (; i + kVector <= columns; i += kVector)
        writer.Write(quantized(hn::LoadU(d, from + i)), i);
    for (; i < RoundUp(columns, kAlignment); i += kVector) {
        HWY_ALIGN float rest[kVector] = {};
        if (i < columns)
            std::memcpy(rest, from + i, (columns - i) * sizeof(float));
        writer.Write(quantized(hn::Load(d, rest)), i);
    }
    writer.Finish(!is_number ? largest - largest : is_zero ? 0 : largest / kMostQuantized, columns);
}

inline void QuantizeRow(const float *from, size_t columns, const QuantizedRow &to) {
    if (IsSplit(columns))
        QuantizeRowAs<true>(from, columns, to);
    else
        QuantizeRowAs<false>(from, columns, to);
}

/* Some of them one after the other. */
struct QuantizedRows {
    char *data;
    size_t columns;

    QuantizedRow At(size_t row) const { return QuantizedRow(data + row * QuantizedRowBytes(columns), columns); }
};

} // namespace HWY_NAMESPACE
} // namespace pymps::engine
HWY_AFTER_NAMESPACE();

#endif
