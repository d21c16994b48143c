// Sizes of matrices and vectors, in arithmetic that can't overflow unseen.
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

/// Bytes of an element; 0 for a type that no matrix can have.
size_t PMPElementBytes(MPSDataType dataType);

/// The recommended distance between rows of `count` elements; false where that is no size_t or no element type.
/// One element stands alone; otherwise floats are padded to 16 bytes and integers to 4 elements.
bool PMPRowBytes(size_t count, MPSDataType dataType, size_t *bytes);

/// (count - 1) * stride + last, `count` at least 1; false where that is no size_t.
bool PMPSpan(size_t count, size_t stride, size_t last, size_t *bytes);
