"""Pass rates of Qwen2.5-Math, as fitted to published counts."""

from theory.limits import Beta

# DSR-sub at the first, 11th and 44th visit of 8 rollouts (ypwang61/One-Shot-RLVR @ 21ed529)
DSR, DSR11, DSR44 = Beta(0.349, 0.707), Beta(0.311, 0.507), Beta(0.323, 0.365)
OPENR1 = Beta(0.337, 1.533, 0.026)  # from a figure of Reinforce-Ada, arXiv:2510.04996
# 1,000 prompts of DAPO-17k with 32 rollouts (Zanette-Labs/speed-rl @ cc3de63)
DAPO_1B, DAPO_7B = Beta(0.399, 2.477), Beta(0.508, 2.197)
UNIFORM = Beta(1.0, 1.0)
# of the 1.5B model, how many prompts had 0 .. 32 passes
PASSES_1B = (
    "340 120 81 68 46 42 36 34 31 25 24 21 12 20 21 10 8 9 11 8 7 1 7 9 4 3 2 0 0 0 0 0 0"
)
