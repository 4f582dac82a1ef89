# shellcheck shell=bash
# The prompt of `credhelper demo --shell` in bash. Nothing else is read there.
if [[ -n ${NO_COLOR:-} ]]; then
    PS1='(credhelper demo) ${AWS_PROFILE:-no profile} $ '
else
    PS1='\[\e[1;36m\](credhelper demo)\[\e[0m\] \[\e[32m\]${AWS_PROFILE:-no profile}\[\e[0m\] $ '
fi
