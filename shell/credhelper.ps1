# credhelper for PowerShell 7 on Linux and macOS, in words that 5.1 reads too. The last line of $PROFILE:
#
#   credhelper hook powershell | Out-String | Invoke-Expression      (or: . /path/to/credhelper.ps1)
#
# - `credhelper use PROFILE` exports AWS_PROFILE; `use -` goes back, `use --unset` clears; `use` alone lets you choose.
# - aws, cdk, terraform, tofu, sam, pulumi and eksctl log in first where their profile's session needs it. Another
#   list: $CREDHELPER_COMMANDS = 'aws terraform' (or the environment variable of that name; '' for none).
# - Profile and time left in a prompt: function prompt { "$(credhelper_prompt) PS $PWD> " }. $CREDHELPER_TEXT is the
#   same without colours; for starship: function Invoke-Starship-PreCommand { $env:CREDHELPER_TEXT = $CREDHELPER_TEXT },
#   and [env_var.CREDHELPER_TEXT] in starship.toml.
#
# The login just in time looks at the line that was typed, before it runs, and puts no function in front of `aws`: a
# function would hide a failure from $? (`terraform plan && terraform apply` would go on), turn bytes into text
# (`aws s3 cp URL - > file`) and change arguments such as `--` and `a,b`. Nothing in a name is ever run as code.

$global:__credhelper_command = '@CREDHELPER@'

function global:__credhelper_binary {
    if ($global:__credhelper_command -cnotlike '@*') { return $global:__credhelper_command }
    $found = Get-Command -Name credhelper -CommandType Application -TotalCount 1 -ErrorAction Ignore
    if ($null -eq $found) { throw 'credhelper is not on the PATH' }
    return $found.Path
}

# The value of a global variable that need not be there.
function global:__credhelper_global([string] $Name) {
    return (Get-Variable -Name $Name -Scope Global -ValueOnly -ErrorAction Ignore)
}

# --- the board: what the daemon knows, in small files ---------------------------------------------------------------

function global:__credhelper_encode([string] $Name) {
    if ($Name -cmatch '\A[A-Za-z0-9._-]+\z') { return $Name }
    $parts = foreach ($byte in [System.Text.Encoding]::UTF8.GetBytes($Name)) {
        $char = [string] [char] $byte
        if ($char -cmatch '\A[A-Za-z0-9._-]\z') { $char } else { '+{0:X2}' -f $byte }
    }
    return (-join $parts)
}

function global:__credhelper_decode([string] $Text) {
    $bytes = foreach ($part in [regex]::Matches($Text, '\+[0-9A-F]{2}|[^+]')) {
        if ($part.Length -eq 3) { [Convert]::ToByte($part.Value.Substring(1), 16) } else { [byte] [char] $part.Value }
    }
    return [System.Text.Encoding]::UTF8.GetString([byte[]] $bytes)
}

# A text with nothing in it that could steer a terminal or turn the direction of writing.
function global:__credhelper_harmless([string] $Text) {
    return ($Text -creplace '[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]', '?')
}

function global:__credhelper_quote([string] $Text) {
    if ($Text -cmatch '\A-{0,2}[A-Za-z_][A-Za-z0-9_./-]*\z') { return $Text }
    $content = [System.Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($Text)
    return "'$content'"
}

# The content of a small regular file, or nothing. A named pipe has no length, so nothing here waits for one.
function global:__credhelper_read([string] $Path) {
    $file = New-Object -TypeName System.IO.FileInfo -ArgumentList $Path
    if (-not $file.Exists -or $file.Length -lt 1 -or $file.Length -gt 1000) { return '' }
    return [System.IO.File]::ReadAllText($Path)
}

# What the board says of a profile: a table of its session's line; one whose Login is 'none' where the profile uses no
# session; nothing where only `credhelper ensure` can tell.
function global:__credhelper_look([string] $Name) {
    $board = "$HOME/.local/state/credhelper/board"
    $config = [string] $env:AWS_CONFIG_FILE
    if ($config -ceq '~' -or $config -clike '~/*') { $config = $HOME + $config.Substring(1) }
    if ($config -ceq '' -or $config -ceq "$HOME/.aws/config") {
        $folder = 'default'
    } else {
        $folder = __credhelper_encode $config
        if ($config -cnotlike '/*' -or $folder.Length -gt 200) { return }
    }
    $entry = __credhelper_encode $Name
    if (('', '.', '..') -ccontains $entry -or $entry.Length -gt 250) { return }
    $link = New-Object -TypeName System.IO.FileInfo -ArgumentList "$board/profile/$folder/$entry"
    if ([int] $link.Attributes -eq -1) {
        if ([System.IO.Directory]::Exists("$board/profile/$folder")) { return @{ Login = 'none' } }
        return
    }
    $session = [System.IO.Path]::GetFileName([string] @($link.Target)[0])
    $text = __credhelper_read "$board/session/$session"
    $form = '\A1 ([a-z_]+) ([0-9]{1,10}) (yes|soon|no) ([0-9]{1,10}) ((?:[A-Za-z0-9._-]|\+[0-9A-F]{2})+)\n\z'
    $found = [regex]::Match($text, $form)
    if (-not $found.Success) { return }
    return @{
        State   = $found.Groups[1].Value
        Ends    = [long] $found.Groups[2].Value
        Login   = $found.Groups[3].Value
        Shown   = [long] $found.Groups[4].Value
        Session = __credhelper_decode $found.Groups[5].Value
    }
}

function global:__credhelper_now {
    return [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
}

function global:__credhelper_profile {
    if ($env:AWS_PROFILE) { return $env:AWS_PROFILE }
    if ($env:AWS_DEFAULT_PROFILE) { return $env:AWS_DEFAULT_PROFILE }
    return 'default'
}

# --- credhelper itself: `use` changes this shell --------------------------------------------------------------------

function global:credhelper {
    # As a program gets them: `a,b` is one argument, and a number keeps its zeros.
    $words = @(foreach ($word in $args) { if ($word -is [array]) { $word -join ',' } else { [string] $word } })
    $binary = __credhelper_binary
    if ($words.Count -gt 0 -and $words[0] -ceq 'use') {
        __credhelper_use $binary @($words | Select-Object -Skip 1)
    } elseif ($words.Count -gt 0 -and $words[0] -ceq 'doctor') {
        # So that it knows that the hook is here.
        $env:_CREDHELPER_IN = 'powershell'
        try { & $binary @words } finally { Remove-Item -LiteralPath Env:_CREDHELPER_IN -ErrorAction Ignore }
    } elseif ($MyInvocation.ExpectingInput) {
        $input | & $binary @words
    } else {
        & $binary @words
    }
}

function global:__credhelper_use([string] $Binary, [string[]] $Words) {
    $PSNativeCommandUseErrorActionPreference = $false
    if ($Words -ccontains '--help' -or $Words -ccontains '-h') { & $Binary use @Words; return }
    if ($Words -ccontains '-') {
        if (-not $global:__credhelper_previous) {
            $text = 'credhelper: no other profile was in use in this shell. Run: credhelper use NAME'
            [Console]::Error.WriteLine($text)
            $global:LASTEXITCODE = 1
            return
        }
        $Words = @($Words -cne '-') + '--' + $global:__credhelper_previous
    }
    $printed = @(& $Binary use --print @Words)
    if ($global:LASTEXITCODE -ne 0) { return }
    $name = ''
    if ($Words -cnotcontains '--unset') {
        if ($printed.Count -ne 1 -or -not $printed[0]) { return }
        $name = [string] $printed[0]
    }
    if ($env:AWS_PROFILE -and $env:AWS_PROFILE -cne $name) { $global:__credhelper_previous = $env:AWS_PROFILE }
    if ($name) { $env:AWS_PROFILE = $name } else { Remove-Item -LiteralPath Env:AWS_PROFILE -ErrorAction Ignore }
}

# --- a login just in time -------------------------------------------------------------------------------------------

function global:__credhelper_tools {
    $chosen = __credhelper_global 'CREDHELPER_COMMANDS'
    if ($null -eq $chosen) { $chosen = [Environment]::GetEnvironmentVariable('CREDHELPER_COMMANDS') }
    if ($null -eq $chosen) { $chosen = 'aws cdk terraform tofu sam pulumi eksctl' }
    return ((@($chosen) -join ' ') -split '\s+' | Where-Object { $_ -cmatch '\A[A-Za-z0-9._-]+\z' })
}

# What a command (a CommandAst) is going to need: a table of the Profile that it will use, or of the three elements
# that say `aws sso login`, as Login; nothing where it needs no session or that cannot be told.
function global:__credhelper_plan($Command, [string] $Tool) {
    $valued = '\A--(region|output|query|endpoint-url|ca-bundle|color|cli-.+-(timeout|format))\z'
    $option = ''
    $given = ''
    $words = @()
    $elements = @()
    foreach ($element in ($Command.CommandElements | Select-Object -Skip 1)) {
        $word = ''
        if ($element -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
            $word = $element.Value
        } elseif ($element.Extent.Text -cmatch '\A["'']?(@|--profile)') {
            return
        } elseif ($element.Extent.Text -cmatch '\A[-0-9]') {
            $word = $element.Extent.Text
        }
        if ($option) {
            if ($option -ceq '--profile') { if ($word) { $given = $word } else { return } }
            $option = ''
            continue
        }
        if ($word -ceq '--') { break }
        if (('--help', '-help', '-h') -ccontains $word) { return }
        if (('--version', '-version') -ccontains $word -and $words.Count -eq 0) { return }
        if ($word -ceq '--profile') {
            $option = $word
        } elseif ($word -clike '--profile=*') {
            $given = $word.Substring(10)
        } elseif ($Tool -ceq 'aws' -and $word -cmatch $valued) {
            $option = $word
        } elseif ($word -cnotlike '-*') {
            $words += $word
            $elements += $element
        }
    }
    if ($words.Count -gt 0 -and (('help', 'version') -ccontains $words[0] -or $words[-1] -ceq 'help')) { return }
    if ($Tool -ceq 'aws' -and $words.Count -gt 0 -and ('configure', 'sso') -ccontains $words[0]) {
        $two = ($words | Select-Object -First 2) -join ' '
        if ($two -cne 'sso login' -or $Command.InvocationOperator -ne 'Unknown') { return }
        return @{ Login = @($Command.CommandElements[0], $elements[0], $elements[1]) }
    }
    # Three know only the environment.
    if ($given -and ('terraform', 'tofu', 'pulumi') -cnotcontains $Tool) { return @{ Login = @(); Profile = $given } }
    if ($env:AWS_ACCESS_KEY_ID) { return }
    return @{ Login = @(); Profile = (__credhelper_profile) }
}

# Whether a profile's session is good now, after a login where it needs one.
function global:__credhelper_ensure([string] $Name) {
    $known = $null
    try { $known = __credhelper_look $Name } catch { $global:__credhelper_problem = $_ }
    if ($null -ne $known) {
        if ($known.Login -ceq 'none') { return $true }
        if ($known.Login -cne 'yes' -and (__credhelper_now) -lt $known.Ends) { return $true }
    }
    # PowerShell would keep the stderr of a program that runs while a line is read; this one needs the terminal.
    $quoted = ($Name -creplace '(\\*)"', '$1$1\"') -creplace '(\\+)\z', '$1$1'
    $start = New-Object -TypeName System.Diagnostics.ProcessStartInfo -ArgumentList (__credhelper_binary)
    $start.Arguments = 'ensure "--profile=' + $quoted + '"'
    $start.UseShellExecute = $false
    $start.WorkingDirectory = $ExecutionContext.SessionState.Path.CurrentFileSystemLocation.ProviderPath
    $process = [System.Diagnostics.Process]::Start($start)
    $process.WaitForExit()
    if ($process.ExitCode -eq 0) { return $true }
    $global:LASTEXITCODE = $process.ExitCode
    return $false
}

# The line to run in place of the one that was typed: nearly always the same; nothing where a login was called off.
function global:__credhelper_before([string] $Line) {
    # A line that changes what decides on the profile is left alone.
    if ($Line -cmatch 'AWS_|credhelper') { return $Line }
    if ([Console]::IsInputRedirected -or [Console]::IsErrorRedirected) { return $Line }
    $tools = @(__credhelper_tools)
    if (@($tools | Where-Object { $Line.Contains($_) }).Count -eq 0) { return $Line }
    $tree = [System.Management.Automation.Language.Parser]::ParseInput($Line, [ref] $null, [ref] $null)
    $edits = @()
    $good = @()
    $isCommand = { param($node) $node -is [System.Management.Automation.Language.CommandAst] }
    foreach ($command in $tree.FindAll($isCommand, $false)) {
        $tool = $command.GetCommandName()
        if ($tools -cnotcontains $tool) { continue }
        $kinds = 'Application, Function, Alias'
        if (-not (Get-Command -Name $tool -CommandType $kinds -TotalCount 1 -ErrorAction Ignore)) { continue }
        $plan = __credhelper_plan $command $tool
        if ($null -eq $plan) { continue }
        if ($plan.Login.Count -eq 3) {
            $texts = '& (__credhelper_binary) aws-sso-login', '', ''
            foreach ($index in 0, 1, 2) {
                $edits += [pscustomobject] @{ Extent = $plan.Login[$index].Extent; Text = $texts[$index] }
            }
        } elseif ($good -cnotcontains $plan.Profile) {
            if (-not (__credhelper_ensure $plan.Profile)) { return '' }
            $good += $plan.Profile
        }
    }
    foreach ($edit in ($edits | Sort-Object -Property { $_.Extent.StartOffset } -Descending)) {
        $start = $edit.Extent.StartOffset
        $Line = $Line.Remove($start, $edit.Extent.EndOffset - $start).Insert($start, $edit.Text)
    }
    return $Line
}

# --- the prompt -------------------------------------------------------------------------------------------------------

# Before each prompt: what it can show, and a warning, once, when the session of the profile is about to end.
function global:__credhelper_refresh {
    $global:CREDHELPER_TEXT = ''
    $global:CREDHELPER_SEGMENT = ''
    $name = __credhelper_profile
    $known = __credhelper_look $name
    if ($null -eq $known -or $known.Login -ceq 'none') { return }
    $session = $known.Session
    $ends = $known.Ends - (__credhelper_now)
    $left = $known.Shown - (__credhelper_now)
    $text = __credhelper_harmless $name
    $colour = ''
    if ($known.Login -ceq 'yes' -or ($known.Login -ceq 'soon' -and $ends -le 0)) {
        $text += ' expired'
        $colour = '31'
        if ($global:__credhelper_alive.ContainsKey($session) -and $known.State -cne 'logged_out') {
            __credhelper_warn $session 'has ended'
        }
        $global:__credhelper_alive.Remove($session)
    } elseif ($ends -gt 0) {
        $global:__credhelper_alive[$session] = $true
        $minutes = ($left - $left % 60) / 60
        if ($left -ge 3600) {
            $text += ' {0}h{1:00}m' -f (($minutes - $minutes % 60) / 60), ($minutes % 60)
        } elseif ($left -gt 0) {
            $text += " ${minutes}m"
            if ($left -lt 900) { $colour = '33' }
        }
        if ($known.Login -ceq 'soon' -and $ends -lt 900 -and $global:__credhelper_warned[$session] -ne $known.Ends) {
            $global:__credhelper_warned[$session] = $known.Ends
            __credhelper_warn $session "ends in $([Math]::Max(1, ($ends - $ends % 60) / 60)) min"
        }
    }
    $global:CREDHELPER_TEXT = $text
    if ($colour -and -not $env:NO_COLOR -and $Host.UI.SupportsVirtualTerminal) {
        $escape = [string] [char] 27
        $text = $escape + "[${colour}m" + $text + $escape + '[0m'
    }
    $global:CREDHELPER_SEGMENT = $text
}

function global:__credhelper_warn([string] $Session, [string] $What) {
    $shown = __credhelper_harmless $Session
    $end = ''
    if ($shown -clike '-*') { $end = '-- ' }
    $run = 'credhelper login ' + $end + (__credhelper_quote $shown)
    [Console]::Error.WriteLine("credhelper: session $shown $What. Run: $run")
}

# The profile and the time left, for a prompt of your own, whether that was there before this file or not.
function global:credhelper_prompt {
    try { __credhelper_refresh } catch { $global:__credhelper_problem = $_ }
    return $global:CREDHELPER_SEGMENT
}

# Put a function of ours around the one of this name, once; ours calls the other as $original.
function global:__credhelper_wrap([string] $Name, [scriptblock] $Wrapper) {
    # Get-Command would load the module that has such a function: PSReadLine, in scripts too.
    $found = Get-Item -LiteralPath "Function:$Name" -ErrorAction Ignore
    if ($null -eq $found -or "$($found.ScriptBlock)" -clike '*__credhelper_*') { return }
    $original = $found.ScriptBlock
    Set-Item -Path "Function:global:$Name" -Value $Wrapper.GetNewClosure()
}

# --- completion -------------------------------------------------------------------------------------------------------

function global:__credhelper_complete($Command, [int] $Cursor) {
    $ErrorActionPreference = 'Continue'
    $PSNativeCommandUseErrorActionPreference = $false
    $words = @()
    $word = ''
    foreach ($element in ($Command.CommandElements | Select-Object -Skip 1)) {
        if ($element.Extent.StartOffset -ge $Cursor) { break }
        if ($element.Extent.EndOffset -ge $Cursor) {
            # The word at the cursor, up to it; its quotes may still be open.
            $text = $element.Extent.Text.Substring(0, $Cursor - $element.Extent.StartOffset)
            $word = ($text -creplace '\A[''"]|[''"]\z', '').Replace("''", "'")
            break
        }
        $text = $element.Extent.Text
        if ($element -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $text = $element.Value }
        $words += $text
    }
    $code = __credhelper_global 'LASTEXITCODE'
    try {
        $env:_CREDHELPER_COMPLETE = 'lines_complete'
        $env:_CREDHELPER_WORDS = $words -join "`n"
        $env:_CREDHELPER_WORD = $word
        $lines = @(& (__credhelper_binary) 2>$null)
    } finally {
        $names = 'COMPLETE', 'WORDS', 'WORD' | ForEach-Object { "Env:_CREDHELPER_$_" }
        Remove-Item -LiteralPath $names -ErrorAction Ignore
        $global:LASTEXITCODE = $code
    }
    foreach ($line in $lines) {
        $value, $help = $line -split "`t", 2
        if (-not $value) { continue }
        if (-not $help) { $help = $value }
        $text = __credhelper_quote $value
        $parts = $text, $value, 'ParameterValue', $help
        New-Object -TypeName System.Management.Automation.CompletionResult -ArgumentList $parts
    }
}

# --- the start --------------------------------------------------------------------------------------------------------

# The profile of new shells, but not where keys in the environment stand for another one.
function global:__credhelper_start {
    if ($env:AWS_ACCESS_KEY_ID) { return }
    foreach ($name in 'AWS_PROFILE', 'AWS_DEFAULT_PROFILE') {
        if ($null -ne [Environment]::GetEnvironmentVariable($name)) { return }
    }
    $text = __credhelper_read "$HOME/.local/state/credhelper/board/default-profile"
    $found = [regex]::Match($text, '\A((?:[A-Za-z0-9._-]|\+[0-9A-F]{2})+)\n?\z')
    if ($found.Success) { $env:AWS_PROFILE = __credhelper_decode $found.Groups[1].Value }
}

# Once in a shell, however often this file is read.
if ($null -eq (__credhelper_global '__credhelper_previous')) {
    $global:__credhelper_previous = ''
    $global:__credhelper_alive = @{}
    $global:__credhelper_warned = @{}
    $global:CREDHELPER_TEXT = ''
    $global:CREDHELPER_SEGMENT = ''
    try { __credhelper_start } catch { $global:__credhelper_problem = $_ }
}

__credhelper_wrap 'prompt' {
    # What the other prompt shows may depend on $?: a command that fails without a word puts it back.
    $status = $?
    try { __credhelper_refresh } catch { $global:__credhelper_problem = $_ }
    if ($status) { $null = $status } else { Write-Error -Message 'as before' -ErrorAction Ignore }
    & $original
}

# PSReadLine has this function in interactive shells alone; it gives the line that is to be run next.
__credhelper_wrap 'PSConsoleHostReadLine' {
    $line = & $original
    try { __credhelper_before $line } catch { $global:__credhelper_problem = $_; $line }
}

Register-ArgumentCompleter -Native -CommandName credhelper -ScriptBlock {
    param($WordToComplete, $CommandAst, $CursorPosition)
    __credhelper_complete $CommandAst $CursorPosition
}
