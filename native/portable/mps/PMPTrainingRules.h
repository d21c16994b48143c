// The rules of a training layer's passes; they raise.
#import "PMPTrainingState.h"

/// What a pass is told beside its training states.
typedef struct PMPTrainingArguments {
    PMPSequence sources, y, dx; // y: destinations or, of a gradient pass, source gradients
    PMPSequence weights, weightGradients;
    BOOL wantsDx, wantsWeightGradients; // else these have no matrices
    MPSState *state;
} PMPTrainingArguments;

void PMPTrainingCheckForward(PMPTrainingCell *cell, const PMPTrainingArguments *arguments, id<MTLDevice> device,
                             PMPEncoding encoding);
void PMPTrainingCheckGradient(PMPTrainingCell *cell, const PMPTrainingArguments *arguments, id<MTLDevice> device,
                              PMPEncoding encoding);
