# shellcheck shell=bash
# credhelper for bash, 3.2 and newer. One line at the end of ~/.bashrc:
#
#   eval "$(credhelper hook bash)"        (or, quicker: source /path/to/credhelper.bash)
#
# - `credhelper use PROFILE` exports AWS_PROFILE; `use -` goes back, `use --unset` clears; `use` alone lets you choose.
# - aws, cdk, terraform, tofu, sam, pulumi and eksctl log in first where their profile's session needs it. Another list,
#   set before that line: CREDHELPER_COMMANDS='aws terraform' (empty: none). A function of yours of such a name stays.
# - Profile and time left in a prompt of your own: PS1='${CREDHELPER_SEGMENT:+$CREDHELPER_SEGMENT }'$PS1, in single
#   quotes. CREDHELPER_TEXT has the same without colours: for starship, export it. `credhelper_prompt` prints it.
#
# What is known of the sessions stands in small files that the daemon keeps (credhelper/board.py). Builtins read them:
# no process is started before a prompt. Names are never evaluated.

# Aliases are replaced when a function is defined, and `alias command=…` would end up in ours. Switched on again below.
__credhelper_aliases=-u
if \shopt -q expand_aliases; then __credhelper_aliases=-s; fi
\shopt -u expand_aliases

__credhelper_command='@CREDHELPER@'
# Where it has moved since, or in a checkout, the one on the PATH.
if [[ $__credhelper_command != /* || ! -x $__credhelper_command ]]; then __credhelper_command=credhelper; fi

credhelper() {
    case ${1-} in
    use) __credhelper_use "${@:2}" ;;
    # So that it knows that the hook is here.
    doctor) _CREDHELPER_IN=bash command "$__credhelper_command" "$@" ;;
    *) command "$__credhelper_command" "$@" ;;
    esac
}

__credhelper_use() {
    local word name clear='' last=''
    for word in "$@"; do
        last=$word
        case $word in
        -h | --help | --print) command "$__credhelper_command" use "$@"; return ;;
        --unset) clear=1 ;;
        --) break ;;
        esac
    done
    if [[ $last == - ]]; then
        if [[ -z ${__credhelper_previous-} ]]; then
            echo 'credhelper: no other profile was in use in this shell. Run: credhelper use NAME' >&2
            return 1
        fi
        set -- "${@:1:$#-1}" -- "$__credhelper_previous"
    fi
    name=$(command "$__credhelper_command" use --print "$@") || return
    if [[ -n $name || -n $clear ]]; then
        if [ -n "${AWS_PROFILE-}" ] && [ "$AWS_PROFILE" != "$name" ]; then __credhelper_previous=$AWS_PROFILE; fi
        if [[ -n $name ]]; then export AWS_PROFILE="$name"; else unset -v AWS_PROFILE; fi
    fi
}

# --- the board ----------------------------------------------------------------------------------------------------

# No ranges: what lies between A and z depends on the locale.
__credhelper_letters=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-
# What nobody sees or what turns the direction of writing: U+061C, 200E, 200F, 202A to 202E, 2066 to 2069; 00AD, 200B to
# 200D, 2060, FEFF.
__credhelper_marks=$'\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae'
__credhelper_marks+=$'\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9'
__credhelper_marks+=$'\xc2\xad\xe2\x80\x8b\xe2\x80\x8c\xe2\x80\x8d\xe2\x81\xa0\xef\xbb\xbf'
__credhelper_found=

# Sets __credhelper_encoded to a name as the board's files have it (credhelper/names.py).
__credhelper_encode() {
    __credhelper_encoded=$1
    # Of a locale that is missing bash complains whenever it comes back to it.
    case $1 in *[!$__credhelper_letters]*) __credhelper_encode_bytes "$1" 2>/dev/null ;; esac
}

__credhelper_encode_bytes() {
    local LC_ALL=C byte index
    __credhelper_encoded=
    for ((index = 0; index < ${#1}; index++)); do
        byte=${1:index:1}
        case $byte in
        [!$__credhelper_letters])
            printf -v byte %d "'$byte"
            printf -v byte +%02X "$((byte & 255))" # some versions call a byte above 127 negative
            ;;
        esac
        __credhelper_encoded+=$byte
    done
}

# Sets __credhelper_decoded to the plain name. False where it is none that the board could hold.
__credhelper_decode() {
    local hex='[0123456789ABCDEF]' # and no =~, whose BASH_REMATCH is the user's
    case ${1//+$hex$hex/}/$1 in / | *[!$__credhelper_letters]*/* | *+00*) return 1 ;; esac
    printf -v __credhelper_decoded %b "${1//+/\\x}"
}

# Sets __credhelper_harmless to a name without what a terminal would obey, and without the characters of a pattern.
__credhelper_make_harmless() {
    __credhelper_harmless=$1
    case $1 in *[!$__credhelper_letters]*) ;; *) return 0 ;; esac
    __credhelper_harmless=${1//[^[:print:]]/?} # with a locale of ASCII alone, all that is none
    __credhelper_harmless=${__credhelper_harmless//[$__credhelper_marks$2]/?}
}

# Sets __credhelper_profile to the profile of the environment. A variable that is not exported is in none, as far as this
# bash can tell: from 4.4.
__credhelper_current() {
    local name
    __credhelper_profile=default
    for name in AWS_PROFILE AWS_DEFAULT_PROFILE; do
        if [[ -n ${!name-} ]] &&
            { ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)) || [[ ${!name@a} == *x* ]]; }; then
            __credhelper_profile=${!name}
            return 0
        fi
    done
}

# Sets __credhelper_folder to the board's folder of this environment's AWS config, and __credhelper_file to the entry of
# a profile in it; to nothing where there can be none. Keeps the last answer.
__credhelper_find() {
    local config=${AWS_CONFIG_FILE-} home=${HOME-}
    # Not [[ ]], for which `shopt -s nocasematch` makes two names one.
    [ "$__credhelper_found" != "$home:$config:$1" ] || return 0
    __credhelper_found=$home:$config:$1
    __credhelper_folder=
    __credhelper_file=
    case $config in \~ | \~/*) config=$home${config:1} ;; esac
    __credhelper_encoded=default
    if [[ -n $config && $config != "$home/.aws/config" ]]; then
        if [[ $config != /* ]]; then return 0; fi
        __credhelper_encode "$config"
        if ((${#__credhelper_encoded} > 200)); then return 0; fi
    fi
    config=$home/.local/state/credhelper/board/profile/$__credhelper_encoded
    __credhelper_encode "$1"
    case $__credhelper_encoded in '' | . | ..) return 0 ;; esac
    if ((${#__credhelper_encoded} > 250)); then return 0; fi
    __credhelper_folder=$config
    __credhelper_file=$config/$__credhelper_encoded
}

# Reads the entry of a profile into its caller's variables state, ends, login, shown and session. False where there
# is none that can be understood; nothing of it is used before it is known to be well formed.
# shellcheck disable=SC2034 # the caller's
__credhelper_look() {
    local format='' rest=''
    __credhelper_find "$1"
    # Only regular files: to open a FIFO would wait.
    [[ -f $__credhelper_file && -r $__credhelper_file ]] &&
        { IFS=' ' read -r -n 500 format state ends login shown session rest; } 2>/dev/null <"$__credhelper_file" &&
        [[ $format == 1 && -n $session && ${#session} -le 255 && -z $rest ]] &&
        case $session in *[!+$__credhelper_letters]*) false ;; esac &&
        case $login in yes | soon | no) ;; *) false ;; esac &&
        case $ends$shown in *[!0123456789]*) false ;; esac &&
        [[ -n $ends && ${#ends} -le 10 && -n $shown && ${#shown} -le 10 ]] &&
        ends=$((10#$ends)) && shown=$((10#$shown))
}

# Sets __credhelper_now to the time, in seconds. bash before 4.2 cannot tell it, and counts on from when `date` told it.
__credhelper_clock() {
    if printf -v __credhelper_now '%(%s)T' -1 2>/dev/null; then return 0; fi
    if ((SECONDS < ${__credhelper_ticks:--1} || ! ${__credhelper_birth:-0})); then
        __credhelper_birth=$(($(command date +%s) - SECONDS))
    fi
    __credhelper_ticks=$SECONDS
    __credhelper_now=$((__credhelper_birth + SECONDS))
}

# --- the prompt ---------------------------------------------------------------------------------------------------

__credhelper_refresh() {
    local code=$?
    __credhelper_quietly __credhelper_show
    return "$code"
}

# Runs a function of ours. `set -x` is for what a person types.
__credhelper_quietly() {
    case $- in *x*) { set +x; } 2>/dev/null ;; *) "$@"; return ;; esac
    if "$@"; then set -- 0; else set -- "$?"; fi
    set -x
    return "$1"
}

__credhelper_show() {
    local left time='' colour='' state='' ends='' login='' shown='' session=''
    __credhelper_current
    CREDHELPER_TEXT=
    CREDHELPER_SEGMENT=
    if __credhelper_look "$__credhelper_profile"; then
        __credhelper_clock
        left=$((shown - __credhelper_now))
        if [[ $login == yes || ($login == soon && $ends -le $__credhelper_now) ]]; then
            time=' expired' colour=31
            # Once, and only where this shell has seen it alive.
            if [[ ${__credhelper_alive-} == "$session" ]]; then
                __credhelper_alive=
                if [[ $state != logged_out ]]; then __credhelper_warn 'has ended'; fi
            fi
        elif ((ends > __credhelper_now)); then
            __credhelper_alive=$session
            if ((left >= 3600)); then
                printf -v time ' %dh%02dm' "$((left / 3600))" "$((left % 3600 / 60))"
            elif ((left > 0)); then
                time=" $((left / 60))m"
                if ((left < 900)); then colour=33; fi
            fi
            if [[ $login == soon && $((ends - __credhelper_now)) -lt 900 &&
                ${__credhelper_warned-} != *" $session/$ends "* ]]; then
                __credhelper_warned="${__credhelper_warned-} $session/$ends "
                left=$(((ends - __credhelper_now) / 60))
                __credhelper_warn "ends in $((left > 0 ? left : 1)) min"
            fi
        fi
        # Without what PS1 would obey either: the variable may well stand in double quotes there.
        __credhelper_make_harmless "$__credhelper_profile" '\\$`'
        CREDHELPER_TEXT=$__credhelper_harmless$time
        CREDHELPER_SEGMENT=$CREDHELPER_TEXT
        if [[ -n $colour && -z ${NO_COLOR-} ]]; then
            CREDHELPER_SEGMENT=$'\001\e['${colour}$'m\002'$CREDHELPER_TEXT$'\001\e[0m\002'
        fi
    fi
}

__credhelper_warn() {
    local end='' quoted
    __credhelper_decode "$session" || return 0
    __credhelper_make_harmless "$__credhelper_decoded" ''
    case $__credhelper_harmless in -*) end='-- ' ;; esac
    printf -v quoted %q "$__credhelper_harmless"
    printf 'credhelper: session %s %s. Run: credhelper login %s\n' "$__credhelper_harmless" "$1" "$end$quoted" >&2
}

# --- login, just in time ------------------------------------------------------------------------------------------

# TOOL ARGUMENT…: runs a command, after a login where it needs one.
__credhelper_run() {
    if [[ -t 0 && -t 2 && $# -gt 1 && $- == *i* ]]; then
        __credhelper_quietly __credhelper_before "$@" || return
        if [[ -n $__credhelper_done ]]; then return 0; fi
    fi
    command "$@"
}

# The same arguments. Fails where the command is not to be run; sets __credhelper_done where it has been.
__credhelper_before() {
    local tool=$1 word verb='' profile='' previous=''
    local state='' ends='' login='' shown='' session=''
    local -a rest
    rest=()
    __credhelper_done=
    shift
    for word in "$@"; do
        case $previous in
        --) ;; # what follows is no option
        --region | --output | --query | --endpoint-url | --ca-bundle | --color | --cli-*-timeout | --cli-*-format)
            previous=
            ;;
        --profile) profile=$word previous= ;;
        *)
            previous=$word
            case $word in
            --help | -help | -h) return 0 ;;
            --version | -version) [[ -n $verb ]] || return 0 ;; # after a verb it is an option of that
            --profile=*) profile=${word#*=} ;;
            -*) ;;
            *) verb="$verb $word" ;;
            esac
            case $tool$verb/$word in 'aws sso/sso' | 'aws sso login/login') continue ;; esac
            ;;
        esac
        rest[${#rest[@]}]=$word
    done
    case $tool in terraform | tofu | pulumi) profile= ;; esac # they know only the environment

    case "$tool$verb " in
    "$tool help "* | *' help ' | "$tool version "* | 'aws configure '*) return 0 ;;
    'aws sso login '*)
        type -P "$__credhelper_command" >/dev/null || return 0
        __credhelper_done=1
        command "$__credhelper_command" aws-sso-login ${rest[@]+"${rest[@]}"}
        return
        ;;
    'aws sso '*) return 0 ;;
    esac
    if [[ -z $profile ]]; then
        if [[ -n ${AWS_ACCESS_KEY_ID-} ]]; then return 0; fi # it wins over any profile of the environment
        __credhelper_current
        profile=$__credhelper_profile
    fi
    if __credhelper_look "$profile"; then
        if [[ $login != yes ]]; then
            __credhelper_clock
            if ((__credhelper_now < ends)); then return 0; fi
        fi
    elif [[ -d $__credhelper_folder && ! -e $__credhelper_file && ! -L $__credhelper_file ]]; then
        return 0 # this config is on the board, and the profile uses no session
    fi
    if type -P "$__credhelper_command" >/dev/null && type -P "$tool" >/dev/null; then
        command "$__credhelper_command" ensure --profile "$profile" >&2
    fi
}

# --- completion ---------------------------------------------------------------------------------------------------

__credhelper_complete() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ -n $line ]]; then COMPREPLY[${#COMPREPLY[@]}]=$line; fi
    done <<<"$(_CREDHELPER_COMPLETE=readline_complete _CREDHELPER_LINE=${COMP_LINE:0:COMP_POINT} \
        _CREDHELPER_BREAKS=$COMP_WORDBREAKS command "$__credhelper_command" 2>/dev/null)"
}

# --- at the start -------------------------------------------------------------------------------------------------

# An assignment to what is read-only would end the start-up file; this only fails.
__credhelper_may_change_it() { local PROMPT_COMMAND; } 2>/dev/null

__credhelper_start() {
    credhelper_prompt() {
        set -- "$?"
        printf %s "${CREDHELPER_SEGMENT-}"
        return "$1"
    }

    local names=${CREDHELPER_COMMANDS-aws cdk terraform tofu sam pulumi eksctl} white=$'\t\n' name board
    names=${names//[$white]/ }' '
    while [[ -n $names ]]; do
        name=${names%% *}
        names=${names#* }
        case $name in '' | -* | *[!$__credhelper_letters]*) continue ;; esac
        # Without `return` or `cd` a shell is none. Only names that are not the usual ones cost a fork here.
        case $name in
        aws | cdk | terraform | tofu | sam | pulumi | eksctl) ;;
        *) case $(type -t "$name") in builtin | keyword) continue ;; esac ;;
        esac
        # One of this name is the user's own, or ours from before. (POSIX mode takes no function called `a-b`.)
        declare -F "$name" >/dev/null 2>&1 || eval "function $name { __credhelper_run $name \"\$@\"; }" 2>/dev/null || :
    done

    # A child that inherits an exported PROMPT_COMMAND, but not our functions, finds `:` there. The last status is handed
    # on; with `&& :` it counts as a failure neither for `set -e` nor for a trap on ERR.
    # shellcheck disable=SC2016 # expanded before each prompt, not here
    name='"${__credhelper_hook-:}" && :'
    __credhelper_hook=__credhelper_refresh
    # shellcheck disable=SC2128,SC2178 # only bash 5.1 and newer run more than its first element
    if [[ ${PROMPT_COMMAND[*]-} != *__credhelper_hook* ]] && __credhelper_may_change_it; then
        if [[ -n ${PROMPT_COMMAND[1]+set} ]] && ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] > 500)); then
            PROMPT_COMMAND+=("$name")
        else
            PROMPT_COMMAND=${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}$name
        fi
    fi

    complete -o nosort -F __credhelper_complete credhelper 2>/dev/null || complete -F __credhelper_complete credhelper

    # Once in each shell. What an environment brings along is another shell's.
    if [[ ${__credhelper_started-} != "$$" ]]; then
        __credhelper_started=$$
        unset -v __credhelper_previous __credhelper_alive __credhelper_warned __credhelper_birth
        board=${HOME-}/.local/state/credhelper/board/default-profile
        # Not where keys in the environment stand for another: some programs would then follow the profile.
        if [[ -z ${AWS_PROFILE+set}${AWS_DEFAULT_PROFILE+set}${AWS_ACCESS_KEY_ID-} && -f $board && -r $board ]] &&
            { IFS= read -r -n 800 name; } 2>/dev/null <"$board" && __credhelper_decode "$name"; then
            export AWS_PROFILE="$__credhelper_decoded"
        fi
    fi
}

# A script gets no more than `credhelper`.
[[ $- != *i* ]] || __credhelper_start

shopt "$__credhelper_aliases" expand_aliases
