// The rules of a training layer's passes; they raise.
#import "PMPTrainingState.h"

/// What a pass is told beside its training states. Not all of it is there in each pass: lists without matrices are not.
typedef struct PMPTrainingArguments {
    PMPSequence sources, y, dx; // y: destinations or, of a gradient pass, source gradients
    PMPSequence weights, weightGradients;
    MPSState *state;
} PMPTrainingArguments;

void PMPTrainingCheckForward(PMPTrainingCell *cell, const PMPTrainingArguments *arguments, id<MTLDevice> device,
                             PMPEncoding encoding);
void PMPTrainingCheckGradient(PMPTrainingCell *cell, const PMPTrainingArguments *arguments, id<MTLDevice> device,
                              PMPEncoding encoding);
