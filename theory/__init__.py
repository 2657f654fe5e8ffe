"""Exact results on grouped policy-gradient estimators, and what checks them.

One function per published formula. `advantages`, `tokens` and `losses` say what an estimator
computes; `moments`, `closed_forms` and `snr` what to expect of its gradient; `groups` and
`screening` which groups teach, and what choosing them costs and changes. `proofs` holds the
sympy identities behind the closed forms; nothing else imports sympy.

Notation, in formulas and in argument names: p the pass rate of a prompt, v = p(1-p), N the
rollouts of its group, K how many of them pass; D the difference between the mean score of
passing and of failing rollouts, V1 and V0 the score variances within those two classes.
"""
