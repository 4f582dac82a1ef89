# credhelper for fish 3.4 and newer. One line of config.fish:
#
#   credhelper hook fish | source        (or, quicker: source /path/to/credhelper.fish)
#
# - `credhelper use PROFILE` exports AWS_PROFILE; `use -` goes back, `use --unset` clears; `use` alone lets you choose.
# - aws, cdk, terraform, tofu, sam, pulumi and eksctl log in first where their profile's session needs it. Another list:
#   `set -g CREDHELPER_COMMANDS aws terraform` (empty: none). A function or alias of yours of such a name stays.
# - Profile and time left in a prompt of your own: `function fish_right_prompt; credhelper_prompt; end`. CREDHELPER_TEXT
#   and CREDHELPER_SEGMENT hold the same without colours: for starship, `set -gx CREDHELPER_TEXT`.
#
# What is known of the sessions stands in small files that the daemon keeps (credhelper/board.py). Builtins read them:
# no process is started before a prompt. No universal variable is written.

set -g __credhelper_command '@CREDHELPER@'
# Where it has moved since, or in a checkout, the one on the PATH.
string match -q '/*' -- $__credhelper_command; and test -x $__credhelper_command; or set -g __credhelper_command credhelper

function credhelper --description 'Stay logged in to AWS'
    if contains -- "$argv[1]" use
        __credhelper_use $argv[2..]
    else if contains -- "$argv[1]" doctor
        # So that it knows that the hook is here.
        set -lx _CREDHELPER_IN fish
        command $__credhelper_command $argv
    else
        command $__credhelper_command $argv
    end
end

function __credhelper_use
    if contains -- --help $argv; or contains -- -h $argv; or contains -- --print $argv
        command $__credhelper_command use $argv
        return
    end
    if contains -- "$argv[-1]" -; and not contains -- -- $argv
        if not set -q __credhelper_previous
            echo 'credhelper: no other profile was in use in this shell. Run: credhelper use NAME' >&2
            return 1
        end
        set argv $argv[1..-2] -- $__credhelper_previous
    end
    # In a command substitution the program would not have the terminal for itself.
    set -l name
    command $__credhelper_command use --print $argv | read --delimiter \n name
    set -l code $pipestatus[1]
    test $code = 0; or return $code
    if test -n "$name"; or contains -- --unset $argv
        contains -- "$AWS_PROFILE" '' "$name"; or set -g __credhelper_previous "$AWS_PROFILE"
        set -eg AWS_PROFILE
        if test -n "$name"
            set -gx AWS_PROFILE $name
        else if set -qU AWS_PROFILE
            echo 'credhelper: AWS_PROFILE is also a universal variable, which is yours. Run: set -eU AWS_PROFILE' >&2
            return 1
        end
    end
    return 0
end

# A script gets no more than that.
status is-interactive; or return

# --- the board ----------------------------------------------------------------------------------------------------

set -g __credhelper_board ~/.local/state/credhelper/board

# A file's date and its age, from fish 3.6, are the time without a process.
set -g __credhelper_clock date
builtin -q path; and builtin path mtime --relative / &>/dev/null; and set -g __credhelper_clock builtin

# Sets __credhelper_encoded to a name as the board's files have it (credhelper/names.py).
function __credhelper_encode
    set -g __credhelper_encoded $argv[1]
    string match -qr '\A[A-Za-z0-9._-]*\z' -- $argv[1]
    or set -g __credhelper_encoded (string escape --style=url -- $argv[1] |
        string replace -a % + | string replace -a / +2F | string replace -a '~' +7E)
end

# Sets __credhelper_decoded to the plain name.
function __credhelper_decode
    set -g __credhelper_decoded $argv[1]
    string match -q '*+*' -- $argv[1]
    and set -g __credhelper_decoded (string replace -a + % -- $argv[1] | string unescape --style=url)
end

# Sets __credhelper_plain to text without what a terminal would obey.
function __credhelper_harmless
    set -g __credhelper_plain $argv[1]
    string match -qr '\A[ -~]*\z' -- $argv[1]
    or set -g __credhelper_plain (string replace -ar '[\p{C}\p{Zl}\p{Zp}]' '?' -- $argv[1])
end

# Sets __credhelper_profile to the profile of this environment, in which a variable is only if it is exported.
function __credhelper_current
    set -g __credhelper_profile default
    test -n "$AWS_DEFAULT_PROFILE"; and set -qx AWS_DEFAULT_PROFILE; and set -g __credhelper_profile "$AWS_DEFAULT_PROFILE"
    test -n "$AWS_PROFILE"; and set -qx AWS_PROFILE; and set -g __credhelper_profile "$AWS_PROFILE"
end

# Sets __credhelper_folder to the folder of this environment's AWS config, and __credhelper_file to a profile's entry in
# it; to nothing where there can be none. __credhelper_found_plain is its name as it is shown. Keeps the last answer.
function __credhelper_find
    contains -- "$argv[1]" "$__credhelper_found"; and contains -- "$AWS_CONFIG_FILE" "$__credhelper_found_in"; and return
    set -g __credhelper_found $argv[1]
    __credhelper_harmless $argv[1]
    set -g __credhelper_found_plain $__credhelper_plain
    set -g __credhelper_found_in $AWS_CONFIG_FILE
    set -g __credhelper_folder
    set -g __credhelper_file
    set -l config $AWS_CONFIG_FILE
    string match -q '~/*' -- $config; and set config "$HOME"(string sub -s 2 -- $config)
    set -g __credhelper_encoded default
    if not contains -- "$config" '' "$HOME/.aws/config"
        __credhelper_encode $config
        string match -qr '^\+2F.{0,197}$' -- $__credhelper_encoded; or return
    end
    set -l folder $__credhelper_board/profile/$__credhelper_encoded
    __credhelper_encode $argv[1]
    string match -qr '^(?!\.\.?$).{1,250}$' -- $__credhelper_encoded; or return
    set -g __credhelper_folder $folder
    set -g __credhelper_file $folder/$__credhelper_encoded
end

# Reads a profile's entry. Sets __credhelper_line to the file and its content, and __credhelper_age to the file's age, which
# is below 0 as long as the end to which it is dated lies ahead, and its date. False where there is none.
function __credhelper_read
    __credhelper_find $argv[1]
    test -f "$__credhelper_file" -a -r "$__credhelper_file"; or return
    set -l line
    read -n 2000 line <$__credhelper_file
    set -g __credhelper_line $__credhelper_file $line
    if test $__credhelper_clock = builtin
        set -g __credhelper_age (builtin path mtime --relative $__credhelper_file; builtin path mtime $__credhelper_file)
    else
        set -g __credhelper_age (command date +%s) 0
    end
end

# What that says: __credhelper_state, _login (yes, soon, no), _ends and _session, which the match sets; and
# __credhelper_left, in seconds from now: until the end, until what a prompt shows, that in hours and minutes; then the file's
# ages at which each of the two says something else, and in a minute. False for garbage.
set -g __credhelper_state
set -g __credhelper_login
set -g __credhelper_ends
set -g __credhelper_session
function __credhelper_understand
    string match -qr '^1 (?<__credhelper_state>[a-z_]+) (?<__credhelper_ends>\d{1,10}) (?<__credhelper_login>yes|soon|no) (?<shown>\d{1,10}) (?<__credhelper_session>[A-Za-z0-9._+-]{1,1900})$' -- $__credhelper_line[2]
    or return
    # One command substitution, for it costs more than what runs in it.
    set -l left "($shown - $__credhelper_age[1] - $__credhelper_age[2])"
    set -g __credhelper_left (math "$__credhelper_ends - $__credhelper_age[1] - $__credhelper_age[2]"
        math "$left"
        math --scale=0 "$left / 3600"
        math --scale=0 "$left % 3600 / 60"
        math "$__credhelper_ends - $__credhelper_age[2]"
        math "$__credhelper_age[1] + 1 + $left % 60"
        math "$__credhelper_age[1] + 60")
end

# --- the prompt ---------------------------------------------------------------------------------------------------

function __credhelper_refresh --on-event fish_prompt
    contains -- "$CREDHELPER_COMMANDS" "$__credhelper_guarded"; or __credhelper_guard $CREDHELPER_COMMANDS
    __credhelper_current
    __credhelper_find $__credhelper_profile
    # What was drawn within the last minute from a file of this date still holds.
    if set -q __credhelper_dated[1]; and contains -- "$__credhelper_file" $__credhelper_dated[1]
        set -l age (builtin path mtime --relative $__credhelper_file; builtin path mtime $__credhelper_file)
        contains -- "$age[2]" $__credhelper_dated[2]
        and test $age[1] -ge $__credhelper_valid[1] -a $age[1] -lt $__credhelper_valid[2]
        and return
    end
    if __credhelper_read $__credhelper_profile
        # The same line within the same minute shows the same.
        contains -- "$__credhelper_line" "$__credhelper_drawn"
        and test $__credhelper_age[1] -ge $__credhelper_valid[1] -a $__credhelper_age[1] -lt $__credhelper_valid[2]
        and return
        if __credhelper_understand
            __credhelper_draw
            return
        end
    end
    set -g __credhelper_drawn
    set -g __credhelper_dated
    set -g CREDHELPER_TEXT
    set -g CREDHELPER_SEGMENT
end

function __credhelper_draw
    set -g __credhelper_drawn $__credhelper_line
    set -g __credhelper_colour
    set -l until $__credhelper_left[7]
    set -l time
    if test $__credhelper_login != yes -a $__credhelper_left[1] -gt 0
        set -g __credhelper_alive $__credhelper_session
        test $__credhelper_left[5] -lt $until; and set until $__credhelper_left[5]
        if test $__credhelper_left[2] -gt 0
            test $__credhelper_left[6] -lt $until; and set until $__credhelper_left[6]
            set time " $__credhelper_left[4]m"
            if test $__credhelper_left[3] -gt 0
                set -l zero
                test $__credhelper_left[4] -lt 10; and set zero 0
                set time " $__credhelper_left[3]h$zero$__credhelper_left[4]m"
            else if test $__credhelper_left[2] -lt 900
                set -g __credhelper_colour yellow
            end
        end
        if test $__credhelper_login = soon -a $__credhelper_left[1] -lt 900
            and not contains -- $__credhelper_session/$__credhelper_ends $__credhelper_warned
            set -ga __credhelper_warned $__credhelper_session/$__credhelper_ends
            __credhelper_warn ends in (math "max(1, floor($__credhelper_left[1] / 60))") min
        end
    else if test $__credhelper_login != no
        set time ' expired'
        set -g __credhelper_colour red
        # Once, and only where this shell has seen it alive.
        if contains -- $__credhelper_session $__credhelper_alive
            set -g __credhelper_alive
            test $__credhelper_state = logged_out; or __credhelper_warn has ended
        end
    end
    set -g __credhelper_valid $__credhelper_age[1] $until
    # Where the end is over or not known, or the clock is `date`, a file's date tells nothing.
    set -g __credhelper_dated
    test $__credhelper_age[1] -lt 0 -a $__credhelper_age[2] -gt 1; and set -g __credhelper_dated $__credhelper_file $__credhelper_age[2]
    set -g CREDHELPER_TEXT "$__credhelper_found_plain$time"
    set -g CREDHELPER_SEGMENT $CREDHELPER_TEXT
end

function __credhelper_warn
    __credhelper_decode $__credhelper_session
    __credhelper_harmless $__credhelper_decoded
    set -l end
    string match -q -- '-*' $__credhelper_plain; and set end --
    echo "credhelper: session $__credhelper_plain $argv. Run:" credhelper login $end (string escape -- $__credhelper_plain) >&2
end

function credhelper_prompt --description 'Print profile and time left'
    set -l code $status
    set -l colour $__credhelper_colour
    set -q CREDHELPER_SEGMENT[1]; and test -z "$NO_COLOR"; or set colour
    set -q colour[1]; and set_color $colour
    printf %s $CREDHELPER_SEGMENT
    set -q colour[1]; and set_color normal
    return $code
end

# --- login, just in time ------------------------------------------------------------------------------------------

set -q CREDHELPER_COMMANDS; or set -g CREDHELPER_COMMANDS aws cdk terraform tofu sam pulumi eksctl

# Defines functions of these names, except where there is one already; takes those away that are on the list no more.
function __credhelper_guard
    __credhelper_unguard
    set -g __credhelper_guarded "$argv"
    for name in (string match -ar '\S+' -- $argv | string match -r '^[A-Za-z0-9._][A-Za-z0-9._-]*$')
        functions -q $name; or builtin -q $name; and continue
        function $name --inherit-variable name --description 'Log in to AWS first, where needed'
            __credhelper_run $name $argv
            # Ctrl-C during a command ends the whole line. During a function it would end but the function that runs it.
            # (Not where a function of the user's waits for that signal, which would be called.)
            set -l code $status
            test $code = 130; and not functions --handlers-type signal | string match -q '*SIGINT*'
            and command kill -INT $fish_pid
            return $code
        end
        set -ga __credhelper_guards $name
    end
end

function __credhelper_unguard
    for name in $__credhelper_guards
        functions $name | string match -q '*__credhelper_run*'; and functions -e $name
    end
    set -g __credhelper_guards
    set -g __credhelper_guarded none
end

# Whether a command with this profile needs no login, as far as the board knows: its session lives, or its config is on
# the board and the profile has no entry, for it uses no session.
function __credhelper_fine
    if __credhelper_read $argv[1]
        __credhelper_understand; and test $__credhelper_login != yes -a $__credhelper_left[1] -gt 0
    else
        test -d "$__credhelper_folder"; and not test -e "$__credhelper_file"; and not test -L "$__credhelper_file"
    end
end

# NAME ARGUMENT…: runs a command, after a login where it needs one.
function __credhelper_run
    if not command -q $argv[1]
        fish_command_not_found $argv
        return 127
    end
    if test -t 0 -a -t 2; and set -q argv[2]; and command -q $__credhelper_command
        __credhelper_sort $argv
        switch "$argv[1] $__credhelper_words[1] $__credhelper_words[2]"
            case 'aws sso login'
                command $__credhelper_command aws-sso-login $__credhelper_rest
                return
            case 'aws sso *' 'aws configure *' '* help *' '* version *'
            case '*'
                if test -n "$__credhelper_given"; and not __credhelper_fine $__credhelper_given
                    command $__credhelper_command ensure --profile $__credhelper_given >&2
                    or return
                end
        end
    end
    command $argv
end

# Of a command and its arguments, sets __credhelper_given to the profile whose session it needs, if it needs one,
# __credhelper_words to what is no option, and __credhelper_rest to the arguments without `sso login`.
function __credhelper_sort
    set -g __credhelper_given
    set -g __credhelper_words
    set -g __credhelper_rest
    set -l before
    set -l session needed
    for word in $argv[2..]
        switch "$before"
            case --profile
                set __credhelper_given $word
                set before
            case --
                # What follows is no option.
            case --region --output --query --endpoint-url --ca-bundle --color '--cli-*-timeout' '--cli-*-format'
                set before
            case '*'
                set before $word
                string match -qr '^(--?help|-h)$' -- $word; and set session
                string match -qr '^--?version$' -- $word; and not set -q __credhelper_words[1]; and set session
                string match -q -- '--profile=*' $word; and set __credhelper_given (string sub -s 11 -- $word)
                string match -q -- '-*' $word; or set -a __credhelper_words $word
                contains -- $word sso login; and contains -- "$__credhelper_words" sso 'sso login'; and continue
        end
        set -a __credhelper_rest $word
    end
    contains -- $argv[1] terraform tofu pulumi; and set __credhelper_given # they know only the environment
    if not set -q session[1]; or contains -- "$__credhelper_words[-1]" help
        set __credhelper_given
        set __credhelper_words
    else if test -z "$__credhelper_given"; and test -z "$AWS_ACCESS_KEY_ID" # which wins over the environment's profile
        __credhelper_current
        set __credhelper_given $__credhelper_profile
    end
end

# fish runs a function in the foreground even with `&`, and gives a block or a function behind `|` nothing before it has
# ended. So where such a line needs no login, it meets the commands themselves; the next prompt brings the functions back.
function __credhelper_step_aside --on-event fish_preexec
    string match -qr '[&|]' -- $argv[1]; and set -q __credhelper_guards[1]; or return
    string replace -ar '&&|\|\||>&|&>' ' ' -- $argv[1] | string match -qr '[&|]'; or return
    set -l names (string join '|' -- (string escape --style=regex -- $__credhelper_guards))
    string match -qr "(^|[\s;&|(])($names)\s" -- "$argv[1] "; or return
    string match -qr '\ssso\s+login' -- $argv[1]; and return
    __credhelper_current
    set -l profiles $__credhelper_profile
    test -n "$AWS_ACCESS_KEY_ID"; and set profiles
    for profile in $profiles (string match -ar -- '--profile[= ]+\S*' $argv[1] | string replace -r -- '^--profile[= ]+' '')
        string match -qr '\A[A-Za-z0-9._-]+\z' -- $profile; and __credhelper_fine $profile; or return
    end
    __credhelper_unguard
end

# --- completion ---------------------------------------------------------------------------------------------------

# fish itself chooses among the candidates and quotes what it inserts.
function __credhelper_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    string match -q -- '-*' $word; or set word
    set -lx _CREDHELPER_COMPLETE lines_complete
    set -lx _CREDHELPER_WORDS (string join \n -- $words[2..] | string collect)
    set -lx _CREDHELPER_WORD "$word"
    command $__credhelper_command 2>/dev/null
end

complete -c credhelper -e
complete -c credhelper -f -a '(__credhelper_complete)'

# --- the profile of new shells ------------------------------------------------------------------------------------

# Not where keys in the environment stand for another: some programs would then follow the profile.
if not set -q __credhelper_started; and not set -q AWS_PROFILE; and not set -q AWS_DEFAULT_PROFILE
    and test -z "$AWS_ACCESS_KEY_ID" -a -f $__credhelper_board/default-profile -a -r $__credhelper_board/default-profile
    read -n 2000 __credhelper_line <$__credhelper_board/default-profile
    if string match -qr '^[A-Za-z0-9._+-]{1,1900}$' -- $__credhelper_line
        __credhelper_decode $__credhelper_line
        set -gx AWS_PROFILE $__credhelper_decoded
    end
end
set -g __credhelper_started yes
