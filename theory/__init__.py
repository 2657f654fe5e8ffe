"""Exact results on grouped policy-gradient estimators, and what checks them.

One function per published formula. `advantages`, `tokens` and `losses` say what an estimator
computes; `moments`, `closed_forms` and `snr` what to expect of its gradient; `steps` what a
step along it gains; `groups` and `screening` which groups teach, and what choosing them costs
and changes. GRESO is in `skipping`, `consistency` and `refilling`; MoPPS in `tracking` and
`acquisition`; CurES in `gibbs`, `neyman` and `efficiency`; GVM in `gvm`. `limits` and
`screened_signal` bound and count what selection gains per rollout; `fluid` looks beyond the
next step. `ledger` holds the published claims, each with the `checks` behind its verdict.
`proofs` holds the sympy identities behind the closed forms; nothing else imports sympy.

Notation, in formulas and in argument names: p the pass rate of a prompt, v = p(1-p), N the
rollouts of its group, K how many of them pass; D the difference between the mean score of
passing and of failing rollouts, V1 and V0 the score variances within those two classes.
"""
