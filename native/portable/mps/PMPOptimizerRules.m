#import "PMPOptimizer.h"

static bool are_same(const PMPOperand *a, const PMPOperand *b) {
    PMPMemoryRegion regionA = PMPOperandRegion(a), regionB = PMPOperandRegion(b);
    return regionA.start == regionB.start && a->dataType == b->dataType &&
           (a->rows == 1 || regionA.rowBytes == regionB.rowBytes);
}

static void check_apart(const PMPOperand *written, const PMPOperand *other, PMPEncoding encoding) {
    if (PMPMemoryRegionsShare(PMPOperandRegion(written), PMPOperandRegion(other))) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector, @"%@: shares memory with %@", written->name,
                                other->name);
    }
}

static void check_one(const PMPOperand *operand, const PMPOperand *values, id<MTLDevice> device, PMPEncoding encoding) {
    PMPOperandCheck(operand, device, encoding);
    PMPOperandCheckFloats(operand, encoding);
    if (operand->rows != values->rows || operand->columns != values->columns) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector, @"%@: %lu x %lu, expected %lu x %lu as %@",
                                operand->name, (unsigned long)operand->rows, (unsigned long)operand->columns,
                                (unsigned long)values->rows, (unsigned long)values->columns, values->name);
    }
}

void PMPOptimizerCheck(const PMPOptimizerOperands *operands, id<MTLDevice> device, PMPEncoding encoding) {
    const PMPOperand *values = &operands->values, *gradient = &operands->gradient, *result = &operands->result;
    check_one(values, values, device, encoding);
    check_one(gradient, values, device, encoding);
    check_one(result, values, device, encoding);
    check_apart(result, gradient, encoding);
    if (!are_same(result, values)) {
        check_apart(result, values, encoding);
    }
    for (size_t i = 0; i < PYMPS_ENGINE_MOST_OPTIMIZER_STATES; i++) {
        const PMPOperand *state = &operands->states[i];
        if (i >= operands->neededStates && state->object == nil) {
            continue;
        }
        check_one(state, values, device, encoding);
        check_apart(state, gradient, encoding);
        check_apart(state, values, encoding);
        check_apart(state, result, encoding);
        for (size_t j = 0; j < i; j++) {
            check_apart(state, &operands->states[j], encoding);
        }
    }
}
