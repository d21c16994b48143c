/* Products of bytes: every size near the limits of vectors and tiles, every byte, and what is no number. */
#include <limits>

#include "engine_recurrent_test.h"

namespace {

using test::Bytes;
using test::Floats;

constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNaN = std::numeric_limits<float>::quiet_NaN();

enum Part { kInput, kRecurrent };

/* What the bytes make of rows of `columns` numbers, by a single gate that is their sum alone. */
Floats Products(const Bytes &bytes, size_t columns, Part part, Floats rows) {
    const size_t outputs = bytes.minima.size(), row_count = rows.size() / columns;
    pymps_engine_single_gate description = {part == kInput ? columns : 1, outputs, false, false, {}, {}, {}};
    (part == kInput ? description.gate.input_bytes : description.gate.recurrent_bytes) = bytes.Describe();
    pymps_engine_layer *layer = pymps_engine_single_gate_create(&description);
    if (!test::Check(layer != nullptr, "create"))
        return {};
    Floats nothing(row_count), y(row_count * outputs), h1(row_count * outputs);
    const pymps_engine_state h0 = {rows.data(), nullptr, columns}, state = {h1.data(), nullptr, outputs};
    const pymps_engine_matrix x =
        part == kInput ? pymps_engine_matrix{rows.data(), row_count, columns * sizeof(float), PYMPS_ENGINE_FLOAT32}
                       : pymps_engine_matrix{nothing.data(), row_count, sizeof(float), PYMPS_ENGINE_FLOAT32};
    const pymps_engine_matrix out = {y.data(), row_count, outputs * sizeof(float), PYMPS_ENGINE_FLOAT32};
    const pymps_engine_sequence sequence = {1, &x, &out, part == kInput ? nullptr : &h0, &state, 1, false, 0, 0};
    const std::unique_ptr<void, test::FreeAligned> workspace(
        ::operator new(pymps_engine_workspace_bytes(layer, 1, row_count), std::align_val_t(64)));
    pymps_engine_layer_run(layer, &sequence, workspace.get(), nullptr);
    pymps_engine_layer_destroy(layer);
    return y;
}

/* The tolerance is that of a random walk, of the norm of the weights times the largest number that they multiply; and
 * float32's, where long sums do not cancel. */
void CheckProducts(const Bytes &bytes, size_t columns, Part part, const Floats &rows) {
    const size_t outputs = bytes.minima.size();
    const Floats y = Products(bytes, columns, part, rows);
    for (size_t i = 0; i < y.size(); ++i) {
        const float *row = rows.data() + i / outputs * columns;
        double expected = 0, magnitude = 0, squares = 0, largest = 0;
        for (size_t k = 0; k < columns; ++k) {
            const double weight = bytes.At(i % outputs, k);
            expected += weight * row[k];
            magnitude += (std::fabs(bytes.minima[i % outputs]) + 255 * std::fabs(bytes.steps[i % outputs])) *
                         std::fabs(double(row[k]));
            squares += weight * weight;
            largest = std::max(largest, std::fabs(double(row[k])));
        }
        const double error = std::fabs(y[i] - expected);
        if (!test::Check(error <= test::kByteTolerance * std::sqrt(squares) * largest + 1e-6 * magnitude,
                         "part %d, %zu to %zu, row %zu: %g, expected %g", part, columns, outputs, i / outputs,
                         double(y[i]), expected))
            return;
    }
}

void TestSizes() {
    const size_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 130};
    for (const size_t outputs : sizes) {
        for (const size_t rows : {1, 2, 7, 33})
            CheckProducts(Bytes(outputs, outputs, 1), outputs, kRecurrent, test::Random(rows * outputs, 1));
        for (const size_t columns : sizes)
            CheckProducts(Bytes(outputs, columns, 1), columns, kInput, test::Random(columns, 1));
    }
}

/* Rows of very different sizes side by side, of which none may take accuracy from another; and rows of zeros. */
void TestScales() {
    constexpr size_t kColumns = 37, kOutputs = 19;
    Floats rows = test::Random(6 * kColumns, 1);
    const float scales[] = {1e-30f, 1, 1e30f, 0, 1e-5f, 1e5f};
    for (size_t i = 0; i < rows.size(); ++i)
        rows[i] *= scales[i / kColumns];
    CheckProducts(Bytes(kOutputs, kColumns, 1), kColumns, kInput, rows);
}

/* Every byte with itself, in weights that lie far from zero, backwards, or at one place. */
void TestEveryByte() {
    Bytes bytes(4, 256, 1);
    for (size_t i = 0; i < bytes.values.size(); ++i)
        bytes.values[i] = static_cast<uint8_t>(i);
    bytes.minima = {-1, 1000, 0.5f, -3};
    bytes.steps = {2 / 255.0f, 0.25f, -1 / 255.0f, 0};
    CheckProducts(bytes, 256, kInput, test::Random(256, 1));
    for (const uint8_t extreme : {0, 255}) {
        std::fill(bytes.values.begin(), bytes.values.end(), extreme);
        CheckProducts(bytes, 256, kInput, Floats(256, 1));
        CheckProducts(bytes, 256, kInput, Floats(256, -1));
    }
}

/* Sums that nothing cancels, of so many columns that 32 bits would not hold them by far. */
void TestLongSums() {
    constexpr size_t kOutputs = 3;
    for (const size_t columns : {600, 32768, 32769, 150000}) {
        Bytes bytes(kOutputs, columns, 1);
        for (const uint8_t extreme : {0, 255}) {
            std::fill(bytes.values.begin(), bytes.values.end(), extreme);
            for (const float number : {1.0f, -1.0f})
                CheckProducts(bytes, columns, kInput, Floats(columns, number));
        }
    }
}

/* NaN makes all of its row NaN, infinity nothing finite; whichever column it is in, and no matter how large the others
 * of the row are. Other rows are as they were. */
void TestNoNumbers() {
    constexpr size_t kOutputs = 21, kRows = 3;
    for (const size_t columns : {1, 16, 21, 67}) {
        const Bytes bytes(kOutputs, columns, 1);
        const Floats rows = test::Random(kRows * columns, 1), usual = Products(bytes, columns, kInput, rows);
        for (const float odd : {kNaN, -kNaN, kInfinity, -kInfinity}) {
            for (size_t column = 0; column < columns; ++column) {
                Floats changed = rows;
                changed[columns + column] = odd;
                const Floats y = Products(bytes, columns, kInput, changed);
                for (size_t i = 0; i < y.size(); ++i) {
                    const bool holds = i / kOutputs != 1 ? y[i] == usual[i]
                                       : std::isnan(odd) ? std::isnan(y[i])
                                                         : !std::isfinite(y[i]);
                    if (!test::Check(holds, "%g in column %zu of %zu: output %zu is %g", double(odd), column, columns,
                                     i, double(y[i])))
                        return;
                }
            }
        }
    }
}

} // namespace

int main() {
    test::ForEachTarget([] {
        TestSizes();
        TestScales();
        TestEveryByte();
        TestLongSums();
        TestNoNumbers();
    });
    return test::Report();
}
