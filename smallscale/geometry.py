r"""The geometry of a prompt's scores: how far apart passing and failing rollouts pull a model.

The score of a rollout is $s = \nabla_\theta \log\pi_\theta(y\,|\,x)$, summed over its tokens,
the one that ends it included. With $\mu_1, \mu_0$ its means over passing and failing rollouts,

$$D = \mu_1 - \mu_0 = \nabla\,\mathrm{logit}\,p, \qquad
V_r = \operatorname{tr}\operatorname{Cov}(s\,|\,r),$$

and every estimator that is centred within its group has mean and variance in $|D|^2$, $V_1$
and $V_0$ alone. All of them follow from inner products, so a prompt with R rollouts is an R x R
Gram matrix, in the metric of the parameters or in Adam's.

The squared norm of a mean of n vectors is too large by V/n, many times $|D|^2$ where rollouts
are long. So only products of *different* rollouts enter $|\mu|^2$, and the sample variance is
what the diagonal has beyond that: both are unbiased, and $|D|^2$ may come out negative.

Axis legend: R rollouts, P parameters, G groups, N rollouts of a group, J prompts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from smallscale.advantages import advantages
from smallscale.prompts import Prompts
from smallscale.rollouts import Rollouts
from smallscale.scoring import sequences

Estimator = Literal["rloo", "grpo"]
ABREAST = 64  # backward passes side by side


@dataclass(frozen=True)
class Geometry:
    """Unbiased constants of one prompt, in squared units of its scores."""

    contrast: float  # |D|^2
    pass_noise: float  # V_1
    fail_noise: float  # V_0

    @property
    def noise(self) -> float:
        """(V_1 + V_0) / 2 in units of |D|^2; infinite where no D is seen."""
        both = (self.pass_noise + self.fail_noise) / 2.0
        return both / self.contrast if self.contrast > 0.0 else np.inf


def scores(
    model: Any,  # noqa: ANN401
    prompt: Int[np.ndarray, "_"],
    rollouts: Rollouts,
) -> Float[torch.Tensor, "R P"]:
    """The score of each rollout of a prompt, in the order of `model.named_parameters()`.

    One backward pass for each rollout that is different, `ABREAST` of them at a time.

    Args:
        model: A causal language model of transformers; every parameter is trained.
        prompt: Token ids of the prompt.
        rollouts: R rollouts of it.
    """
    whole = np.where(rollouts.mask, rollouts.tokens, -1)  # a token 0 is no padding
    _, first, which = np.unique(whole, axis=0, return_index=True, return_inverse=True)
    ids, before = sequences([prompt] * first.size, rollouts.take(first))
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def logprob(
        at: dict[str, torch.Tensor],
        row: Int[torch.Tensor, "L"],
        drawn: Bool[torch.Tensor, "L"],
    ) -> Float[torch.Tensor, ""]:
        said = {"input_ids": row[None], "use_cache": False}
        every = functional_call(model, at, (), said).logits[0, :-1].log_softmax(-1)
        return (every.gather(-1, row[1:, None])[:, 0] * drawn[:-1]).sum()

    each = vmap(grad(logprob), (None, 0, 0), chunk_size=ABREAST)
    with sdpa_kernel(SDPBackend.MATH):  # the others have no batched backward pass
        found = each(weights, *(torch.from_numpy(x).to(model.device) for x in (ids, before)))
    rows = torch.cat([found[name].flatten(1) for name in weights], 1)
    return rows[torch.from_numpy(which.reshape(-1)).to(rows.device)]


def flat(tensors: Sequence[torch.Tensor]) -> Float[torch.Tensor, "P"]:
    """All entries of some tensors, one after another."""
    return torch.cat([tensor.flatten() for tensor in tensors])


def gram(
    rows: Float[torch.Tensor, "R P"], metric: Float[torch.Tensor, "P"] | None = None
) -> Float[np.ndarray, "R R"]:
    """Inner products of rows, each parameter weighted by the metric if there is one."""
    other = rows if metric is None else rows * metric
    return (other @ rows.T).double().cpu().numpy()


def geometry(products: Float[np.ndarray, "R R"], passed: Bool[np.ndarray, "R"]) -> Geometry:
    """|D|^2, V_1 and V_0 from the Gram matrix of rollouts, each unbiased.

    Raises:
        ValueError: Less than two rollouts passed, or less than two failed.
    """
    up, down = np.flatnonzero(passed), np.flatnonzero(~passed)
    if min(up.size, down.size) < 2:
        raise ValueError(
            f"{up.size} rollouts passed and {down.size} failed: a variance needs two of each"
        )
    (above, noise1), (below, noise0) = (_mean_square(products, one) for one in (up, down))
    between = float(products[np.ix_(up, down)].mean())
    return Geometry(above + below - 2.0 * between, noise1, noise0)


def _mean_square(
    products: Float[np.ndarray, "R R"], chosen: Int[np.ndarray, "S"]
) -> tuple[float, float]:
    """Squared norm of the mean of a class, and the trace of its covariance."""
    inside = products[np.ix_(chosen, chosen)]
    diagonal = float(np.trace(inside))
    pairs = (float(inside.sum()) - diagonal) / (chosen.size * (chosen.size - 1))
    return pairs, diagonal / chosen.size - pairs


def contrast(
    rows: Float[torch.Tensor, "R P"], passed: Bool[np.ndarray, "R"]
) -> Float[torch.Tensor, "P"]:
    """D, as the difference of the mean scores of passing and failing rollouts."""
    up = torch.from_numpy(passed)
    return rows[up].mean(0) - rows[~up].mean(0)


def cosines(
    contrasts: Float[torch.Tensor, "J P"],
    squares: Float[np.ndarray, "J"],
    metric: Float[torch.Tensor, "P"] | None = None,
) -> Float[np.ndarray, "J J"]:
    """Cosine of D between prompts, 1 on the diagonal; NaN where |D|^2 is not positive.

    Two prompts share no rollout, so that the inner product of their D is unbiased as it is;
    only the norms need the unbiased `squares`. A cosine may come out beyond 1.
    """
    norms = np.sqrt(np.where(squares > 0.0, squares, np.nan))
    found = gram(contrasts, metric) / norms[:, None] / norms
    np.fill_diagonal(found, np.where(np.isnan(norms), np.nan, 1.0))
    return found


def coefficients(
    estimator: Estimator, rewards: Float[np.ndarray, "G N"]
) -> Float[np.ndarray, "G N"]:
    """Weight of each score in the gradient of its group: its advantage over N."""
    G, N = rewards.shape
    groups = torch.arange(G).repeat_interleave(N)
    mask = torch.ones(G * N, 1, dtype=torch.bool)
    found = advantages(estimator, torch.from_numpy(rewards.reshape(-1, 1)), groups, mask)
    return found.view(G, N).numpy() / N


def ordered(prompts: Prompts, num: int) -> Int[np.ndarray, "J"]:
    """The first prompts of every family in turn, `num` in all or as many as there are."""
    families = np.array(prompts.families)
    seen = [np.flatnonzero(families == name) for name in sorted(set(prompts.families))]
    depth = max(len(rows) for rows in seen)
    turns = [rows[turn] for turn in range(depth) for rows in seen if turn < len(rows)]
    return np.sort(np.array(turns[:num]))
