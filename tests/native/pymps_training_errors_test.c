/* The arguments that training refuses, by the error's text. */
#include "pymps_network.h"

static const pymps_optimizer_options options = {.learning_rate = 0.5f, .gradient_rescale = 0.5f};

static void test_passes(void) {
    network n = network_create(MEMORY_NONE), other = network_create(MEMORY_NONE);
    pymps_training_tape *tape, *none = NULL;
    pymps_training_forward forward = forward_of(&n, 0, NULL);
#define FORWARD(layer, text)                                                                                           \
    FAILS(training->training_layer_encode_forward(layer, n.commands, &forward, &none, error),                          \
          "[training_layer_encode_forward] " text)
    FORWARD(NULL, "layer: NULL, expected a pointer");
    FORWARD(other.layer, "weights: of another layer, expected those of this layer or of a copy");
    forward.weights = n.gradients;
    FORWARD(n.layer, "weights: gradients, expected weights");
    forward.weights = NULL;
    FORWARD(n.layer, "weights: NULL, expected a pointer");
    forward = forward_of(&n, 0, NULL);
    forward.sources = NULL;
    FORWARD(n.layer, "sources: NULL, expected a pointer");
#undef FORWARD
    CHECK(none == NULL, "a tape");
    forward = forward_of(&n, 0, NULL);
    REQUIRE(training->training_layer_encode_forward(n.layer, n.commands, &forward, &tape, error));

    pymps_training_gradient gradient = gradient_of(&n, tape, 0, NULL);
#define GRADIENT(layer, text)                                                                                          \
    FAILS(training->training_layer_encode_gradient(layer, n.commands, &gradient, error),                               \
          "[training_layer_encode_gradient] " text)
    gradient.first_step = 1;
    GRADIENT(n.layer, "steps: 3 from step 1 on, expected at most the tape's 3");
    gradient.first_step = SIZE_MAX;
    gradient.steps = 0;
    GRADIENT(n.layer, "steps: 0, expected at least 1");
    gradient = gradient_of(&n, NULL, 0, NULL);
    GRADIENT(n.layer, "tape: NULL, expected a pointer");
    gradient = gradient_of(&other, tape, 0, NULL);
    GRADIENT(other.layer, "tape: of another layer, expected one of this layer or of a copy of it");
    gradient = gradient_of(&n, tape, 0, NULL);
    gradient.weight_gradients = n.weights;
    GRADIENT(n.layer, "weight_gradients: weights, expected gradients");
#undef GRADIENT
    training->training_tape_release(tape);
    end(&n);
    network_destroy(&other);
    network_destroy(&n);
}

static void test_optimizers(void) {
    network n = network_create(MEMORY_NONE);
    pymps_optimizer *none = NULL;
    FAILS(training->sgd_optimizer_create(n.layer, NULL, 0, false, &none, error),
          "[sgd_optimizer_create] options: NULL, expected a pointer");
    FAILS(training->adam_optimizer_create(n.layer, &options, 1, 0.5, 0, false, &none, error),
          "[adam_optimizer_create] beta1: 1, expected at least 0 and less than 1");
    pymps_optimizer_options bad = options;
    bad.regularization_type = (pymps_regularization_type)3;
    FAILS(training->rms_prop_optimizer_create(n.layer, &bad, 0.5, 0, &none, error),
          "[rms_prop_optimizer_create] options.regularization_type: 3, expected 0 (none), 1 (L1) or 2 (L2)");
    CHECK(none == NULL, "an optimizer");
    training->optimizer_release(NULL);
    training->training_tape_release(NULL);
    training->training_matrices_release(NULL);
    training->training_layer_release(NULL);
    end(&n);
    network_destroy(&n);
}

static void test_all(void) {
    device = open_device();
    training = api->training;
    test_passes();
    test_optimizers();
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
