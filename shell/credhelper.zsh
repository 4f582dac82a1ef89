# credhelper for zsh: AWS_PROFILE without thinking, a login just in time, the time left in the prompt. In ~/.zshrc:
#
#   eval "$(credhelper hook zsh)"      (quicker, as it starts no program: run `credhelper hook zsh --install` once)
#
# Before it, CREDHELPER_COMMANDS='aws cdk …' may name the commands before which a needed login is started ('' for none).
# After it, the profile and the time left in the prompt:
#   zsh:            setopt prompt_subst; PROMPT='${CREDHELPER_SEGMENT:+$CREDHELPER_SEGMENT }'$PROMPT
#   powerlevel10k:  POWERLEVEL9K_RIGHT_PROMPT_ELEMENTS+=(credhelper), in ~/.p10k.zsh; styled by state, as with
#                   POWERLEVEL9K_CREDHELPER_SHORT_FOREGROUND=208 (the states are OK, SHORT and OVER)
#   starship:       export CREDHELPER_TEXT, and an [env_var.CREDHELPER_TEXT] in starship.toml
#   elsewhere:      credhelper_prompt prints it
#
# Every command is written so that no alias, option or function of yours changes it, and the syntax is what all of
# zsh's options read alike: `eval` parses this text as a whole, before any line of it could set an option.

\builtin typeset -g __credhelper_command='@CREDHELPER@'

# --- the board: what the daemon knows, in small files ---------------------------------------------------------------

# REPLY becomes the name of the profile or path $1 on the board: what is not A-Za-z0-9._- becomes +XX, byte by byte.
function __credhelper_encode {
  REPLY=$1
  if [[ $1 != *[^A-Za-z0-9._-]* || ${#1} -gt 250 ]]; then \builtin return 0; fi
  REPLY=${__credhelper_codes[$1]-}
  if [[ -n $REPLY ]]; then \builtin return 0; fi
  \builtin setopt local_options no_multibyte
  \builtin local index char
  for (( index = 1; index <= ${#1}; index++ )); do
    char=${1[index]}
    if [[ $char != [A-Za-z0-9._-] ]]; then char=$(( [##16] #char )) char=+${(l:2::0:)char}; fi
    REPLY+=$char
  done
  __credhelper_codes[$1]=$REPLY
}

# REPLY becomes the first $2 characters of the file $1, or nothing. Neither forks nor waits.
function __credhelper_read {
  REPLY=
  [[ -f $1 && -r $1 ]] || \builtin return 0
  { \builtin read -r -k "$2" -u 0 REPLY <"$1" || : ; } 2>/dev/null
}

# REPLY becomes the profile of the environment, in which a variable is only if it is exported.
function __credhelper_current {
  REPLY=default
  if [[ -n ${AWS_DEFAULT_PROFILE-} && ${(t)AWS_DEFAULT_PROFILE} == *export* ]]; then REPLY=$AWS_DEFAULT_PROFILE; fi
  if [[ -n ${AWS_PROFILE-} && ${(t)AWS_PROFILE} == *export* ]]; then REPLY=$AWS_PROFILE; fi
}

# What the board says of the profile $1. `reply` becomes one of
#   line STATE ENDS LOGIN SHOWN SESSION    what the daemon last wrote of its session
#   none                                   the profile uses no session
#   unknown                                only `credhelper ensure` can tell
function __credhelper_look {
  \builtin local REPLY entry config=${AWS_CONFIG_FILE-}
  \builtin local line='1 [a-z_]## [0-9](#c1,10) (yes|soon|no) [0-9](#c1,10) ([A-Za-z0-9._-]|+[0-9A-F][0-9A-F])##'$'\n'
  reply=(unknown)
  if [[ $config == '~' || $config == '~/'* ]]; then config=${HOME-}${config#\~}; fi
  if [[ -z $config || $config == "${HOME-}/.aws/config" ]]; then
    config=default
  else
    __credhelper_encode "$config"
    config=$REPLY
    if [[ $config != +2F* || ${#config} -gt 200 ]]; then \builtin return 0; fi
  fi
  __credhelper_encode "$1"
  if [[ -z $REPLY || $REPLY == '.' || $REPLY == '..' || ${#REPLY} -gt 250 ]]; then \builtin return 0; fi
  entry=${HOME-}/.local/state/credhelper/board/profile/$config/$REPLY
  __credhelper_read "$entry" 1000
  if [[ $REPLY == ${~line} ]]; then
    reply=("${(@s: :)REPLY%$'\n'}")
    reply[1]=line
  elif [[ ! -e $entry && ! -L $entry && -d ${entry:h} ]]; then
    reply=(none)
  fi
}

# REPLY becomes the name that $1 encodes.
function __credhelper_decode {
  REPLY=${1//+/\\x}
  REPLY=${(g::)REPLY}
}

# REPLY becomes $1 with nothing in it that could steer a terminal or turn the direction of writing.
function __credhelper_harmless {
  REPLY=$1
  if [[ $1 != *[^A-Za-z0-9._-]* ]]; then \builtin return 0; fi
  REPLY=${1//[^[:print:]]/?}
  # U+00AD, U+061C, U+FEFF, U+200B-200F, U+202A-202E, U+2060-206F
  \builtin local unseen=$'\xc2\xad\xd8\x9c\xef\xbb\xbf\xe2\x80\x8b-\xe2\x80\x8f'
  unseen+=$'\xe2\x80\xaa-\xe2\x80\xae\xe2\x81\xa0-\xe2\x81\xaf'
  REPLY=${REPLY//[${~unseen}]/?}
}

# --- credhelper itself: `use` changes this shell ----------------------------------------------------------------------

function credhelper {
  case ${1-} in
  use) __credhelper_use "$@" ;;
  # So that it knows that the hook is here.
  doctor) _CREDHELPER_IN=zsh \builtin command "$__credhelper_command" "$@" ;;
  *) \builtin command "$__credhelper_command" "$@" ;;
  esac
}

function __credhelper_use {
  \builtin emulate -L zsh
  \builtin local name old=${AWS_PROFILE-}
  \builtin shift
  if (( ${@[(I)--help]} + ${@[(I)-h]} + ${@[(I)--print]} )); then
    \builtin command "$__credhelper_command" use "$@"; \builtin return
  fi
  if [[ ${@[-1]-} == '-' ]]; then
    if [[ -z ${__credhelper_previous-} ]]; then
      \builtin print -ru2 -- 'credhelper: no other profile was in use in this shell. Run: credhelper use NAME'
      \builtin return 1
    fi
    \builtin set -- "${@[1,-2]}" '--' "$__credhelper_previous"
  fi
  name=$(\builtin command "$__credhelper_command" use --print "$@") || \builtin return
  if [[ -z $name ]] && (( ! ${@[(I)--unset]} )); then \builtin return 0; fi
  if [[ -n $old && $old != "$name" ]]; then \builtin typeset -g __credhelper_previous=$old; fi
  if [[ -n $name ]]; then \builtin export AWS_PROFILE=$name; else \builtin unset AWS_PROFILE; fi
}

# --- a login just in time ---------------------------------------------------------------------------------------------

# Run the command "$@", to which a function of its name led, once its session is good. Nothing here is ours that could
# reach the command: it would not see an exported variable that a local one hides.
function __credhelper_run {
  __credhelper_check "$@" || \builtin return
  \builtin command "${__credhelper_really[@]}"
}

# Log in first where the command "$@" needs it; fail where it must not run. `aws sso login` is really another command.
function __credhelper_check {
  \builtin emulate -L zsh -o extended_glob +x
  \builtin trap - DEBUG ZERR
  \builtin typeset -ga __credhelper_really
  __credhelper_really=("$@")
  if [[ ! -t 0 || ! -t 2 ]]; then \builtin return 0; fi
  if ! \builtin whence -p -- "$1" "$__credhelper_command" >/dev/null; then \builtin return 0; fi
  \builtin local REPLY tool=$1 profile= clock='%D{%s}'
  \builtin local -a plain rest reply
  \builtin shift
  while (( $# )); do
    case $1 in
      '--') \builtin break ;;
      '--help' | '-help' | '-h') \builtin return 0 ;;
      '--version' | '-version') if (( ! ${#plain} )); then \builtin return 0; fi ;;
      '--profile='*) profile=${1#*=} ;;
      '--profile') profile=${2-} ;|
      '--profile' | '--region' | '--output' | '--query' | '--endpoint-url' | '--ca-bundle' | '--color' | \
        '--cli-'*'-timeout' | '--cli-'*'-format')
        if (( $# > 1 )); then rest+=("$1"); \builtin shift; fi ;; # its value is none of the plain words
      [^-]*) plain+=("$1"); if (( ${#plain} <= 2 )); then \builtin shift; \builtin continue; fi ;;
    esac
    rest+=("$1")
    \builtin shift
  done
  case "$tool ${plain[*]} " in
    'aws sso login '*) __credhelper_really=("$__credhelper_command" aws-sso-login "${rest[@]}" "$@") ;|
    'aws configure '* | 'aws sso '* | "$tool version "* | "$tool help "* | *' help ') \builtin return 0 ;;
    'terraform '* | 'tofu '* | 'pulumi '*) profile= ;; # they know only the environment
  esac
  if [[ -z $profile ]]; then
    if [[ -n ${AWS_ACCESS_KEY_ID-} ]]; then \builtin return 0; fi
    __credhelper_current
    profile=$REPLY
  fi
  __credhelper_look "$profile"
  if [[ $reply[1] == none ]]; then \builtin return 0; fi
  if [[ $reply[1] == line && $reply[4] != yes && $reply[3] -gt ${(%)clock} ]]; then \builtin return 0; fi
  \builtin command "$__credhelper_command" ensure --profile "$profile" >&2
}

# --- the prompt -------------------------------------------------------------------------------------------------------

# Before each prompt: what it can show, and a warning, once, when the session of the current profile is about to end.
function __credhelper_precmd {
  \builtin emulate -L zsh -o extended_glob +x
  \builtin trap - DEBUG ZERR
  \builtin local REPLY left now clock='%D{%s}' bang='%D{!}' profile
  \builtin local -a reply
  \builtin typeset -g CREDHELPER_TEXT= CREDHELPER_SEGMENT=
  \builtin typeset -g __credhelper_level=OK __credhelper_tint= __credhelper_escaped=
  now=${(%)clock}
  __credhelper_register
  __credhelper_current
  profile=$REPLY
  __credhelper_look "$profile"
  if [[ $reply[1] != line ]]; then \builtin return 0; fi
  \builtin local ends=$reply[3] login=$reply[4] shown=$reply[5] session=$reply[6]
  __credhelper_harmless "$profile"
  # Nor with what PROMPT_SUBST would obey: the variable may well stand in double quotes there.
  CREDHELPER_TEXT=${REPLY//[\\\`\$]/?}
  if [[ $login == yes || ( $login == soon && $ends -le $now ) ]]; then
    CREDHELPER_TEXT+=' expired' __credhelper_level=OVER __credhelper_tint=red
    if [[ -n ${__credhelper_alive[$session]-} && $reply[2] != logged_out ]]; then
      __credhelper_warn "$session" 'has ended'
    fi
    __credhelper_alive[$session]=
  elif (( ends > now )); then
    __credhelper_alive[$session]=1
    left=$(( shown - now ))
    if (( left >= 3600 )); then
      CREDHELPER_TEXT+=" $(( left / 3600 ))h${(l:2::0:)$(( left % 3600 / 60 ))}m"
    elif (( left > 0 )); then
      CREDHELPER_TEXT+=" $(( left / 60 ))m"
      if (( left < 900 )); then __credhelper_level=SHORT __credhelper_tint=yellow; fi
    fi
    if [[ $login == soon && ${__credhelper_warned[$session]-} != $ends ]] && (( ends - now < 900 )); then
      __credhelper_warned[$session]=$ends
      left=$(( (ends - now) / 60 ))
      __credhelper_warn "$session" "ends in $(( left > 0 ? left : 1 )) min"
    fi
  fi
  # $bang is an exclamation mark whether or not PROMPT_BANG makes that one special.
  __credhelper_escaped=${${CREDHELPER_TEXT//\%/%%}//\!/$bang}
  if [[ -n ${NO_COLOR-} ]]; then __credhelper_tint=; fi
  CREDHELPER_SEGMENT=$__credhelper_escaped
  if [[ -n $__credhelper_tint ]]; then CREDHELPER_SEGMENT="%F{$__credhelper_tint}$__credhelper_escaped%f"; fi
}

# One line on stderr about the session with the encoded name $1, and what to run.
function __credhelper_warn {
  \builtin local REPLY end=
  __credhelper_decode "$1"
  __credhelper_harmless "$REPLY"
  if [[ $REPLY == '-'* ]]; then end='-- '; fi
  \builtin print -ru2 -- "credhelper: session $REPLY $2. Run: credhelper login $end${(q-)REPLY}"
}

# Print the profile and the time left, as they were at the last prompt.
function credhelper_prompt {
  \builtin print -rn -- "${(%)CREDHELPER_SEGMENT-}"
}

# powerlevel10k calls this for its segment `credhelper`.
function prompt_credhelper {
  if [[ -n ${__credhelper_escaped-} ]]; then
    \p10k segment -s "$__credhelper_level" -f "$__credhelper_tint" -t "$__credhelper_escaped"
  fi
}

# --- completion -------------------------------------------------------------------------------------------------------

# `lines` becomes what may stand in the place of the last of the words "$@": each a value, maybe a tab and a remark.
function __credhelper_offers {
  \builtin local before=${(F)@[1,-2]}
  lines=(${(f)"$(_CREDHELPER_COMPLETE=lines_complete _CREDHELPER_WORDS=$before _CREDHELPER_WORD=${@[-1]} \
    \builtin command "$__credhelper_command" 2>/dev/null)"})
}

function __credhelper_complete {
  \builtin local quote=${compstate[quote]-}
  \builtin local -a lines remarks
  __credhelper_offers "${(@Q)words[2,CURRENT-1]}" "${(Q)${:-$quote$PREFIX$quote}}"
  \builtin compadd -- "${(@)lines:#*$'\t'*}"
  lines=("${(@M)lines:#*$'\t'*}")
  remarks=("${(@)lines/$'\t'/  -- }")
  \builtin compadd -l -d remarks -- "${(@)lines%%$'\t'*}"
}

# The same where nobody has called compinit.
function __credhelper_compctl {
  \builtin emulate -L zsh
  \builtin local -a lines line at
  \builtin read -Ac line
  \builtin read -nc at
  __credhelper_offers "${(@Q)line[2,at-1]}" "$1"
  reply=("${(@)lines%%$'\t'*}")
}

# Whenever compinit is called, completion is then registered at the next prompt.
function __credhelper_register {
  if (( ${+_comps} )); then
    if [[ ${_comps[credhelper]-} != __credhelper_complete && -n ${functions[compdef]-} ]]; then
      \compdef __credhelper_complete credhelper
    fi
  elif (( ! ${+__credhelper_registered} )); then
    \builtin typeset -g __credhelper_registered=1
    \builtin compctl -K __credhelper_compctl credhelper
  fi
}

# --- the start --------------------------------------------------------------------------------------------------------

function __credhelper_start {
  \builtin emulate -L zsh -o extended_glob -o no_aliases
  \builtin local REPLY name again=${+__credhelper_codes} encoded='([A-Za-z0-9._-]|+[0-9A-F][0-9A-F])##'
  \builtin local tools=${CREDHELPER_COMMANDS-aws cdk terraform tofu sam pulumi eksctl}
  # Where it has moved since, or in a checkout, the one on the PATH.
  if [[ $__credhelper_command != /* || ! -x $__credhelper_command ]]; then __credhelper_command=credhelper; fi
  [[ -o interactive ]] || \builtin return 0 # a script gets no more than `credhelper`
  \builtin typeset -ga __credhelper_tools precmd_functions
  \builtin typeset -gA __credhelper_codes __credhelper_alive __credhelper_warned
  # The profile of new shells, but not where keys in the environment stand for another one.
  if (( ! again )) && [[ -z ${AWS_PROFILE+set}${AWS_DEFAULT_PROFILE+set}${AWS_ACCESS_KEY_ID-} ]]; then
    __credhelper_read "${HOME-}/.local/state/credhelper/board/default-profile" 1000
    if [[ ${REPLY%$'\n'} == ${~encoded} ]]; then
      __credhelper_decode "${REPLY%$'\n'}"
      \builtin export AWS_PROFILE=$REPLY
    fi
  fi
  # A function of the user's stays theirs, and so do `cd` and `return`; ours are made anew.
  for name in "${__credhelper_tools[@]}"; do
    if [[ ${functions[$name]-} == *__credhelper_run* ]]; then \builtin unset "functions[$name]"; fi
  done
  __credhelper_tools=()
  for name in ${=tools}; do
    if [[ $name == [A-Za-z0-9._][A-Za-z0-9._-]# && -z ${functions[$name]-}${builtins[$name]-} ]]; then
      functions[$name]="__credhelper_run $name \"\$@\""
      __credhelper_tools+=("$name")
    fi
  done
  if (( ! ${precmd_functions[(I)__credhelper_precmd]} )); then precmd_functions+=(__credhelper_precmd); fi
}
__credhelper_start
