"""Optimizers: what turns gradients into better weights."""

cimport cython

from pymps._backend cimport check
from pymps._command_buffer cimport CommandBuffer
from pymps._training_layer cimport MatrixTrainingLayer
from pymps._training_matrices cimport WeightGradients
from pymps._values import COUNT_MAX, checked_bool, checked_float, checked_int, checked_member, describe
from pymps.enums import RegularizationType


cdef class Optimizer:
    """What all optimizers have in common (``MPSNNOptimizer``)."""

    def __cinit__(self, MatrixTrainingLayer layer not None, *args, **kwargs):
        if type(self) is Optimizer:
            raise TypeError("Optimizer: made by its derived classes alone")
        self.layer = layer
        self.trainer, self.training = layer.trainer, layer.trainer.training

    def __dealloc__(self):
        if self.training != NULL:
            self.training.optimizer_release(self.handle)

    cdef int _describe(self, object learning_rate, object rescale, object clip, object regularization_type,
                      object regularization_scale) except -1:
        """Fills the options."""
        cdef pymps_optimizer_options *options = &self._options
        options.learning_rate = checked_float("learning_rate", learning_rate)
        options.gradient_rescale = checked_float("gradient_rescale", rescale)
        options.apply_gradient_clipping = clip is not None
        options.gradient_clip_min = options.gradient_clip_max = 0
        if clip is not None:
            if not isinstance(clip, (tuple, list)) or len(clip) != 2:
                raise TypeError(f"gradient_clip: {describe(clip)}, expected (min, max) or None")
            options.gradient_clip_min = checked_float("gradient_clip[0]", clip[0])
            options.gradient_clip_max = checked_float("gradient_clip[1]", clip[1])
        member = checked_member("regularization_type", regularization_type, RegularizationType)
        options.regularization_type = <pymps_regularization_type><int>member
        options.regularization_scale = checked_float("regularization_scale", regularization_scale)
        return 0

    @property
    def learning_rate(self):
        """How far a step goes. It can be set, between steps."""
        return self.trainer.training.optimizer_learning_rate(self.handle)

    @learning_rate.setter
    def learning_rate(self, value):
        cdef float rate = checked_float("learning_rate", value)
        cdef pymps_error error
        check(self.trainer.training.optimizer_set_learning_rate(self.handle, rate, &error), &error)

    @property
    def time_step(self):
        """How many steps there were, 0 at first. It can be set; only `Adam` reads it."""
        return self.trainer.training.optimizer_time_step(self.handle)

    @time_step.setter
    def time_step(self, value):
        self.trainer.training.optimizer_set_time_step(self.handle, checked_int("time_step", value, 0, COUNT_MAX))

    @property
    def gradient_rescale(self):
        """What gradients are multiplied by, after they are clipped."""
        return self._options.gradient_rescale

    @property
    def gradient_clip(self):
        """(min, max) of the gradients' elements; None: they are not clipped."""
        if not self._options.apply_gradient_clipping:
            return None
        return self._options.gradient_clip_min, self._options.gradient_clip_max

    @property
    def regularization_type(self):
        """What is added to gradients at last, a `RegularizationType`."""
        return RegularizationType(<int>self._options.regularization_type)

    @property
    def regularization_scale(self):
        """The factor of what is added."""
        return self._options.regularization_scale

    def step(self, WeightGradients gradients not None):
        """Update the layer's weights, in place on the device.

        Parameters
        ----------
        gradients : WeightGradients
            Of this layer.

        Raises
        ------
        TypeError, ValueError
            Not gradients, or those of another layer.
        CommandBufferError
            The device failed; carries Metal's code and text.
        """
        cdef MatrixTrainingLayer layer = self.layer
        gradients.check_use("gradients", self.trainer, None)
        with self.trainer.lock:
            self.trainer.writes.wrote()
            self.trainer.update(self.handle, gradients.handle, layer.weights.handle)

    def encode_step(self, CommandBuffer command_buffer not None, WeightGradients gradients not None):
        """Encode what `step` does; it happens once the command buffer is committed.

        The step counts at once: `time_step` and `learning_rate` are those of now. ``layer.weights`` are to be read once
        the command buffer has completed.

        Parameters
        ----------
        command_buffer : CommandBuffer
            Of the layer's device.
        gradients : WeightGradients
            Of this layer; complete, or made by work that was encoded into the same queue before.

        Raises
        ------
        TypeError, ValueError
            As from `step`. ValueError also where the command buffer is committed or of another device, and where
            temporary gradients were read before.
        RuntimeError
            Another thread is encoding into the command buffer.
        """
        cdef MatrixTrainingLayer layer = self.layer
        gradients.check_use("gradients", self.trainer, command_buffer)
        cdef pymps_error error
        cdef pymps_status status
        command_buffer.begin()
        with nogil:
            status = self.trainer.training.optimizer_encode(
                self.handle, command_buffer.handle, gradients.handle, layer.weights.handle, &error)
        command_buffer.end(status, &error)
        command_buffer.will_write(self.trainer.writes)

    def __reduce__(self):
        raise TypeError(f"{type(self).__name__}: belongs to a device, expected no copies and pickles")

    def __repr__(self):
        return f"<pymps.{type(self).__name__} of learning rate {self.learning_rate:g} for {self.layer!r}>"


@cython.final
cdef class StochasticGradientDescent(Optimizer):
    """Steps down the gradient, with or without momentum (``MPSNNOptimizerStochasticGradientDescent`` [1]_).

    Parameters
    ----------
    layer : MatrixTrainingLayer
        Whose weights it updates.
    learning_rate : float
        lr below.
    momentum_scale : float
        0: without momentum.
    use_nesterov_momentum : bool
        Look ahead along the momentum.
    gradient_rescale : float
        What gradients are multiplied by, after they are clipped.
    gradient_clip : (float, float), optional
        The least and the largest element of a gradient. None: gradients are not clipped.
    regularization_type : RegularizationType
        What is added to gradients at last: ``L1``, the scale; ``L2``, the scale times the weight.
    regularization_scale : float
        The scale.

    Raises
    ------
    TypeError, ValueError
        The message names the argument, what came and what was expected.
    DeviceError
        Out of device memory.

    Notes
    -----
    Apple's formulas, g the gradient as prepared above, v a weight, m its momentum, 0 at first::

        v = v - lr g                                        without momentum
        m = momentum_scale m + lr g ;  v = v - m            with momentum
        m = momentum_scale m + g    ;  v = v - lr (g + momentum_scale m)     where `use_nesterov_momentum`

    References
    ----------
    .. [1] Apple, MPSNNOptimizerStochasticGradientDescent,
       developer.apple.com/documentation/metalperformanceshaders/mpsnnoptimizerstochasticgradientdescent
    """

    cdef readonly double momentum_scale
    cdef readonly bint use_nesterov_momentum

    def __cinit__(self, layer, learning_rate, momentum_scale=0.0, use_nesterov_momentum=False, gradient_rescale=1.0,
                 gradient_clip=None, regularization_type=RegularizationType.NONE, regularization_scale=0.0):
        self._describe(learning_rate, gradient_rescale, gradient_clip, regularization_type, regularization_scale)
        self.momentum_scale = checked_float("momentum_scale", momentum_scale)
        self.use_nesterov_momentum = checked_bool("use_nesterov_momentum", use_nesterov_momentum)
        cdef pymps_error error
        check(self.trainer.training.sgd_optimizer_create(
            self.trainer.handle, &self._options, self.momentum_scale, self.use_nesterov_momentum, &self.handle, &error),
            &error)


@cython.final
cdef class RMSProp(Optimizer):
    """Steps divided by the root of the mean square of the gradients (``MPSNNOptimizerRMSProp`` [1]_, after [2]_).

    Parameters
    ----------
    layer : MatrixTrainingLayer
        Whose weights it updates.
    learning_rate : float
        lr below.
    decay : float
        How much of the mean square a step keeps, 0 to 1.
    epsilon : float
        What is added to the root, at least 0.
    gradient_rescale : float
        What gradients are multiplied by, after they are clipped.
    gradient_clip : (float, float), optional
        The least and the largest element of a gradient. None: gradients are not clipped.
    regularization_type : RegularizationType
        What is added to gradients at last: ``L1``, the scale; ``L2``, the scale times the weight.
    regularization_scale : float
        The scale.

    Raises
    ------
    TypeError, ValueError
        The message names the argument, what came and what was expected.
    DeviceError
        Out of device memory.

    Notes
    -----
    Apple's formulas, g the gradient as prepared above, v a weight, s its mean square, 0 at first::

        s = decay s + (1 - decay) g^2
        v = v - lr g / (sqrt(s) + epsilon)

    References
    ----------
    .. [1] Apple, MPSNNOptimizerRMSProp, developer.apple.com/documentation/metalperformanceshaders/mpsnnoptimizerrmsprop
    .. [2] Tieleman, Hinton, Neural Networks for Machine Learning, lecture 6.5 (2012)
    """

    cdef readonly double decay, epsilon

    def __cinit__(self, layer, learning_rate, decay=0.9, epsilon=1e-8, gradient_rescale=1.0, gradient_clip=None,
                  regularization_type=RegularizationType.NONE, regularization_scale=0.0):
        self._describe(learning_rate, gradient_rescale, gradient_clip, regularization_type, regularization_scale)
        self.decay = checked_float("decay", decay)
        self.epsilon = checked_float("epsilon", epsilon)
        cdef pymps_error error
        check(self.trainer.training.rms_prop_optimizer_create(
            self.trainer.handle, &self._options, self.decay, self.epsilon, &self.handle, &error), &error)


@cython.final
cdef class Adam(Optimizer):
    """Steps by the mean of the gradients, divided by the root of their mean square (``MPSNNOptimizerAdam`` [1]_, after
    [2]_).

    Parameters
    ----------
    layer : MatrixTrainingLayer
        Whose weights it updates.
    learning_rate : float
        lr below.
    beta1 : float
        How much of the mean a step keeps, at least 0 and less than 1.
    beta2 : float
        How much of the mean square a step keeps, at least 0 and less than 1.
    epsilon : float
        What is added to the root, at least 0.
    ams_grad : bool
        Divide by the largest mean square so far [3]_.
    gradient_rescale : float
        What gradients are multiplied by, after they are clipped.
    gradient_clip : (float, float), optional
        The least and the largest element of a gradient. None: gradients are not clipped.
    regularization_type : RegularizationType
        What is added to gradients at last: ``L1``, the scale; ``L2``, the scale times the weight.
    regularization_scale : float
        The scale.

    Raises
    ------
    TypeError, ValueError
        The message names the argument, what came and what was expected.
    DeviceError
        Out of device memory.

    Notes
    -----
    Apple's formulas, g the gradient as prepared above, v a weight, m and u its means, 0 at first, t the `time_step`::

        t    = t + 1
        lr_t = lr sqrt(1 - beta2^t) / (1 - beta1^t)
        m    = beta1 m + (1 - beta1) g
        u    = beta2 u + (1 - beta2) g^2
        v    = v - lr_t m / (sqrt(u) + epsilon)
        w    = max(w, u)  ;  v = v - lr_t m / (sqrt(w) + epsilon)      where `ams_grad`

    epsilon is added to a root that is not corrected for its beginning at 0: elsewhere it is often added after that.

    References
    ----------
    .. [1] Apple, MPSNNOptimizerAdam, developer.apple.com/documentation/metalperformanceshaders/mpsnnoptimizeradam
    .. [2] Kingma, Ba, ICLR 2015, arxiv.org/abs/1412.6980
    .. [3] Reddi, Kale, Kumar, ICLR 2018, arxiv.org/abs/1904.09237
    """

    cdef readonly double beta1, beta2, epsilon
    cdef readonly bint ams_grad

    def __cinit__(self, layer, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8, ams_grad=False, gradient_rescale=1.0,
                  gradient_clip=None, regularization_type=RegularizationType.NONE, regularization_scale=0.0):
        self._describe(learning_rate, gradient_rescale, gradient_clip, regularization_type, regularization_scale)
        self.beta1, self.beta2 = checked_float("beta1", beta1), checked_float("beta2", beta2)
        self.epsilon = checked_float("epsilon", epsilon)
        self.ams_grad = checked_bool("ams_grad", ams_grad)
        cdef pymps_error error
        check(self.trainer.training.adam_optimizer_create(
            self.trainer.handle, &self._options, self.beta1, self.beta2, self.epsilon, self.ams_grad, &self.handle,
            &error), &error)
