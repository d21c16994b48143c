/* A step of RTNeural's LSTM whose sizes are known to the compiler, for bench/peers/rtneural.py. Built where a checkout
 * is at hand, as its users build it. */
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include <RTNeural/RTNeural.h>

namespace {

using Rows = std::vector<std::vector<float>>;

struct Lstm {
    virtual ~Lstm() = default;
    virtual void SetWeights(const Rows &w, const Rows &u, const std::vector<float> &b) = 0;
    virtual void Reset() = 0;
    virtual double Time(size_t steps) = 0;
    virtual const float *Output() const = 0;

    float *input = nullptr;
};

template <int kInputs, int kOutputs> class Sized final : public Lstm {
  public:
    Sized() { input = x_; }

    void SetWeights(const Rows &w, const Rows &u, const std::vector<float> &b) override {
        auto &layer = model_.template get<0>();
        layer.setWVals(w);
        layer.setUVals(u);
        layer.setBVals(b);
    }

    void Reset() override { model_.reset(); }

    double Time(size_t steps) override {
        using Clock = std::chrono::steady_clock;
        const Clock::time_point start = Clock::now();
        for (size_t step = 0; step < steps; ++step)
            model_.forward(x_);
        return std::chrono::duration<double>(Clock::now() - start).count();
    }

    const float *Output() const override { return model_.getOutputs(); }

  private:
    alignas(64) float x_[kInputs] = {};
    RTNeural::ModelT<float, kInputs, kOutputs, RTNeural::LSTMLayerT<float, kInputs, kOutputs>> model_;
};

/* The rows of a transposed matrix: RTNeural has the inputs outside. */
Rows Transposed(const float *matrix, size_t rows, size_t columns) {
    Rows result(columns, std::vector<float>(rows));
    for (size_t row = 0; row < rows; ++row) {
        for (size_t column = 0; column < columns; ++column)
            result[column][row] = matrix[row * columns + column];
    }
    return result;
}

std::unique_ptr<Lstm> New(size_t inputs, size_t outputs) {
    const auto is = [=](size_t i, size_t o) { return inputs == i && outputs == o; };
    if (is(16, 16))
        return std::make_unique<Sized<16, 16>>();
    if (is(64, 64))
        return std::make_unique<Sized<64, 64>>();
    if (is(64, 128))
        return std::make_unique<Sized<64, 128>>();
    if (is(128, 256))
        return std::make_unique<Sized<128, 256>>();
    if (is(256, 512))
        return std::make_unique<Sized<256, 512>>();
    if (is(512, 1024))
        return std::make_unique<Sized<512, 1024>>();
    return nullptr;
}

} // namespace

/* w: (4 outputs, inputs), u: (4 outputs, outputs), b: (4 outputs), the gates in the order i, f, c, o. NULL: no such
 * size. */
extern "C" void *bench_rtneural_create(size_t inputs, size_t outputs, const float *x, const float *w, const float *u,
                                       const float *b) {
    std::unique_ptr<Lstm> lstm = New(inputs, outputs);
    if (lstm == nullptr)
        return nullptr;
    lstm->SetWeights(Transposed(w, 4 * outputs, inputs), Transposed(u, 4 * outputs, outputs),
                     std::vector<float>(b, b + 4 * outputs));
    std::copy(x, x + inputs, lstm->input);
    lstm->Reset();
    return lstm.release();
}

extern "C" double bench_rtneural_time(void *lstm, size_t steps) {
    return static_cast<Lstm *>(lstm)->Time(steps);
}

extern "C" const float *bench_rtneural_output(void *lstm) {
    return static_cast<Lstm *>(lstm)->Output();
}

extern "C" void bench_rtneural_reset(void *lstm) {
    static_cast<Lstm *>(lstm)->Reset();
}

extern "C" void bench_rtneural_release(void *lstm) {
    delete static_cast<Lstm *>(lstm);
}
