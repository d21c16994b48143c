/* IEEE 754 binary16 without hardware: for packing, and for targets that cannot convert. */
#ifndef PYMPS_ENGINE_HALF_H
#define PYMPS_ENGINE_HALF_H

#include <cstdint>
#include <cstring>

namespace pymps::engine {

/* Rounds to nearest, ties to even; overflows to infinity; keeps NaN. */
inline uint16_t HalfFromFloat(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    const uint32_t sign = (bits >> 16) & 0x8000u;
    bits &= 0x7FFFFFFFu;
    if (bits > 0x7F800000u) // NaN: keep the top of its payload, and make it quiet
        return static_cast<uint16_t>(sign | 0x7E00u | ((bits >> 13) & 0x3FFu));
    if (bits >= 0x47800000u) // 65536 and more
        return static_cast<uint16_t>(sign | 0x7C00u);
    if (bits < 0x38800000u) {
        // Below 2^-14: adding 0.5 puts the unit of the subnormal halves (2^-24) at the last bit, and rounds.
        float magnitude;
        std::memcpy(&magnitude, &bits, sizeof(bits));
        magnitude += 0.5f;
        std::memcpy(&bits, &magnitude, sizeof(bits));
        return static_cast<uint16_t>(sign | (bits - 0x3F000000u));
    }
    const uint32_t tie_to_even = (bits >> 13) & 1u;
    return static_cast<uint16_t>(sign | ((bits - 0x38000000u + 0xFFFu + tie_to_even) >> 13));
}

inline float FloatFromHalf(uint16_t half) {
    const uint32_t sign = (half & 0x8000u) << 16;
    const uint32_t magnitude = half & 0x7FFFu;
    uint32_t bits;
    if (magnitude >= 0x7C00u) {
        bits = (magnitude << 13) + 0x70000000u; // infinity and NaN: the exponent becomes 255
    } else if (magnitude >= 0x0400u) {
        bits = (magnitude << 13) + 0x38000000u;
    } else {
        const float subnormal = static_cast<float>(magnitude) * 0x1p-24f;
        std::memcpy(&bits, &subnormal, sizeof(bits));
    }
    bits |= sign;
    float value;
    std::memcpy(&value, &bits, sizeof(bits));
    return value;
}

} // namespace pymps::engine

#endif
