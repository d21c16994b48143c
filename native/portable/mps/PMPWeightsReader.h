// Weights of any type, read as float32, or as bytes with a range for each output channel.
#import "PMPArgument.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

/// The first `count` weights of a loaded source, as floats; `inputChannels` of them belong to each output channel.
NSData *PMPReadWeights(id<MPSCNNConvolutionDataSource> source, size_t count, size_t inputChannels,
                       PMPArgument argument);

/// What the bytes of such a source mean, where each output channel has a range: pairs of floats, the minimum and the
/// maximum. nil where the source has other weights.
NSData *PMPReadRanges(id<MPSCNNConvolutionDataSource> source, size_t outputChannels, PMPArgument argument);

/// The first `count` of these bytes.
NSData *PMPReadBytes(id<MPSCNNConvolutionDataSource> source, size_t count, PMPArgument argument);

/// Memory for weights; raises where no memory can hold them.
NSMutableData *PMPZeroWeights(size_t count, size_t elementBytes, PMPArgument argument);

/// The bytes b of a range stand for minimum + b * step.
float PMPRangeStep(float minimum, float maximum);
