// The numbers that a recurrent layer takes from a weight source.
#import "PMPArgument.h"
#import "engine/engine.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

typedef NS_ENUM(NSInteger, PMPWeightsKind) {
    PMPWeightsInput,     // outputs x inputs, with the gate's bias and activation
    PMPWeightsIdentity,  // only the gate's bias and activation
    PMPWeightsRecurrent, // outputs x outputs
    PMPWeightsMemory,    // outputs x outputs
    PMPWeightsDiagonal,  // `outputs` numbers
};

/// The weights of a kind; SIZE_MAX where no size_t is large enough.
size_t PMPWeightsCount(PMPWeightsKind kind, size_t inputs, size_t outputs);

/// Whether the engine takes weights of this kind as bytes, each output channel with its range.
BOOL PMPWeightsMayBeBytes(PMPWeightsKind kind);

/// A copy of what a source hands out between load and purge. UInt8 weights stay bytes where they have ranges and the
/// kind may be bytes; all others become float32.
@interface PMPRecurrentWeights : NSObject {
    PMPWeightsKind _kind;
    size_t _count;
    NSData *_weights; // floats, or bytes where there are ranges
    NSData *_ranges, *_minima, *_steps;
    NSData *_bias, *_channelA;
    pymps_engine_neuron _neuron;
}

/// Loads the source, reads it and purges it. nil where it fails to load; raises where its descriptor does not fit.
- (instancetype)initWithSource:(id<MPSCNNConvolutionDataSource>)source
                          kind:(PMPWeightsKind)kind
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
@property (readonly, nonatomic) size_t count; // of weights

/// Frees the weights, once the engine has packed them. Ranges, bias and neuron stay.
- (void)dropWeights;

@end

/// The activation that `neuron` describes, checked for this many channels. `channel_a` points into its data.
pymps_engine_neuron PMPEngineNeuron(MPSNNNeuronDescriptor *neuron, size_t channels, PMPArgument argument);
