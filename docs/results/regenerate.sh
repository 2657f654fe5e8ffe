#!/bin/sh
# Makes every result of docs/results again, in a folder OUT laid out like it; `make results` runs it.
#
#   OUT=out/results FRACTION=1 SEED=0 JOBS=2 sh docs/results/regenerate.sh
#
# FRACTION of the seeds and of the effort (.05 shows in an hour whether all of it runs), SEED of
# all that measures and trains (simulated seeds are 0, 1, ...), JOBS at a time, LENGTHS whose
# gradient geometry is measured, PASSBAND the command. Warm-started models are kept in
# PASSBAND_CACHE, as always. Runs that are found finished in OUT/runs are not run again, so that
# a chain that was broken off goes on.
set -eu

OUT=${OUT:-out/results}
FRACTION=${FRACTION:-1}
SEED=${SEED:-0}
JOBS=${JOBS:-2}
LENGTHS=${LENGTHS:-0 6 24 96}
PASSBAND=${PASSBAND:-passband}
export OMP_NUM_THREADS=1

make() {
    echo "passband $*"
    $PASSBAND "$@"
}

# Gradient geometry and SNR (docs/snr.md).
# shellcheck disable=SC2086 # several lengths are several words
make snr --seed "$SEED" --lengths $LENGTHS --fraction "$FRACTION" --out "$OUT/snr"

# The update confound (docs/confound.md): runs, then worlds from their start, then both together.
RUNS=$OUT/runs/confound
RESULTS=$OUT/confound
SEEDS=$(awk "BEGIN { n = 10 * $FRACTION; print (n > int(n)) ? int(n) + 1 : int(n) }")
confound() {
    make confound --seeds 10 --seed "$SEED" --fraction "$FRACTION" --jobs "$JOBS" \
        --out "$RUNS" --results "$RESULTS" "$@"
}
confound
P=population=$RESULTS/start.json,family_share=.8,target=.8
S=pass_noise=0,fail_noise=1.5
L=pass_noise=16,fail_noise=18
make compare --groups 16 --rollouts 16 --prompts 2000 --steps 400 \
    --seeds "$SEEDS" --jobs "$JOBS" --out "$OUT/runs/worlds" \
    --strategies uniform speed speed-released dynamic \
    --worlds "coupled:$P,$S,updates=1" "coupled:$P,$S,updates=6" \
    "coupled:$P,$S,optimizer=sgd,updates=1" "coupled:$P,$S,optimizer=sgd,updates=6" \
    "coupled:$P,$S,estimator=grpo,updates=1" "coupled:$P,$S,estimator=grpo,updates=6" \
    "coupled:$P,$L,updates=1" "coupled:$P,$L,updates=6"
confound --read --simulated "$OUT/runs/worlds"

# Predictions, made before the runs that they are about (docs/prediction.md).
predicted() { # name, model, prompts, pass rate to end at, targets...
    name=$OUT/prediction/$1 runs=$OUT/runs/$1 model=$2 prompts=$3 enough=$4
    shift 4
    make measure --model "$model" --prompts "$prompts" --seed "$SEED" \
        --fraction "$FRACTION" --out "$name-measured.json"
    make predict "$name-measured.json" --targets "$@" --fraction "$FRACTION" --out "$name"
    make study --model "$model" --prompts "$prompts" --enough "$enough" --seed "$SEED" \
        --fraction "$FRACTION" --jobs "$JOBS" --out "$runs"
    make judge "$name" "$runs" --out "$name-judged"
}
predicted strings tiny strings .82 .6 .7 .8
LETTERS=$($PASSBAND warm-start --prompts letters --hidden 64)
predicted letters-64 "$LETTERS" letters .67 .5 .6 .65
echo "results in $OUT"
