# `credhelper demo --shell` in zsh, read as its .zshrc: the hook as anybody has it, and the prompt.
source "$CREDHELPER_DEMO_HOOK"

setopt prompt_subst interactive_comments
if [[ -n ${NO_COLOR:-} ]]; then
    PROMPT='(credhelper demo) ${AWS_PROFILE:-no profile} $ '
else
    PROMPT='%B%F{cyan}(credhelper demo)%f%b %F{green}${AWS_PROFILE:-no profile}%f $ '
fi
