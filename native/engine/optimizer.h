/* Updates of weights by their gradients, element by element.
 *
 * Of engine.h are matrices and the rules: no function throws, arguments are trusted. */
#ifndef PYMPS_ENGINE_OPTIMIZER_H
#define PYMPS_ENGINE_OPTIMIZER_H

#include "engine/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of a value v, by its gradient g and the states.
 *
 * SGD:     without a state v -= lr g; with m: m = scale m + lr g, v -= m; Nesterov: m = scale m + g,
 *          v -= lr (g + scale m)
 * RMSProp: s = decay s + (1 - decay) g^2; v -= lr g / (sqrt(s) + epsilon)
 * Adam:    m = beta1 m + (1 - beta1) g; u = beta2 u + (1 - beta2) g^2; v -= lr m / (sqrt(u) + epsilon), or, with a
 *          third state w: w = max(w, u), which stands for u; the caller has corrected lr */
typedef enum pymps_engine_rule {
    PYMPS_ENGINE_SGD = 0,
    PYMPS_ENGINE_RMSPROP = 1,
    PYMPS_ENGINE_ADAM = 2,
} pymps_engine_rule;

enum { PYMPS_ENGINE_MOST_OPTIMIZER_STATES = 3 };

typedef struct pymps_engine_optimizer {
    pymps_engine_rule rule;
    float learning_rate;
    bool clips; /* the gradient, to [clip_min, clip_max] */
    float clip_min, clip_max;
    float rescale;           /* then multiplies it */
    float constant, portion; /* then constant + portion v is added: L1 and L2 */
    float momentum_scale;    /* of SGD */
    bool nesterov;
    double beta1, beta2; /* beta2: of RMSProp the decay */
    float epsilon;
} pymps_engine_optimizer;

/* All matrices have the same rows and columns; float32 or float16, each as it likes. `result` may be `values`;
 * otherwise none overlap. States are read and overwritten; data NULL: there is none. */
typedef struct pymps_engine_update {
    size_t columns;
    pymps_engine_matrix gradient, values, result;
    pymps_engine_matrix states[PYMPS_ENGINE_MOST_OPTIMIZER_STATES];
} pymps_engine_update;

void pymps_engine_optimize(const pymps_engine_optimizer *optimizer, const pymps_engine_update *update);

#ifdef __cplusplus
}
#endif

#endif
