// The numbers that a recurrent layer takes from a weight source.
#import "PMPArgument.h"
#import "engine/engine.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

/// What a layer runs over.
typedef NS_ENUM(NSInteger, PMPRecurrentForm) {
    PMPRecurrentFormMatrices,  // products are those of matrices
    PMPRecurrentFormImages,    // products are convolutions, and all weights are rounded to float16
    PMPRecurrentFormTraining,  // as of matrices, with weights that each call is told
    PMPRecurrentFormGradients, // of states alone: those of a training layer's gradient passes
};

typedef NS_ENUM(NSInteger, PMPWeightsKind) {
    PMPWeightsInput,     // outputs x taps x inputs, with the gate's bias and activation
    PMPWeightsIdentity,  // only the gate's bias and activation
    PMPWeightsRecurrent, // outputs x taps x outputs
    PMPWeightsMemory,    // outputs x taps x outputs
    PMPWeightsDiagonal,  // `outputs` numbers
};

/// The taps of a kernel: 1 x 1 in matrix layers. Its own pixel is the one in column width / 2 of row height / 2, so
/// that of two kernels the one that is as wide and as high covers the other.
typedef struct PMPKernelSize {
    size_t width, height;
} PMPKernelSize;

static const PMPKernelSize kPMPOneTap = {1, 1};

/// The weights of a kind; SIZE_MAX where no size_t is large enough.
size_t PMPWeightsCount(PMPWeightsKind kind, size_t inputs, size_t outputs, PMPKernelSize kernel);

/// Whether the engine takes weights of this kind as bytes, each output channel with its range.
BOOL PMPWeightsMayBeBytes(PMPWeightsKind kind);

/// A copy of what a source hands out between load and purge. In matrix layers UInt8 weights stay bytes where they have
/// ranges and the kind may be bytes; all others become float32. In training layers no bias is one of zeros.
@interface PMPRecurrentWeights : NSObject {
    PMPWeightsKind _kind;
    PMPRecurrentForm _form;
    PMPKernelSize _kernel;
    size_t _outputs, _count;
    NSData *_weights; // floats, or bytes where there are ranges
    NSData *_ranges, *_minima, *_steps;
    NSData *_bias, *_channelA;
    pymps_engine_neuron _neuron;
}

/// Loads the source, reads it and purges it. nil where it fails to load; raises where its descriptor does not fit.
- (instancetype)initWithSource:(id<MPSCNNConvolutionDataSource>)source
                          kind:(PMPWeightsKind)kind
                          form:(PMPRecurrentForm)form
                        inputs:(size_t)inputs
                       outputs:(size_t)outputs
                      argument:(PMPArgument)argument;

// These live as long as the receiver; NULL where the kind has none.
- (const float *)weights;
- (pymps_engine_bytes)byteWeights;
- (const float *)bias;
- (pymps_engine_neuron)neuron;

// The same as objects; nil where there is none.
@property (readonly, nonatomic) NSData *biasData;
@property (readonly, nonatomic) NSData *ranges; // of bytes: a minimum and a maximum for each output
@property (readonly, nonatomic) NSData *slopes; // of a PReLU

@property (readonly, nonatomic) PMPWeightsKind kind;
@property (readonly, nonatomic) PMPKernelSize kernel;
@property (readonly, nonatomic) size_t count; // of weights

/// Gives the weights a kernel that covers theirs, with zeros where they have none. They are no bytes.
- (void)growKernel:(PMPKernelSize)kernel argument:(PMPArgument)argument;

/// Frees the weights, once the engine has packed them. Ranges, bias and neuron stay.
- (void)dropWeights;

@end

/// The activation that `neuron` describes, checked for this many channels. `channel_a` points into its data.
pymps_engine_neuron PMPEngineNeuron(MPSNNNeuronDescriptor *neuron, size_t channels, PMPArgument argument);
