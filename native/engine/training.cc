/* The entries of training.h that are the same for every kind of layer. */
#include "engine/training_layer.h"

extern "C" {

void pymps_engine_training_destroy(pymps_engine_training *training) {
    delete training;
}

size_t pymps_engine_training_tape_bytes(const pymps_engine_training *training, size_t rows) {
    return training->TapeBytes(rows);
}

size_t pymps_engine_training_workspace_bytes(const pymps_engine_training *training, size_t steps, size_t rows) {
    return training->WorkspaceBytes(steps, rows);
}

void pymps_engine_training_forward(const pymps_engine_training *training, const pymps_engine_training_weights *weights,
                                   const pymps_engine_sequence *sequence, void *const *tapes, void *workspace,
                                   pymps_engine_team *team) {
    training->Forward(*weights, *sequence, tapes, workspace, team);
}

void pymps_engine_training_gradient(const pymps_engine_training *training, const pymps_engine_training_weights *weights,
                                    const pymps_engine_gradient *gradient, void *workspace, pymps_engine_team *team) {
    training->Gradient(*weights, *gradient, workspace, team);
}

} // extern "C"
