#!/bin/sh
# Makes every result of docs/results again, in a folder OUT laid out like it; `make results` runs it.
#
#   OUT=out/results FRACTION=1 SEED=0 JOBS=2 sh docs/results/regenerate.sh
#
# FRACTION of the seeds and of the effort (.05 shows in an hour whether all of it runs), SEED of
# all that measures and trains but the warm starts (simulated seeds are 0, 1, ...), JOBS at a time, LENGTHS whose
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

run() {
    echo "passband $*"
    $PASSBAND "$@"
}

# Gradient geometry and SNR (docs/snr.md).
# shellcheck disable=SC2086 # several lengths are several words
run snr --seed "$SEED" --lengths $LENGTHS --fraction "$FRACTION" --out "$OUT/snr"

# The update confound (docs/confound.md): runs, then worlds from their start, then both together.
RUNS=$OUT/runs/confound
RESULTS=$OUT/confound
SEEDS=$(awk "BEGIN { n = 10 * $FRACTION; print (n > int(n)) ? int(n) + 1 : int(n) }")
confound() {
    run confound --seeds 10 --seed "$SEED" --fraction "$FRACTION" --jobs "$JOBS" \
        --out "$RUNS" --results "$RESULTS" "$@"
}
confound
P=population=$RESULTS/start.json,family_share=.8,target=.8
S=pass_noise=0,fail_noise=1.5
L=pass_noise=16,fail_noise=18
C=ratio=behaviour,clip=.2/.2
run compare --groups 16 --rollouts 16 --prompts 2000 --steps 400 \
    --seeds "$SEEDS" --jobs "$JOBS" --out "$OUT/runs/worlds" \
    --strategies uniform speed speed-released dynamic \
    --worlds "coupled:$P,$S,$C,updates=1" "coupled:$P,$S,$C,updates=6" \
    "coupled:$P,$S,$C,optimizer=sgd,updates=1" "coupled:$P,$S,$C,optimizer=sgd,updates=6" \
    "coupled:$P,$S,$C,estimator=grpo,updates=1" "coupled:$P,$S,$C,estimator=grpo,updates=6" \
    "coupled:$P,$L,$C,updates=1" "coupled:$P,$L,$C,updates=6" \
    "coupled:$P,$S,ratio=behaviour,updates=6"
confound --read --simulated "$OUT/runs/worlds"

# Predictions, made before the runs that they are about (docs/prediction.md).
measured() { # name, model, prompts
    run measure --model "$2" --prompts "$3" --seed "$SEED" --fraction "$FRACTION" \
        --out "$OUT/prediction/$1-measured.json"
}
predicted() { # name, measurement, options...
    name=$1 measurement=$2
    shift 2
    run predict "$OUT/prediction/$measurement-measured.json" --fraction "$FRACTION" \
        --out "$OUT/prediction/$name" "$@"
}
judged() { # name, model, prompts, pass rate to end at, options...
    name=$1 model=$2 prompts=$3 enough=$4
    shift 4
    run study --model "$model" --prompts "$prompts" --enough "$enough" --seed "$SEED" \
        --fraction "$FRACTION" --jobs "$JOBS" --out "$OUT/runs/$name" "$@"
    run judge "$OUT/prediction/$name" "$OUT/runs/$name" --out "$OUT/prediction/$name-judged"
}
remeasured() { # name, model, prompts, training steps...
    name=$1 model=$2 prompts=$3
    shift 3
    run remeasure --model "$model" --prompts "$prompts" --seed "$SEED" \
        --fraction "$FRACTION" --out "$OUT/prediction/$name-remeasured" --steps "$@"
}
LETTERS=$($PASSBAND warm-start --prompts letters --hidden 64)
SIGNS=$($PASSBAND warm-start --prompts signs --hidden 128)
AGED="uniform dynamic speed speed-released"
SIX="--updates 6 --strategies $AGED"
measured strings tiny strings
predicted strings strings
judged strings tiny strings .82
remeasured strings tiny strings 5 15 40 70 110
measured letters-64 "$LETTERS" letters
predicted letters-64 letters-64 --targets .5 .6 .65
judged letters-64 "$LETTERS" letters .67
remeasured letters-64 "$LETTERS" letters 5 15 40 80 130
measured signs-128 "$SIGNS" signs
predicted signs-128 signs-128 --targets .5 .6 .65
judged signs-128 "$SIGNS" signs .67
# shellcheck disable=SC2086 # several options are several words
{
    predicted strings-six strings $SIX # its runs are the confound's
    predicted strings-six-unclipped strings $SIX --clip inf
    predicted signs-128-six signs-128 --targets .5 .6 .65 $SIX
    judged signs-128-six "$SIGNS" signs .67 --set updates=6 --strategies $AGED
    predicted letters-64-six letters-64 --targets .5 .6 .65 $SIX
    judged letters-64-six "$LETTERS" letters .67 --set updates=6 --strategies $AGED
}
measured strings-24 tiny strings:free_tokens=24 # its runs are the confound's
predicted strings-24 strings-24 --strategies uniform dynamic speed-released
predicted strings-24-six strings-24 --strategies uniform dynamic speed-released --updates 6
echo "results in $OUT"
