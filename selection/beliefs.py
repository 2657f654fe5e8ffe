r"""Beta beliefs about the pass rate of each prompt.

One belief per prompt, $p \sim \mathrm{Beta}(\alpha, \beta)$, independent between prompts.
Older evidence may fade towards the prior, since the policy moves:

$$
\alpha \leftarrow \lambda\alpha + (1-\lambda)\alpha_0 + s, \qquad
\beta  \leftarrow \lambda\beta  + (1-\lambda)\beta_0  + N - s.
$$

References: MoPPS (arXiv 2507.04632), whose memory $\lambda$ this is; CurES (arXiv 2510.01037,
Eqs. 22-24) with $\lambda = 1$.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Beliefs:
    """Beta(alpha, beta) over the pass rate of each of M prompts."""

    alpha: Float[np.ndarray, "M"]
    beta: Float[np.ndarray, "M"]

    @classmethod
    def prior(cls, num_prompts: int, prior: tuple[float, float]) -> "Beliefs":
        """The same belief about every prompt."""
        alpha, beta = prior
        return cls(np.full(num_prompts, float(alpha)), np.full(num_prompts, float(beta)))

    def means(self, prompts: Int[np.ndarray, "K"]) -> Float[np.ndarray, "K"]:
        """Expected pass rate of each prompt."""
        return self.alpha[prompts] / (self.alpha[prompts] + self.beta[prompts])

    def update(
        self,
        prompts: Int[np.ndarray, "K"],
        passes: Float[np.ndarray, "K"] | Int[np.ndarray, "K"],
        failures: Float[np.ndarray, "K"] | Int[np.ndarray, "K"],
        prior: tuple[float, float],
        memory: float = 1.0,
    ) -> "Beliefs":
        """Beliefs after new evidence about distinct prompts; the others' do not fade."""
        alpha, beta = self.alpha.copy(), self.beta.copy()
        fade = 1.0 - memory
        alpha[prompts] = memory * alpha[prompts] + fade * prior[0] + passes
        beta[prompts] = memory * beta[prompts] + fade * prior[1] + failures
        return Beliefs(alpha, beta)
