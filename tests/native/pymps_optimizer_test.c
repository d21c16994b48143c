/* The C interface: optimizers against double precision, what they tell, and handles that are released in any order. */
#include "pymps_training_cells.h"

enum { COUNT = OUTPUTS * OUTPUTS, UPDATES = 4 };

static pymps_device *device;
static const pymps_training_functions *training;
static rnn numbers;
static cell simple;
static const weight *recurrent; /* of the simple RNN: the weights that are looked at */

static const pymps_optimizer_options plain = {.learning_rate = 0.25f, .gradient_rescale = 1};
static const pymps_optimizer_options full = {
    .learning_rate = 0.125f,
    .gradient_rescale = 0.5f,
    .apply_gradient_clipping = true,
    .gradient_clip_min = -0.25f,
    .gradient_clip_max = 0.125f,
    .regularization_type = PYMPS_REGULARIZATION_L2,
    .regularization_scale = 0.0625f,
};

/* ---- Formulas ---- */

static const double MOMENTUM = 0.75, DECAY = 0.875, BETA1 = 0.75, BETA2 = 0.9375, EPSILON = 0.0078125;

typedef struct moments {
    double m, u, w;
} moments;

typedef double update(double v, double g, double rate, double t, moments *moments);

static double descend(double v, double g, double rate, double t, moments *moments) {
    (void)t, (void)moments;
    return v - rate * g;
}

static double descend_with_momentum(double v, double g, double rate, double t, moments *moments) {
    (void)t;
    moments->m = MOMENTUM * moments->m + rate * g;
    return v - moments->m;
}

static double descend_by_nesterov(double v, double g, double rate, double t, moments *moments) {
    (void)t;
    moments->m = MOMENTUM * moments->m + g;
    return v - rate * (g + MOMENTUM * moments->m);
}

static double divide_by_root(double v, double g, double rate, double t, moments *moments) {
    (void)t;
    moments->u = DECAY * moments->u + (1 - DECAY) * g * g;
    return v - rate * g / (sqrt(moments->u) + EPSILON);
}

static double follow_moments(double v, double g, double rate, double t, moments *moments, bool ams_grad) {
    moments->m = BETA1 * moments->m + (1 - BETA1) * g;
    moments->u = BETA2 * moments->u + (1 - BETA2) * g * g;
    moments->w = fmax(moments->w, moments->u);
    double corrected = rate * sqrt(1 - pow(BETA2, t)) / (1 - pow(BETA1, t));
    return v - corrected * moments->m / (sqrt(ams_grad ? moments->w : moments->u) + EPSILON);
}

static double follow_adam(double v, double g, double rate, double t, moments *moments) {
    return follow_moments(v, g, rate, t, moments, false);
}

static double follow_ams_grad(double v, double g, double rate, double t, moments *moments) {
    return follow_moments(v, g, rate, t, moments, true);
}

static double prepared(double g, double v, const pymps_optimizer_options *options) {
    if (options->apply_gradient_clipping)
        g = fmin(fmax(g, options->gradient_clip_min), options->gradient_clip_max);
    g *= options->gradient_rescale;
    if (options->regularization_type == PYMPS_REGULARIZATION_L1)
        g += options->regularization_scale;
    return options->regularization_type == PYMPS_REGULARIZATION_L2 ? g + options->regularization_scale * v : g;
}

/* ---- Kinds ---- */

enum kind { SGD, SGD_MOMENTUM, SGD_NESTEROV, RMS_PROP, ADAM, AMS_GRAD, KINDS };
static update *const formulas[KINDS] = {descend,        descend_with_momentum, descend_by_nesterov,
                                        divide_by_root, follow_adam,           follow_ams_grad};

static pymps_optimizer *make_optimizer(pymps_training_layer *layer, int kind, const pymps_optimizer_options *options) {
    pymps_optimizer *made;
    if (kind <= SGD_NESTEROV)
        REQUIRE(training->sgd_optimizer_create(layer, options, kind == SGD ? 0 : (float)MOMENTUM, kind == SGD_NESTEROV,
                                               &made, error));
    else if (kind == RMS_PROP)
        REQUIRE(training->rms_prop_optimizer_create(layer, options, DECAY, (float)EPSILON, &made, error));
    else
        REQUIRE(training->adam_optimizer_create(layer, options, BETA1, BETA2, (float)EPSILON, kind == AMS_GRAD, &made,
                                                error));
    return made;
}

static void encode_update(pymps_optimizer *optimizer, pymps_training_matrices *gradients,
                          pymps_training_matrices *weights) {
    pymps_command_buffer *commands = make_command_buffer(device);
    REQUIRE(training->optimizer_encode(optimizer, commands, gradients, weights, error));
    finish(commands);
}

/* Some updates, each by other gradients, which get smaller: the maximum of AMSGrad then stays. */
static void test_formula(int kind, const pymps_optimizer_options *options) {
    pymps_training_matrices *weights, *gradients;
    pymps_training_layer *layer = make_training_layer(device, &simple, &weights);
    REQUIRE(training->training_gradients_create(layer, PYMPS_FLOAT32, NULL, &gradients, error));
    pymps_optimizer *optimizer = make_optimizer(layer, kind, options);
    CHECK(training->optimizer_learning_rate(optimizer) == options->learning_rate, "kind %d", kind);
    double expected[COUNT], rate = options->learning_rate;
    moments all[COUNT] = {{0}};
    float came[COUNT];
    uint32_t seed = 91;
    for (int i = 0; i < COUNT; i++)
        expected[i] = recurrent->numbers[i];
    for (int t = 1; t <= UPDATES; t++) {
        CHECK(training->optimizer_time_step(optimizer) == (size_t)(t - 1), "kind %d", kind);
        float g[COUNT];
        for (int i = 0; i < COUNT; i++) {
            g[i] = next_number(&seed) / (float)t;
            expected[i] = formulas[kind](expected[i], prepared(g[i], expected[i], options), rate, t, &all[i]);
        }
        write_matrices(device, layer, gradients, recurrent, g);
        encode_update(optimizer, gradients, weights);
        read_matrices(device, layer, weights, recurrent, came);
        double error = difference(came, expected, COUNT);
        CHECK(error < 2e-6, "kind %d, update %d: off by %g", kind, t, error);
        rate /= 2;
        REQUIRE(training->optimizer_set_learning_rate(optimizer, (float)rate, error));
        CHECK(training->optimizer_learning_rate(optimizer) == (float)rate, "kind %d", kind);
    }
    training->optimizer_release(optimizer);
    training->training_matrices_release(weights);
    training->training_matrices_release(gradients);
    training->training_layer_release(layer);
}

/* Adam goes on from the time step that is set. */
static void test_time_step(void) {
    pymps_training_matrices *weights, *gradients;
    pymps_training_layer *layer = make_training_layer(device, &simple, &weights);
    REQUIRE(training->training_gradients_create(layer, PYMPS_FLOAT16, NULL, &gradients, error));
    pymps_optimizer *adam = make_optimizer(layer, ADAM, &full);
    training->optimizer_set_time_step(adam, 8);
    CHECK(training->optimizer_time_step(adam) == 8, "%zu", training->optimizer_time_step(adam));
    encode_update(adam, gradients, weights); /* of zeros: all is from the regularization */
    CHECK(training->optimizer_time_step(adam) == 9, "%zu", training->optimizer_time_step(adam));
    double expected[COUNT];
    float came[COUNT];
    for (int i = 0; i < COUNT; i++) {
        double v = recurrent->numbers[i];
        expected[i] = follow_adam(v, prepared(0, v, &full), full.learning_rate, 9, &(moments){0});
    }
    read_matrices(device, layer, weights, recurrent, came);
    double error = difference(came, expected, COUNT);
    CHECK(error < 2e-6, "off by %g", error);
    training->training_layer_release(layer);
    training->training_matrices_release(gradients);
    training->optimizer_release(adam);
    training->training_matrices_release(weights);
}

/* ---- From a pass to the weights, on one command buffer ---- */

typedef struct pass {
    pymps_training_layer *layer;
    pymps_training_matrices *weights, *gradients;
    pymps_training_tape *tape;
    pymps_state *after;
    pymps_optimizer *optimizer;
    pymps_command_buffer *commands;
    pymps_buffer *x, *y, *dy;
} pass;

/* Encodes a forward pass, a gradient pass and a step with it, all with temporaries, or without. */
static pass encode_pass(bool temporary) {
    pass pass;
    pymps_matrix sources[STEPS], destinations[STEPS], dys[STEPS];
    pass.layer = make_training_layer(device, &simple, &pass.weights);
    pass.commands = make_command_buffer(device);
    pass.x = steps_buffer(device, INPUTS, x, sources);
    pass.y = steps_buffer(device, OUTPUTS, NULL, destinations);
    pass.dy = steps_buffer(device, OUTPUTS, dy, dys);
    pass.optimizer = make_optimizer(pass.layer, SGD, &plain);
    REQUIRE(training->training_gradients_create(pass.layer, PYMPS_FLOAT32, temporary ? pass.commands : NULL,
                                                &pass.gradients, error));
    pymps_training_forward forward = {
        .weights = pass.weights,
        .steps = STEPS,
        .sources = sources,
        .destinations = destinations,
        .state_count = 1,
        .states_are_temporary = temporary,
        .states = &pass.after,
        .tape_is_temporary = temporary,
    };
    REQUIRE(training->training_layer_encode_forward(pass.layer, pass.commands, &forward, &pass.tape, error));
    pymps_training_gradient gradient = {
        .weights = pass.weights,
        .tape = pass.tape,
        .steps = STEPS,
        .sources = sources,
        .dy = dys,
        .weight_gradients = pass.gradients,
    };
    REQUIRE(training->training_layer_encode_gradient(pass.layer, pass.commands, &gradient, error));
    REQUIRE(training->optimizer_encode(pass.optimizer, pass.commands, pass.gradients, pass.weights, error));
    return pass;
}

enum { HANDLES = 9 };

static void release_handle(pass *pass, int which) {
    if (which == 0)
        training->training_layer_release(pass->layer);
    else if (which == 1)
        training->training_matrices_release(pass->gradients);
    else if (which == 2)
        training->training_tape_release(pass->tape);
    else if (which == 3)
        api->state_release(pass->after);
    else if (which == 4)
        training->optimizer_release(pass->optimizer);
    else if (which == 5)
        api->buffer_release(pass->x);
    else if (which == 6)
        api->buffer_release(pass->y);
    else if (which == 7)
        api->buffer_release(pass->dy);
    else
        training->training_matrices_release(pass->weights);
}

/* Before the commit, after it, and without one; in orders that begin with each of the handles. */
static void test_any_order(bool temporary, int first, int when) {
    pass pass = encode_pass(temporary);
    pymps_training_layer *copy;
    pymps_training_matrices *kept = NULL;
    REQUIRE(training->training_layer_copy(pass.layer, &copy, error));
    if (when == 1)
        finish(pass.commands);
    for (int i = 0; i < HANDLES; i++) {
        int which = (first + i * 2) % HANDLES;
        if (which == HANDLES - 1 && when < 2)
            kept = pass.weights;
        else
            release_handle(&pass, which);
    }
    if (when == 0)
        finish(pass.commands);
    if (when == 2)
        api->command_buffer_release(pass.commands);
    if (kept != NULL) {
        float came[COUNT];
        double expected[COUNT];
        for (int i = 0; i < COUNT; i++)
            expected[i] = recurrent->numbers[i] - 0.25 * derivative(&simple, &recurrent->numbers[i]);
        read_matrices(device, copy, kept, recurrent, came);
        double error = difference(came, expected, COUNT);
        CHECK(error < 2e-6, "first %d, when %d: off by %g", first, when, error);
        training->training_matrices_release(kept);
    }
    training->training_layer_release(copy);
}

static void test_all(void) {
    device = open_device();
    training = api->training;
    numbers = rnn_create(INPUTS, OUTPUTS, 92);
    simple = rnn_cell(&numbers);
    recurrent = &simple.weights[1];
    pymps_optimizer_options l1 = plain;
    l1.regularization_type = PYMPS_REGULARIZATION_L1;
    l1.regularization_scale = 0.0625f;
    for (int kind = 0; kind < KINDS; kind++) {
        test_formula(kind, &plain);
        test_formula(kind, &full);
        test_formula(kind, &l1);
    }
    test_time_step();
    fill_problem(93);
    memset(h0, 0, sizeof h0);
    memset(dh1, 0, sizeof dh1);
    for (int when = 0; when < 3; when++)
        for (int first = 0; first < HANDLES; first++) {
            test_any_order(false, first, when);
            test_any_order(true, first, when);
        }
    rnn_destroy(&numbers);
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
