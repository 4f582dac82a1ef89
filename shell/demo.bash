# shellcheck shell=bash
# `credhelper demo --shell` in bash: the hook as anybody has it, and the prompt. Nothing else is read there.
# shellcheck source=shell/credhelper.bash
. "$CREDHELPER_DEMO_HOOK"

if [[ -n ${NO_COLOR:-} ]]; then
    PS1='(credhelper demo) ${AWS_PROFILE:-no profile} $ '
else
    PS1='\[\e[1;36m\](credhelper demo)\[\e[0m\] \[\e[32m\]${AWS_PROFILE:-no profile}\[\e[0m\] $ '
fi
