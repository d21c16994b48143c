/* Sums of two matrices in every type that the result may have. */
#include <limits>

#include "engine_image.h"

namespace {

using test::Pixels;

void TestSum(pymps_engine_type type) {
    const size_t rows = 1 + test::Below(5), columns = test::OneOf({1, 3, 16, 33, 300});
    const size_t gap = test::Chance(0.5) ? 0 : test::Below(4);
    Pixels a(rows, columns, PYMPS_ENGINE_FLOAT32, gap, true), b(rows, columns, PYMPS_ENGINE_FLOAT32, 0, false);
    Pixels sum(rows, columns, type, gap, true);
    test::Doubles expected;
    for (size_t i = 0; i < rows * columns; ++i) {
        const test::Floats terms = test::Random(2, 0.7);
        a.Set(i / columns, i % columns, terms[0]);
        b.Set(i / columns, i % columns, terms[1]);
        expected.push_back(terms[0] + terms[1]);
    }
    const pymps_engine_matrix views[] = {a.View(), b.View(), sum.View()};
    pymps_engine_matrix_sum(&views[0], &views[1], &views[2], columns);
    test::Check(sum.Holds(expected) && sum.GapsUntouched(), "type %d, %zu x %zu: another sum", type, rows, columns);
}

// What lies beyond the range of integers, and between two of them.
void TestLimits() {
    const float infinity = std::numeric_limits<float>::infinity();
    const float values[] = {-infinity, -1, -0.0f, 0, 0.4f / 255, 0.6f / 255, 1, 1.5f, 3e38f, infinity, std::nanf("")};
    const uint8_t bytes[] = {0, 0, 0, 0, 0, 1, 255, 255, 255, 255, 0};
    constexpr size_t kCount = sizeof(bytes);
    for (size_t i = 0; i < kCount; ++i) {
        const test::Floats a(40, values[i]), zeros(40);
        uint8_t sum[40];
        const pymps_engine_matrix views[] = {{const_cast<float *>(a.data()), 1, 160, PYMPS_ENGINE_FLOAT32},
                                             {const_cast<float *>(zeros.data()), 1, 160, PYMPS_ENGINE_FLOAT32},
                                             {sum, 1, 40, PYMPS_ENGINE_UNORM8}};
        pymps_engine_matrix_sum(&views[0], &views[1], &views[2], 40);
        for (const uint8_t byte : sum)
            test::Check(byte == bytes[i], "%g became %d, not %d", double(values[i]), byte, bytes[i]);
    }
}

} // namespace

int main() {
    test::ForEachTarget([] {
        test::random_bits.seed(7);
        for (int i = 0; i < 200; ++i)
            TestSum(static_cast<pymps_engine_type>(i % 4));
        TestLimits();
    });
    return test::Report();
}
