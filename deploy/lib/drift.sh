# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# The scenario `drift` of the quickstart: the world changes, and godwit finds out, learns anew and puts the new model to
# work by itself. To be sourced by deploy/quickstart, whose functions it uses.
#
# Nothing here is faster than godwit: windows and waits are shortened by configuration, and simulated viewers act so fast
# that outcomes fit into them. Every stage waits for a condition and has a deadline.

DRIFT_RATE=100 # requests a second
DRIFT_PAST=30m # of history: what counts events must not still be filling up
DRIFT_CALM_S=30
DRIFT_HISTORY_S=60
DRIFT_ALERTS_TOLD=8

# OPTION=VALUE|WHY
DRIFT_SETTINGS=(
    "score.served_sample=1|every request gives examples, not one in a hundred"
    "label.window=10s|an outcome is final after 10 s, not 3 h: viewers act 20 times as fast (simulate --pace 20)"
    "label.settle=2s|likewise"
    "monitor.window=10s|live quality in windows of 10 s, not 5 min"
    "monitor.lateness=5s|likewise"
    "monitor.commit_interval=500ms|an alert is out half a second after the row that decided, not 5 s"
    "monitor.drift_days=1|a false alarm a day at 4,000 samples a second, not in 30 days: a true one is some seconds sooner"
    "monitor.drift_update=15s|an alert that stays open asks for a training every 15 s, not 5 min"
    "retrain.cooldown=10s|the next attempt after 10 s, not 10 min"
    "retrain.history=${DRIFT_HISTORY_S}s|rows of the last minute alone: an old truth is not to be learned"
    "retrain.decay=0.1|live quality asks by itself when it is a tenth worse, not a twentieth: here the alert shall"
    "retrain.holdout=0.35|a third of these rows decides at the gate, not a fifth"
    "retrain.margin=0.02|so few rows cannot rule out 0.002 nats"
    "retrain.trees=60|trained in seconds"
    "retrain.depth=5|likewise"
    "retrain.eta=0.2|likewise"
    "retrain.shadow=5s|scores unseen for 5 s, not 30 s"
    "retrain.canary=15s|then serves a tenth of the users for 15 s, not 30 s"
    "retrain.probation=10m|and may be taken back for 10 min, not a day"
)
DRIFTS=(--drift shift=1 --drift concept=1)

drift_prepare() {
    # More requests than by default and fewer candidates: rows with outcomes are what it takes.
    TRAFFIC_WORLD=(--seed 1 --users 20000 --authors 1000 --tweets 5000 --candidates 15 --rate "$DRIFT_RATE" --pace 20)
    TRAFFIC_LIVE=(--history "$DRIFT_PAST" --drift-on-signal "${DRIFTS[@]}")
    # Of the same age as live traffic will be: counters of a young world grow. The tolerance is for what they differ by.
    EXAMPLES=(--history 35m --warm-up 32m --count 100000)
    HEADS=is_dwelled:1,is_clicked:5
    # Half of the rows are held out: the more of them, the sooner a rise of the loss is beyond what they leave open.
    TRAIN_OPTIONS=(--holdout 0.5 --trees 60 --depth 5 --eta 0.2 --drift-tolerance 0.1)
}

# ---- configuration ------------------------------------------------------------------------------------------------------

drift_config() {
    local setting name section
    for setting in "${DRIFT_SETTINGS[@]}"; do
        name=${setting%%=*} section=${setting%%.*}
        setting=${setting%%|*}
        setting=${setting#*=}
        printf '\n\n[%s]\n%s = %s' "$section" "${name#*.}" "$setting"
    done
}

# A reference of a minute knows one hour of one day: those two features would drift by themselves.
drift_files() {
    FEATURES=$DIR/features.ini
    awk '/^\[/ { keep = $0 !~ /^\[feature request\.(hour|dow)\]/ } keep || !started { print } /^\[/ { started = 1 }' \
        "$ROOT/schemas/features.ini" >"$DIR/features.ini"
}

drift_print_settings() {
    local setting name
    note ""
    note "Settings that this scenario changes, so that it takes minutes and not days ($DIR/godwit.ini):"
    for setting in "${DRIFT_SETTINGS[@]}"; do
        name=${setting%%|*}
        note "$(printf '  %-28s %s' "$name" "${setting#*|}")"
    done
    note "$(printf '  %-28s %s' features.file "without request.hour and request.dow, of which a reference of a minute knows one value")"
    note ""
}

# ---- telling and waiting ------------------------------------------------------------------------------------------------

drift_seconds() { seconds_since "$BUILT"; }

say() { note "$(printf '%6.1f s  %s' "$(drift_seconds)" "$*")"; }

stage() { # TITLE
    STAGE=$1
    STAGE_BEGAN=$EPOCHREALTIME
    note ""
    say "== $STAGE"
}

# Ends a stage; its time goes into the table at the end.
stage_done() {
    DRIFT_TIMES+=("$(printf '%6.1f s  %s' "$(seconds_since "$STAGE_BEGAN")" "$STAGE")")
}

drift_fail() { # MESSAGE...
    note ""
    say "FAILED at '$STAGE': $*"
    note "logs: $DIR/log/godwit.log, $DIR/log/traffic.log; the end of godwit.log that is no information:"
    grep -E ' (warn|error) ' "$DIR/log/godwit.log" 2>/dev/null | tail -n 8 >&2 || true
    exit 1
}

# Waits until COMMAND succeeds, or fails the scenario.
await() { # SECONDS WHAT COMMAND...
    local seconds=$1 what=$2 deadline=$((SECONDS + $1)) next=$((SECONDS + 10))
    shift 2
    until "$@"; do
        ((SECONDS < deadline)) || drift_fail "no $what within $seconds s${PROGRESS:+ ($PROGRESS)}"
        if ((SECONDS >= next)) && [[ -n $PROGRESS ]]; then
            say "  $PROGRESS"
            next=$((SECONDS + 10))
        fi
        service_pid godwit >/dev/null || drift_fail "godwit has ended"
        service_pid traffic >/dev/null || drift_fail "the traffic has ended"
        sleep 0.5
    done
    PROGRESS=
}

get() { # PATH
    curl -sf -m 5 --noproxy '*' "$(godwit_url)$1"
}

# ---- the past -----------------------------------------------------------------------------------------------------------

is_caught_up() {
    local lag
    lag=$(features_lag) || return 1
    PROGRESS="$lag records of the past are not yet in the features"
    grep -q 'phase=live' "$DIR/log/traffic.log" && ((lag < FEATURES_LAG_MAX))
}

stage_past() {
    stage "a world with a past: users, authors, what they did in the last $DRIFT_PAST"
    await 240 "live traffic on features that are up to date" is_caught_up
    say "live traffic: $DRIFT_RATE requests a second of 15 candidates"
    serve_first_model
    CHAMPION=2
    CALM_BEGAN=$EPOCHREALTIME
    stage_done
}

# ---- trainings ----------------------------------------------------------------------------------------------------------

run_field() { jq -r "$1 // empty" <<<"$RUN"; }

# Narrates a run until it has ended; RUN is what it was last.
run_has_ended() {
    local state round
    RUN=$(godwit runs show "$RUN_ID" --json 2>/dev/null) || return 1
    state=$(run_field .state)
    if [[ $state != "$RUN_STATE" ]]; then
        tell_gate
        tell_state "$state"
        RUN_STATE=$state
        # While the old champion still serves nearly everybody.
        if [[ $state == CANARY ]] && measure_quality "$CHAMPION" "$SINCE"; then
            DURING=$ENTROPY DURING_AUC=$AUC
        fi
    fi
    round=$(run_field '.curve[-1] | select(.) | "\(.head), round \(.round): log loss \(.logLoss * 1e4 | round / 1e4)"')
    [[ $state != TRAINING || -z $round || $round == "$RUN_ROUND" ]] || say "  training: $round"
    RUN_ROUND=$round
    PROGRESS=
    [[ $(run_field .active) != true ]]
}

# States may be so short that nobody sees them; the gate's verdict stays.
tell_gate() {
    local verdict
    verdict=$(run_field '.gate | select(.) | def short: . * 1e4 | round / 1e4;
        "gate, on \(.rows) later rows: log loss \(.candidate.logLoss | short), the champion has " +
        "\(.champion.logLoss | short) (difference between \(.lossDifferenceLow | short) and " +
        "\(.lossDifferenceHigh | short), up to \(.margin) is allowed)"')
    [[ -z $verdict || -n $RUN_GATE ]] || say "$verdict"
    RUN_GATE=$verdict
}

tell_state() { # STATE
    local verdict
    case $1 in
    DATASET) say "data set: examples of the last $DRIFT_HISTORY_S s, and feature samples for the reference of drift" ;;
    TRAINING) say "training on $(run_field .rows) rows" ;;
    REQUESTED | GATING | REGISTERED) ;; # the gate's verdict is told
    SHADOW) say "shadow: version $(run_field .version) scores every request unseen" ;;
    CANARY) say "canary: version $(run_field .version) serves a share of the users" ;;
    PROMOTED) say "promoted: version $(run_field .version) is the champion" ;;
    REFUSED)
        verdict=$(run_field .verdict)
        say "refused: ${verdict#*margin *; }" # the numbers before that are told
        ;;
    *) say "$1: $(run_field .verdict)" ;;
    esac
}

follow_run() { # ID SECONDS
    RUN_ID=$1 RUN_STATE='' RUN_ROUND='' RUN_GATE=''
    await "$2" "end of run $1" run_has_ended
    [[ $(run_field .state) == PROMOTED ]]
}

# ---- watching -----------------------------------------------------------------------------------------------------------

# The newest three windows of a version's primary head that began since then, oldest first: normalised entropy and AUC.
quality_windows() { # VERSION SINCE
    get "/metrics/performance/$MODEL?windows=48" | jq -r --arg head "${HEADS%%:*}" --argjson version "$1" --arg since "$2" '
        .metrics.windows
        | map(select(.head == $head and .variant == "champion" and .version == $version and .start >= $since))
        | sort_by(.start)[-3:][] | "\(.normalisedEntropy.value) \(.auc.value)"'
}

# Sets ENTROPY and AUC to the medians of those windows, empty when there is none.
measure_quality() { # VERSION SINCE
    local windows
    windows=$(quality_windows "$1" "$2") || return 1
    ENTROPY=$(cut -d ' ' -f 1 <<<"$windows" | median)
    AUC=$(cut -d ' ' -f 2 <<<"$windows" | median)
}

median() { sort -g | awk 'NF { v[++n] = $1 } END { if (n) printf "%.3f\n", v[int((n + 1) / 2)] }'; }

less() { awk "BEGIN { exit !($1 < $2) }"; }

# A time in the form of the API's, so that texts compare as times do.
api_time() { # EPOCHREALTIME
    date -u -d "@${1%[.,]*}" +%Y-%m-%dT%H:%M:%S
}

# Alerts of a version that said something since then, oldest first: KIND STREAM EFFECT HARM PSI.
alerts() { # VERSION SINCE
    get "/drift?model=$MODEL&limit=200" | jq -r --argjson version "$1" --arg since "$2" '
        .alerts | sort_by(.since)[] | select(.version == $version and .at >= $since)
        | [.kind, .stream, .effectSigma // 0, .harm // 0, .psi // 0] | @tsv'
}

is_calm() {
    local windows
    windows=$(quality_windows "$CHAMPION" "$SINCE" | wc -l) || return 1
    tell_alerts "before any drift"
    PROGRESS="$windows windows of live quality, $ALERT_COUNT alerts"
    ((windows >= 2 && ${EPOCHREALTIME%[.,]*} - ${CALM_BEGAN%[.,]*} >= DRIFT_CALM_S))
}

stage_calm() {
    stage "calm: inputs, score and loss of version $CHAMPION are watched"
    SINCE=$(api_time "$CALM_BEGAN")
    await 180 "two windows of live quality" is_calm
    measure_quality "$CHAMPION" "$SINCE" || drift_fail "live quality cannot be read"
    BEFORE=$ENTROPY BEFORE_AUC=$AUC
    say "alerts: $ALERT_COUNT; normalised entropy $BEFORE (1: knows no more than the base rate), AUC $AUC"
    stage_done
}

# ---- the drift ----------------------------------------------------------------------------------------------------------

stage_drift() {
    STAGE=drift
    note ""
    say "== drift: candidate scores, followers and text lengths rise by a standard deviation, and viewers' likes turn round"
    kill -USR1 "$(service_pid traffic)"
    DRIFTED=$EPOCHREALTIME
    SINCE=$(api_time "$DRIFTED")
    ALERTED=
}

describe_alert() { # KIND STREAM EFFECT HARM PSI
    case $1 in
    concept) printf "loss of '%s' is up by %.1f %% (%+.2f deviations)" "$2" "$(awk "BEGIN { print 100 * ($4) }")" "$3" ;;
    score) printf "score: %+.2f sigma, PSI %.2f" "$3" "$5" ;;
    *) printf "%s '%s': %+.2f sigma, PSI %.2f" "$1" "$2" "$3" "$5" ;;
    esac
}

# Tells each alert once, the first ones in words. ALERTED: their kinds.
tell_alerts() { # WHEN
    local kind stream effect harm psi
    while IFS=$'\t' read -r kind stream effect harm psi; do
        [[ -n $kind && -z ${TOLD[$kind/$stream]:-} ]] || continue
        TOLD[$kind/$stream]=1
        ALERTED+=" $kind"
        if ((++ALERT_COUNT <= DRIFT_ALERTS_TOLD)) || [[ $kind == concept ]]; then
            say "ALERT $1: $(describe_alert "$kind" "$stream" "$effect" "$harm" "$psi")"
        fi
    done < <(alerts "$CHAMPION" "$SINCE")
}

is_alarmed() { # KIND...
    local kind
    tell_alerts "$(seconds_since "$DRIFTED") s after the drift"
    for kind in "$@"; do
        [[ " $ALERTED " != *" $kind "* ]] || return 0
    done
    return 1
}

# By the alert of the loss, or by windows of live quality that asked for a training before it.
harm_is_known() {
    is_alarmed concept || has_asked && return
    measure_quality "$CHAMPION" "$SINCE" || true
    PROGRESS="no alert of the loss yet; normalised entropy since the drift: ${ENTROPY:-no window yet}"
    return 1
}

stage_alarm() {
    stage "alarm: which inputs have moved"
    STAGE_BEGAN=$DRIFTED
    await 60 "alert of a feature" is_alarmed feature score
    stage_done
    stage "alarm: does it do harm (an outcome is known after $((10 + 2)) s)"
    STAGE_BEGAN=$DRIFTED
    await 150 "alert of the loss" harm_is_known
    stage_done
}

# ---- the answer ---------------------------------------------------------------------------------------------------------

# Runs since the drift, oldest first: what was refused is told, the first other one is RUN_ID.
has_asked() {
    local id state reason verdict what
    RUN_ID=
    while IFS=$'\t' read -r id state reason verdict; do
        [[ -n $RUN_ID || $state == REFUSED ]] || RUN_ID=$id
        what=$id
        [[ $state != REFUSED ]] || what=$verdict # many alerts are refused for the same reason
        [[ -z ${TOLD[$what]:-} ]] || continue
        TOLD[$what]=1
        if [[ $state == REFUSED ]]; then
            say "asked and refused: $reason: $verdict"
        else
            say "a training is asked for: $reason"
        fi
    done < <(godwit runs list --model "$MODEL" --limit 300 --json | jq -r --arg since "$SINCE" --arg past "$RUNS_DONE" '
        sort_by(.createdAt)[] | select(.createdAt >= $since and (.id | inside($past) | not))
        | [.id, .state, .reason, .verdict] | @tsv')
    PROGRESS="no training has been asked for"
    [[ -n $RUN_ID ]]
}

stage_retrain() {
    stage "the answer: training, gate, shadow, canary, promotion"
    STAGE_BEGAN=$DRIFTED
    DURING=unknown DURING_AUC=unknown
    while :; do
        await 240 "training that an alert asked for" has_asked
        ! follow_run "$RUN_ID" 240 || break
        RUNS_DONE+=" $RUN_ID"
        ((${EPOCHREALTIME%[.,]*} - ${DRIFTED%[.,]*} < 300)) || drift_fail "no promotion within 300 s of the drift"
        say "  the alert is still open and asks again"
    done
    say "live quality of version $CHAMPION under the drift: normalised entropy $DURING, AUC $DURING_AUC"
    OLD=$CHAMPION CHAMPION=$(run_field .version)
    PROMOTED=$EPOCHREALTIME
    stage_done
}

is_better() {
    measure_quality "$CHAMPION" "$(api_time "$PROMOTED")" || return 1
    PROGRESS="normalised entropy of version $CHAMPION: ${ENTROPY:-no window yet}, of version $OLD it was $DURING"
    [[ -n $ENTROPY ]] && less "$ENTROPY" "($BEFORE + $DURING) / 2"
}

stage_back() {
    stage "quality is back"
    await 150 "window in which version $CHAMPION is clearly better than version $OLD was" is_better
    say "normalised entropy: $BEFORE before, $DURING under the drift, $ENTROPY now"
    say "AUC:                $BEFORE_AUC before, $DURING_AUC under the drift, $AUC now"
    stage_done
}

drift_summary() {
    local line
    note ""
    note "The loop has closed in $(drift_seconds) s:"
    for line in "${DRIFT_TIMES[@]}"; do
        note "  $line"
    done
    cat <<TEXT

Everything goes on: the traffic is that of the new world, version $CHAMPION is watched.

  dashboard   http://localhost:$GODWIT_PORT
  look        export GODWIT_CONFIG=$DIR/godwit.ini PATH=$BINARIES:\$PATH
              godwit drift alerts; godwit drift show $MODEL; godwit drift promise $MODEL
              godwit runs list; godwit models history $MODEL
  logs        $DIR/log/godwit.log, traffic.log
  stop        $(command_line stop)   (not made to be left on for days)
  delete      $(command_line reset)
TEXT
}

drift_scenario() {
    PROGRESS='' DRIFT_TIMES=() ALERTED='' ALERT_COUNT=0 RUNS_DONE=''
    declare -gA TOLD=()
    drift_print_settings
    DRIFT_TIMES+=("$(printf '%6.1f s  %s' "$(drift_seconds)" "services, workers, a first model (without the build)")")
    stage_past
    stage_calm
    stage_drift
    stage_alarm
    stage_retrain
    stage_back
    drift_summary
}
