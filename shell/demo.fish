# `credhelper demo --shell` in fish: the hook as anybody has it, and the prompt.
source $CREDHELPER_DEMO_HOOK

set -g fish_greeting
function fish_prompt
    set -q NO_COLOR; or set_color --bold cyan
    echo -n '(credhelper demo) '
    set -q NO_COLOR; or begin
        set_color normal
        set_color green
    end
    if set -q AWS_PROFILE
        echo -n $AWS_PROFILE
    else
        echo -n 'no profile'
    end
    set -q NO_COLOR; or set_color normal
    echo -n ' $ '
end
