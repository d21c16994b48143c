#import "PMPRecurrentRecipe.h"
#import "PMPArchivedWeights.h"

// Numbers for each output prove the size of a cell. Beyond that, one without any would take memory at a word.
enum { kMostUnprovenOutputs = 1 << 16 };

static NSArray<NSString *> *flag_names(const PMPRecurrentKind *kind) {
    return [NSArray arrayWithObjects:@"useLayerInputUnitTransformMode", @"useFloat32Weights", kind->flag, nil];
}

static NSArray<NSString *> *number_names(const PMPRecurrentKind *kind) {
    NSMutableArray *names = [NSMutableArray
        arrayWithObjects:@"inputFeatureChannels", @"outputFeatureChannels", @"layerSequenceDirection", nil];
    for (size_t i = 0; i < kPMPMaxNumbers && kind->numbers[i] != nil; i++) {
        [names addObject:kind->numbers[i]];
    }
    return names;
}

static PMPWeightsKind weights_kind(MPSRNNDescriptor *descriptor, size_t part) {
    switch (part) {
    case kPMPInputPart:
        return descriptor.useLayerInputUnitTransformMode ? PMPWeightsIdentity : PMPWeightsInput;
    case kPMPRecurrentPart:
        return PMPWeightsRecurrent;
    default:
        return [descriptor memoryWeightsKind];
    }
}

@implementation PMPRecurrentRecipe

- (instancetype)initWithDescriptor:(MPSRNNDescriptor *)descriptor
                              form:(PMPRecurrentForm)form
                          argument:(PMPArgument)argument {
    self = [[super init] autorelease]; // a violation leaves nothing behind
    _kind = [descriptor kind];
    _weightsAreHalf = form == PMPRecurrentFormImages || !descriptor.useFloat32Weights;
    _numbers = [[NSMutableDictionary alloc] init];
    for (NSString *name in [number_names(_kind) arrayByAddingObjectsFromArray:flag_names(_kind)]) {
        [_numbers setObject:PMPArchivedNumber([descriptor valueForKey:name]) forKey:name];
    }
    for (size_t gate = 0; gate < _kind->gateCount; gate++) {
        for (size_t part = 0; part < kPMPPartCount; part++) {
            if (![self loadGate:gate part:part of:descriptor form:form argument:argument]) {
                return nil;
            }
        }
    }
    for (size_t part = 0; part < kPMPPartCount; part++) {
        [self growKernelsOfPart:part argument:argument];
    }
    return [self retain];
}

/// NO where the source fails to load.
- (BOOL)loadGate:(size_t)gate
            part:(size_t)part
              of:(MPSRNNDescriptor *)descriptor
            form:(PMPRecurrentForm)form
        argument:(PMPArgument)argument {
    NSString *name = _kind->weights[gate][part];
    id<MPSCNNConvolutionDataSource> source = name != nil ? [descriptor valueForKey:name] : nil;
    if (source == nil) {
        return YES;
    }
    _weights[gate][part] = [[PMPRecurrentWeights alloc] initWithSource:source
                                                                  kind:weights_kind(descriptor, part)
                                                                  form:form
                                                                inputs:descriptor.inputFeatureChannels
                                                               outputs:descriptor.outputFeatureChannels
                                                              argument:PMPArgumentPart(argument, name)];
    return _weights[gate][part] != nil;
}

/// The engine has one kernel for all gates.
- (void)growKernelsOfPart:(size_t)part argument:(PMPArgument)argument {
    PMPKernelSize kernel = kPMPOneTap;
    for (size_t gate = 0; gate < _kind->gateCount; gate++) {
        PMPRecurrentWeights *weights = _weights[gate][part];
        if (weights != nil) {
            kernel.width = MAX(kernel.width, weights.kernel.width);
            kernel.height = MAX(kernel.height, weights.kernel.height);
        }
    }
    for (size_t gate = 0; gate < _kind->gateCount; gate++) {
        [_weights[gate][part] growKernel:kernel argument:PMPArgumentPart(argument, _kind->weights[gate][part])];
    }
    _kernels[part] = kernel;
}

- (void)dealloc {
    for (size_t i = 0; i < kPMPMaxGates * kPMPPartCount; i++) {
        [_weights[i / kPMPPartCount][i % kPMPPartCount] release];
    }
    [_numbers release];
    [super dealloc];
}

- (PMPRecurrentGates)gates {
    PMPRecurrentGates all = {.weightsAreHalf = _weightsAreHalf};
    for (size_t part = 0; part < kPMPPartCount; part++) {
        PMPKernelSize kernel = _kernels[part];
        all.windows[part] = (pymps_engine_window){kernel.width, kernel.height, kernel.width / 2, kernel.height / 2};
    }
    for (size_t gate = 0; gate < kPMPMaxGates; gate++) {
        PMPRecurrentWeights **parts = _weights[gate];
        all.gates[gate] = (pymps_engine_gate){.input_weights = [parts[kPMPInputPart] weights],
                                              .recurrent_weights = [parts[kPMPRecurrentPart] weights],
                                              .memory_weights = [parts[kPMPMemoryPart] weights],
                                              .bias = [parts[kPMPInputPart] bias]};
        if (parts[kPMPInputPart] != nil) {
            all.gates[gate].neuron = [parts[kPMPInputPart] neuron]; // else the identity
            all.gates[gate].input_bytes = [parts[kPMPInputPart] byteWeights];
        }
        if (parts[kPMPRecurrentPart] != nil) {
            all.gates[gate].recurrent_bytes = [parts[kPMPRecurrentPart] byteWeights];
        }
    }
    return all;
}

- (void)dropWeights {
    for (size_t i = 0; i < kPMPMaxGates * kPMPPartCount; i++) {
        [_weights[i / kPMPPartCount][i % kPMPPartCount] dropWeights];
    }
}

// Archives: a dictionary of the kind's name, the numbers, and the weights, all under the names of the properties

/// The weights that were dropped, floats or bytes. nil where they are without effect.
static NSData *packed_weights(PMPRecurrentWeights *weights, const pymps_engine_layer *layer, size_t gate, size_t part) {
    BOOL areBytes = weights.ranges != nil;
    NSMutableData *values = [NSMutableData dataWithLength:weights.count * (areBytes ? 1 : sizeof(float))];
    if (weights.kind == PMPWeightsIdentity || layer == NULL) {
        return values;
    }
    if (!areBytes) {
        return pymps_engine_layer_read_weights(layer, gate, part, values.mutableBytes) ? values : nil;
    }
    // Of the ranges, which are still there, the engine knows only what follows from them.
    NSMutableData *minima = [NSMutableData dataWithLength:weights.ranges.length / 2];
    NSMutableData *steps = [NSMutableData dataWithLength:weights.ranges.length / 2];
    return pymps_engine_layer_read_bytes(layer, gate, part, values.mutableBytes, minima.mutableBytes,
                                         steps.mutableBytes)
               ? values
               : nil;
}

- (NSDictionary *)propertyListWithWeightsOf:(const pymps_engine_layer *)layer {
    NSMutableDictionary *list = [NSMutableDictionary dictionaryWithDictionary:_numbers];
    [list setObject:_kind->name forKey:@"kind"];
    for (size_t gate = 0; gate < _kind->gateCount; gate++) {
        for (size_t part = 0; part < kPMPPartCount; part++) {
            PMPRecurrentWeights *weights = _weights[gate][part];
            NSData *values = weights != nil ? packed_weights(weights, layer, gate, part) : nil;
            if (values != nil) {
                [list setObject:PMPWeightsPropertyList(weights, values) forKey:_kind->weights[gate][part]];
            }
        }
    }
    return list;
}

/// A descriptor of the kind with this name.
static MPSRNNDescriptor *make_descriptor(NSString *name, PMPArgument argument) {
    for (Class class in @[ [MPSRNNSingleGateDescriptor class], [MPSGRUDescriptor class], [MPSLSTMDescriptor class] ]) {
        MPSRNNDescriptor *descriptor = [[[class alloc] init] autorelease];
        if ([[descriptor kind]->name isEqual:name]) {
            return descriptor;
        }
    }
    PMPRaiseInvalid(argument, @"kind %@, expected SingleGate, GRU or LSTM", name);
}

+ (MPSRNNDescriptor *)descriptorWithPropertyList:(id)propertyList argument:(PMPArgument)argument {
    MPSRNNDescriptor *descriptor =
        make_descriptor(PMPPropertyListValue(propertyList, @"kind", [NSString class], argument), argument);
    const PMPRecurrentKind *kind = [descriptor kind];
    for (NSString *name in number_names(kind)) {
        NSNumber *number = PMPPropertyListValue(propertyList, name, [NSNumber class], argument);
        [descriptor setValue:PMPUnarchivedNumber(number, [descriptor valueForKey:name]) forKey:name];
    }
    for (NSString *name in flag_names(kind)) {
        NSNumber *flag = PMPPropertyListValue(propertyList, name, [NSNumber class], argument);
        [descriptor setValue:@(flag.intValue != 0) forKey:name];
    }
    size_t inputs = descriptor.inputFeatureChannels, outputs = descriptor.outputFeatureChannels;
    BOOL hasNumbers = NO;
    for (size_t i = 0; i < kind->gateCount * kPMPPartCount; i++) {
        size_t part = i % kPMPPartCount;
        NSString *name = kind->weights[i / kPMPPartCount][part];
        id list = name != nil ? [propertyList objectForKey:name] : nil;
        if (list != nil) {
            PMPArchivedWeights *weights =
                [[[PMPArchivedWeights alloc] initWithPropertyList:list
                                                             kind:weights_kind(descriptor, part)
                                                           inputs:inputs
                                                          outputs:outputs
                                                         argument:PMPArgumentPart(argument, name)] autorelease];
            [descriptor setValue:weights forKey:name];
            hasNumbers |= weights.hasNumbers;
        }
    }
    if (!hasNumbers && outputs > kMostUnprovenOutputs) {
        PMPRaiseInvalid(argument, @"%zu output feature channels without weights", outputs);
    }
    return descriptor;
}

+ (NSArray<MPSRNNDescriptor *> *)descriptorsWithPropertyList:(id)propertyList argument:(PMPArgument)argument {
    if (![propertyList isKindOfClass:[NSArray class]]) {
        PMPRaiseInvalid(argument, @"%@, expected an array", [propertyList class]);
    }
    NSMutableArray<MPSRNNDescriptor *> *descriptors = [NSMutableArray array];
    for (id cell in propertyList) {
        [descriptors addObject:[self descriptorWithPropertyList:cell argument:argument]];
    }
    return descriptors;
}

@end
