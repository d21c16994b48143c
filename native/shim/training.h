// What the files share that deal with training.
#import "layers.h"

// clang-format off
#define PMP_TRAINING_FUNCTIONS(X)                                                                                      \
    X(training_layer_create) X(training_layer_copy) X(training_layer_release) X(training_layer_info)                   \
    X(training_layer_matrix_shape)                                                                                     \
    X(training_weights_create) X(training_gradients_create) X(training_matrices_release)                               \
    X(training_matrices_data_type) X(training_matrices_is_temporary) X(training_layer_encode_copy)                     \
    X(training_layer_encode_forward) X(training_layer_encode_gradient)                                                 \
    X(training_tape_release) X(training_tape_is_temporary) X(training_state_create)                                    \
    X(sgd_optimizer_create) X(rms_prop_optimizer_create) X(adam_optimizer_create) X(optimizer_release)                 \
    X(optimizer_learning_rate) X(optimizer_set_learning_rate) X(optimizer_time_step) X(optimizer_set_time_step)        \
    X(optimizer_encode)
// clang-format on

#define PMP_DECLARE_TRAINING(name)                                                                                     \
    extern __typeof__(*((pymps_training_functions *)NULL)->name) name PMP_BACKEND_SYMBOL(name);
PMP_TRAINING_FUNCTIONS(PMP_DECLARE_TRAINING)

/// What a training layer, its copies and all that they make own together; its address tells whether these fit each
/// other.
typedef struct pmp_training {
    atomic_size_t references;
    pmp_stack *forward, *gradients; // of one layer each: whose states are those of forward and of gradient passes
    pmp_weights_table table;
    pymps_data_type data_type; // of weights
} pmp_training;

struct pymps_training_layer { // owned by its creator
    pymps_device *device;
    pmp_training *training;
    MPSRNNMatrixTrainingLayer *layer;
    pthread_mutex_t mutex; // an MPSKernel is for one thread at a time
};

struct pymps_training_matrices { // owned by its creator; what is encoded retains the matrices
    pmp_training *training;
    NSArray *matrices; // as MPS has made them
    bool are_gradients;
    pymps_data_type data_type;
    id<MTLCommandBuffer> command_buffer; // that temporary ones live on; else nil
};

struct pymps_training_tape { // owned by its creator
    pmp_training *training;
    NSArray *states;                     // an MPSRNNMatrixTrainingState for each step
    NSArray *weights;                    // of the forward pass
    id<MTLCommandBuffer> command_buffer; // that a temporary one lives on; else nil
    size_t steps, rows[];                // rows of each step
};

void pmp_training_release(pmp_training *training) PMP_BACKEND_SYMBOL(pmp_training_release);
/// Runs `body` while no other thread uses the MPS layer.
void pmp_training_with_lock(pymps_training_layer *layer, void (^body)(void)) PMP_BACKEND_SYMBOL(pmp_training_with_lock);

/// A handle to matrices, which it retains. `command_buffer`: of temporary ones, else nil.
pymps_status pmp_training_matrices_handle(const pmp_call *call, pmp_training *training, NSArray *matrices,
                                          bool are_gradients, id<MTLCommandBuffer> command_buffer,
                                          pymps_training_matrices **handle)
    PMP_BACKEND_SYMBOL(pmp_training_matrices_handle);
/// Weights of zeros, or gradients where `data_type` is given; temporary ones where `command_buffer` is. Autoreleased.
NSArray *pmp_training_weights_make(pymps_training_layer *layer) PMP_BACKEND_SYMBOL(pmp_training_weights_make);
NSArray *pmp_training_gradients_make(pymps_training_layer *layer, pymps_data_type data_type)
    PMP_BACKEND_SYMBOL(pmp_training_gradients_make);
/// Checks matrices that work on `command_buffer` uses.
pymps_status pmp_training_matrices_check(const pmp_call *call, const char *name,
                                         const pymps_training_matrices *matrices, const pmp_training *training,
                                         bool are_gradients, id<MTLCommandBuffer> command_buffer)
    PMP_BACKEND_SYMBOL(pmp_training_matrices_check);
