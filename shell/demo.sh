# shellcheck shell=sh
# The prompt of `credhelper demo --shell` in sh, which reads what $ENV names.
PS1='(credhelper demo) ${AWS_PROFILE:-no profile} $ '
