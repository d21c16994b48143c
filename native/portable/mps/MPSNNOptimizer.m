#import "PMPArchive.h"
#import "PMPOptimizer.h"

static void check_regularization(MPSNNRegularizationType type, PMPArgument argument) {
    if (type > MPSNNRegularizationTypeL2) {
        PMPRaiseInvalid(argument, @"%lu, expected one of MPSNNRegularizationType's", (unsigned long)type);
    }
}

@implementation MPSNNOptimizer

@synthesize learningRate = _learningRate, gradientRescale = _gradientRescale;
@synthesize applyGradientClipping = _applyGradientClipping;
@synthesize gradientClipMax = _gradientClipMax, gradientClipMin = _gradientClipMin;
@synthesize regularizationScale = _regularizationScale, regularizationType = _regularizationType;

- (instancetype)initWithDevice:(id<MTLDevice>)device {
    (void)device;
    [self autorelease];
    PMPInvalidArgument(@"receiver: an optimizer is made from a learning rate or a descriptor");
}

- (instancetype)initWithDevice:(id<MTLDevice>)device
           optimizerDescriptor:(MPSNNOptimizerDescriptor *)optimizerDescriptor
                      selector:(SEL)selector {
    self = [[super initWithDevice:device] autorelease]; // a violation leaves nothing behind
    if (optimizerDescriptor == nil) {
        PMPRaiseInvalidArgument(self, selector, @"optimizerDescriptor: nil, expected a descriptor");
    }
    check_regularization(optimizerDescriptor.regularizationType,
                         (PMPArgument){self, selector, @"optimizerDescriptor.regularizationType"});
    if (self == nil) {
        return nil;
    }
    _learningRate = optimizerDescriptor.learningRate;
    _gradientRescale = optimizerDescriptor.gradientRescale;
    _applyGradientClipping = optimizerDescriptor.applyGradientClipping;
    _gradientClipMax = optimizerDescriptor.gradientClipMax;
    _gradientClipMin = optimizerDescriptor.gradientClipMin;
    _regularizationType = optimizerDescriptor.regularizationType;
    _regularizationScale = optimizerDescriptor.regularizationScale;
    return [self retain];
}

- (void)setLearningRate:(float)newLearningRate {
    _learningRate = newLearningRate;
}

- (NSArray<NSString *> *)numberNames {
    return @[
        @"learningRate", @"gradientRescale", @"gradientClipMax", @"gradientClipMin", @"regularizationScale",
        @"regularizationType"
    ];
}

- (NSArray<NSString *> *)flagNames {
    return @[ @"applyGradientClipping" ];
}

- (NSArray<NSString *> *)propertyNames {
    return [[self numberNames] arrayByAddingObjectsFromArray:[self flagNames]];
}

- (instancetype)copyWithZone:(nullable NSZone *)zone device:(nullable id<MTLDevice>)device {
    MPSNNOptimizer *copy = [[self class] allocWithZone:zone];
    return [copy initWithDevice:device != nil ? device : _device copyOf:self];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device copyOf:(MPSNNOptimizer *)other {
    self = [super initWithDevice:device];
    self.options = other.options;
    self.label = other.label;
    for (NSString *name in [other propertyNames]) {
        [self setValue:[other valueForKey:name] forKey:name];
    }
    return self;
}

- (void)encodeWithCoder:(NSCoder *)aCoder {
    [super encodeWithCoder:aCoder];
    NSMutableDictionary *numbers = [NSMutableDictionary dictionary];
    for (NSString *name in [self propertyNames]) {
        [numbers setObject:PMPArchivedNumber([self valueForKey:name]) forKey:name];
    }
    PMPArchiveWrite(aCoder, @"optimizer", numbers);
}

- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device {
    self = [[super initWithCoder:aDecoder device:device] autorelease];
    NSDictionary *archive = self != nil ? PMPArchiveRead(aDecoder, @"optimizer") : nil;
    if (archive == nil) {
        return nil;
    }
    const PMPArgument argument = {self, _cmd, @"optimizer"};
    @try {
        for (NSString *name in [self numberNames]) {
            NSNumber *number = PMPPropertyListValue(archive, name, [NSNumber class], argument);
            [self setValue:PMPUnarchivedNumber(number, [self valueForKey:name]) forKey:name];
        }
        for (NSString *name in [self flagNames]) {
            [self setValue:PMPPropertyListFlag(archive, name, argument) forKey:name];
        }
        check_regularization(_regularizationType, PMPArgumentPart(argument, @"regularizationType"));
    } @catch (NSException *exception) {
        PMPArchiveFail(aDecoder, exception.reason);
        return nil;
    }
    return [self retain];
}

- (pymps_engine_optimizer)engineOptimizer {
    return (pymps_engine_optimizer){
        .learning_rate = _learningRate,
        .clips = _applyGradientClipping,
        .clip_min = _gradientClipMin,
        .clip_max = _gradientClipMax,
        .rescale = _gradientRescale,
        .constant = _regularizationType == MPSNNRegularizationTypeL1 ? _regularizationScale : 0,
        .portion = _regularizationType == MPSNNRegularizationTypeL2 ? _regularizationScale : 0,
    };
}

typedef struct PMPUpdateRecord {
    pymps_engine_optimizer optimizer;
    pymps_engine_update update;
    bool is_complete; // set last: a record that was given up half-way runs nothing
} PMPUpdateRecord;

static void execute(void *record, void *workspace) {
    const PMPUpdateRecord *update = record;
    (void)workspace;
    if (update->is_complete) {
        pymps_engine_optimize(&update->optimizer, &update->update);
    }
}

- (void)encodeUpdate:(const pymps_engine_optimizer *)optimizer
            operands:(const PMPOptimizerOperands *)operands
            encoding:(PMPEncoding)encoding {
    if ((_options & MPSKernelOptionsSkipAPIValidation) == 0) {
        PMPOptimizerCheck(operands, _device, encoding);
    }
    PMPCommandBuffer *commandBuffer = encoding.commandBuffer;
    PMPUpdateRecord *record = [commandBuffer encodeCommand:execute recordBytes:sizeof *record workspaceBytes:0];
    record->optimizer = *optimizer;
    record->update.columns = operands->values.columns;
    record->update.gradient = PMPOperandEncode(&operands->gradient, commandBuffer);
    record->update.values = PMPOperandEncode(&operands->values, commandBuffer);
    record->update.result = PMPOperandEncode(&operands->result, commandBuffer);
    for (size_t i = 0; i < PYMPS_ENGINE_MOST_OPTIMIZER_STATES; i++) {
        record->update.states[i] = PMPOperandEncode(&operands->states[i], commandBuffer);
    }
    const PMPOperand *const read[] = {&operands->gradient, &operands->values, &operands->states[0],
                                      &operands->states[1], &operands->states[2]};
    PMPOperandsDidRead(read, sizeof read / sizeof read[0]);
    record->is_complete = true;
}

@end
