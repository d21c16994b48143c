"""Train the network that predict.py runs, and write its weights with PyTorch's answers to moving_digits.safetensors.

Run it only to change the model: the file is part of the repository. Needs torch, scikit-learn and safetensors.
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

import numpy as np
import sklearn
import torch
from movies import FRAMES, IMAGES, SEEN, SIDE, TEST_MOVIES, Floats, Integers, load_digits, make_movies
from safetensors.torch import save_file
from torch import Tensor, nn

HIDDEN = 16
KERNEL = 5
SEED = 0
ITERATIONS = 4000
BATCH = 8
LEARNING_RATE = 4e-3
HELD_OUT_FRACTION = 0.25

State = tuple[Tensor, Tensor]


class ConvLSTM(nn.Module):
    """One convolution for all gates, in the order i, f, g, o, of the input and the last output side by side."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.gates = nn.Conv2d(inputs + HIDDEN, 4 * HIDDEN, KERNEL, padding=KERNEL // 2)
        nn.init.ones_(self.gates.bias[HIDDEN : 2 * HIDDEN])  # f: at first everything is remembered

    def forward(self, x: Tensor, state: State) -> State:
        """Map the input and (h, c) to the next (h, c), all of shape (N, channels, height, width)."""
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def tensors(self) -> dict[str, Tensor]:
        """W, U and b; the weights as pymps takes them, (4 * HIDDEN, KERNEL, KERNEL, channels)."""
        w = self.gates.weight.detach().permute(0, 2, 3, 1)
        return {"w": w[..., : self.inputs], "u": w[..., self.inputs :], "b": self.gates.bias.detach()}


class Predictor(nn.Module):
    """Two ConvLSTMs, and a convolution that makes the next frame of what they put out."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleList([ConvLSTM(1), ConvLSTM(HIDDEN)])
        self.frame = nn.Conv2d(HIDDEN, 1, KERNEL, padding=KERNEL // 2)

    def forward(self, movies: Tensor, fed_back: Tensor) -> Tensor:
        """Predict frames 1 to FRAMES - 1 of movies (FRAMES, N, 1, SIDE, SIDE), before the sigmoid.

        fed_back, shape (FRAMES,), says where the network goes on from its own frame and not from the movie's.
        """
        zeros = movies.new_zeros(movies.shape[1], HIDDEN, SIDE, SIDE)
        states: list[State] = [(zeros, zeros) for _ in self.cells]
        logits: list[Tensor] = []
        for t in range(FRAMES - 1):
            x = torch.sigmoid(logits[-1]) if fed_back[t] else movies[t]
            for index, cell in enumerate(self.cells):
                states[index] = cell(x, states[index])
                x = states[index][0]
            logits.append(self.frame(x))
        return torch.stack(logits)

    def tensors(self) -> dict[str, Tensor]:
        """All weights in float16, to which an image layer rounds them anyway, and the biases in float32."""
        found = {f"lstm{n}.{name}": part for n, cell in enumerate(self.cells) for name, part in cell.tensors().items()}
        found["frame.w"] = self.frame.weight.detach().permute(0, 2, 3, 1)
        found["frame.b"] = self.frame.bias.detach()
        return {name: part.half() if part.ndim == 4 else part for name, part in found.items()}


def as_tensor(movies: Floats) -> Tensor:
    """Put the channels where PyTorch has them."""
    return torch.from_numpy(movies).permute(0, 1, 4, 2, 3).contiguous()


def predict(model: Predictor, movies: Tensor) -> Tensor:
    """All frames after the first; from frame SEEN on the network sees nothing but its own."""
    with torch.inference_mode():
        return torch.sigmoid(model(movies, torch.arange(FRAMES) >= SEEN))


def train(model: Predictor, digits: Floats, rng: np.random.Generator) -> None:
    """Fit `model` to movies that are made as they are needed, more and more of their frames its own."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, ITERATIONS, pct_start=0.1)
    loss_sum = 0.0
    for iteration in range(ITERATIONS):
        movies = as_tensor(make_movies(digits, BATCH, rng))
        fed_back = torch.arange(FRAMES) >= SEEN
        fed_back &= torch.rand(FRAMES) < 2 * iteration / ITERATIONS - 0.5
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(movies, fed_back)
        loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), movies[1:])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        loss_sum += loss.item()
        if (iteration + 1) % 100 == 0:
            print(f"iteration {iteration + 1:4d}/{ITERATIONS}  loss {loss_sum / 100:.4f}", flush=True)
            loss_sum = 0.0


def split(rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Indices of the digits to train on, and of those held out."""
    order = rng.permutation(IMAGES)
    held_out = round(HELD_OUT_FRACTION * IMAGES)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def main() -> None:
    """Train, measure on movies of held-out digits, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("moving_digits.safetensors"))
    output: Path = parser.parse_args().output

    torch.set_num_threads(1)  # one order of summation: the same machine writes the same weights again
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)

    digits = load_digits()
    training, held_out = split(rng)
    model = Predictor()
    train(model, digits[training], rng)

    tensors = model.tensors()
    with torch.no_grad():  # what the file holds is what answers
        for parameter in model.parameters():
            if parameter.ndim == 4:
                parameter.copy_(parameter.half())
    movies = as_tensor(make_movies(digits[held_out], TEST_MOVIES, np.random.default_rng(SEED + 1)))
    frames = predict(model, movies)
    error = (frames[SEEN - 1 :] - movies[SEEN:]).square().mean().item()
    baseline = (movies[SEEN - 1] - movies[SEEN:]).square().mean().item()

    tensors |= {"held_out.indices": torch.from_numpy(held_out), "held_out.frames": frames[:, 0, 0].clone()}
    metadata = {
        "made_by": "examples/moving_digits/train.py",
        "model": f"ConvLSTM 1 -> {HIDDEN} -> {HIDDEN}, convolution {HIDDEN} -> 1; kernels {KERNEL} x {KERNEL}, "
        "gates i, f, g, o",
        "data": f"sklearn.datasets.load_digits; {len(training)} trained on, {len(held_out)} held out",
        "held_out_error": f"{error:.5f}",
        "held_out_error_of_the_last_frame": f"{baseline:.5f}",
        "seed": str(SEED),
        "iterations": str(ITERATIONS),
        "torch": torch.__version__,
        "scikit-learn": sklearn.__version__,
        "machine": platform.machine(),
    }
    save_file({name: part.contiguous() for name, part in tensors.items()}, output, metadata)
    print(f"squared error {error:.4f} on {TEST_MOVIES} movies, the last frame's {baseline:.4f}; wrote {output}")


if __name__ == "__main__":
    main()
