# Runs the hook for PowerShell in PowerShell, where there is one: Invoke-Pester tests/shells (Pester 5, Linux or macOS).
# A home folder and programs of its own; nothing of the user's is read or written.

BeforeAll {
    $ErrorActionPreference = 'Stop'
    Set-StrictMode -Version Latest
    $script:Hook = Join-Path $PSScriptRoot '../../shell/credhelper.ps1'
    $script:Pwsh = (Get-Process -Id $PID).Path

    # A home folder with an empty board, and programs that note how they were called.
    function New-World {
        $script:World = Join-Path ([System.IO.Path]::GetTempPath()) ([guid]::NewGuid())
        $script:Board = "$World/home/.local/state/credhelper/board"
        $script:Calls = "$World/calls"
        New-Item -ItemType Directory -Path "$World/bin", "$Board/session", "$Board/profile/default" -Force | Out-Null
        New-Item -ItemType File -Path $Calls | Out-Null
        Set-Program 'credhelper' 'case $1 in use) for last; do :; done; [ "$last" = --unset ] || echo "$last";; esac'
        foreach ($tool in 'aws', 'terraform', 'sam') { Set-Program $tool }
    }

    function Set-Program([string] $Name, [string] $Body = '') {
        $text = "#!/bin/sh`nprintf '%s' $Name >>'$Calls'; printf ' <%s>' `"`$@`" >>'$Calls'; echo >>'$Calls'`n$Body`n"
        [System.IO.File]::WriteAllText("$World/bin/$Name", $text)
        & chmod 755 "$World/bin/$Name"
    }

    function Get-Now { [DateTimeOffset]::UtcNow.ToUnixTimeSeconds() }

    # A session on the board: Left seconds from now it ends, Shown seconds from now is what a prompt shows.
    function Set-Session([string] $Name, [long] $Left = 28800, [string] $Login = 'no', $Shown = $null, $State = 'active') {
        $until = 0
        if ($null -ne $Shown) { $until = (Get-Now) + $Shown }
        Set-Line $Name "1 $State $((Get-Now) + $Left) $Login $until $Name`n"
    }

    function Set-Line([string] $Name, [string] $Text) { [System.IO.File]::WriteAllText("$Board/session/$Name", $Text) }

    function Set-Link([string] $Encoded, [string] $Session, [string] $Config = 'default') {
        New-Item -ItemType Directory -Path "$Board/profile/$Config" -Force | Out-Null
        & ln -sfn "../../session/$Session" "$Board/profile/$Config/$Encoded"
    }

    # What a new PowerShell with the hook writes for a script: all of its output, and its errors.
    function Invoke-Shell([string] $Text, [hashtable] $Environment = @{}, [switch] $Plain) {
        $begin = "Set-StrictMode -Version Latest; `$ErrorActionPreference = 'Stop'"
        # As PSReadLine has it, with lines to give; a terminal where there is none.
        $reader = 'function global:PSConsoleHostReadLine { $global:Lines.Dequeue() }'
        $reader += '; $global:Lines = New-Object System.Collections.Queue'
        $file = "$World/script.ps1"
        $loads = ". '$Hook'"
        if ($Plain) { $loads = '' }
        [System.IO.File]::WriteAllText($file, "$begin`n$reader`n$loads`n$Text`n")
        $start = New-Object System.Diagnostics.ProcessStartInfo $Pwsh, "-NoProfile -NonInteractive -File `"$file`""
        $start.RedirectStandardOutput = $true
        $start.RedirectStandardError = $true
        $start.UseShellExecute = $false
        foreach ($name in @($start.Environment.Keys)) {
            if ($name -match '^(AWS_|CREDHELPER|_CREDHELPER|NO_COLOR)') { $null = $start.Environment.Remove($name) }
        }
        $start.Environment['HOME'] = "$World/home"
        $start.Environment['PATH'] = "$World/bin:$env:PATH"
        foreach ($name in $Environment.Keys) { $start.Environment[$name] = $Environment[$name] }
        $process = [System.Diagnostics.Process]::Start($start)
        $errors = $process.StandardError.ReadToEndAsync()
        $output = $process.StandardOutput.ReadToEnd()
        $process.WaitForExit()
        return [pscustomobject] @{ Output = $output.TrimEnd("`n"); Errors = $errors.Result.TrimEnd("`n"); Code = $process.ExitCode }
    }

    # The output of a script that has to be free of errors.
    function Get-Output([string] $Text, [hashtable] $Environment = @{}) {
        $done = Invoke-Shell $Text $Environment
        $done.Errors | Should -BeNullOrEmpty
        $done.Output
    }

    # What becomes of a typed line, with a terminal taken for granted: `-File` has none.
    function Get-Typed([string] $Line, [hashtable] $Environment = @{}) {
        $text = [System.IO.File]::ReadAllText($Hook)
        $asked = 'if ([Console]::IsInputRedirected -or [Console]::IsErrorRedirected) { return $Line }'
        $text.Contains($asked) | Should -BeTrue
        [System.IO.File]::WriteAllText("$World/typed.ps1", $text.Replace($asked, ''))
        $quoted = $Line.Replace("'", "''")
        Get-Output ". '$World/typed.ps1'; '[' + (__credhelper_before '$quoted') + ']'" $Environment
    }

    function Get-Calls { @([System.IO.File]::ReadAllLines($Calls)) }
}

Describe 'the hook for PowerShell' {
    BeforeEach { New-World }
    AfterEach { Remove-Item -LiteralPath $World -Recurse -Force }

    Context 'when it is read' {
        It 'says nothing, starts no program, and leaves $? and $LASTEXITCODE alone' {
            Get-Output "`$?; & sh -c 'exit 3'; . '$Hook'; `$LASTEXITCODE" | Should -Be "True`n3"
            Get-Calls | Should -HaveCount 0
        }

        It 'can be read as a text, too, and twice' {
            $text = "Get-Content -Raw '$Hook' | Out-String | Invoke-Expression"
            (Invoke-Shell "$text; $text; (Get-Command credhelper).CommandType" -Plain).Output | Should -Be 'Function'
        }

        It 'leaves no function or variable but its own' {
            $names = '(Get-ChildItem Function:, Variable:).Name | Sort-Object -Unique'
            $before = (Invoke-Shell "`$x = 1; $names" -Plain).Output -split "`n"
            $after = (Get-Output "`$x = 1; $names") -split "`n"
            $after | Where-Object { $before -notcontains $_ -and $_ -notmatch '^_*credhelper' } | Should -BeNullOrEmpty
        }

        It 'takes the default profile: <Name>' -ForEach @(
            @{ Name = 'corp'; Encoded = 'corp' }
            @{ Name = 'a b$(x)é'; Encoded = 'a+20b+24+28x+29+C3+A9' }
        ) {
            [System.IO.File]::WriteAllText("$Board/default-profile", "$Encoded`n")
            Get-Output '$env:AWS_PROFILE' | Should -Be $Name
            Get-Output '$env:AWS_PROFILE' @{ AWS_PROFILE = 'mine' } | Should -Be 'mine'
            Get-Output '"<$env:AWS_PROFILE>"' @{ AWS_ACCESS_KEY_ID = 'x' } | Should -Be '<>'
        }

        It 'takes no garbage for a default profile' {
            [System.IO.File]::WriteAllText("$Board/default-profile", "a b`n")
            Get-Output '"<$env:AWS_PROFILE>"' | Should -Be '<>'
        }
    }

    Context 'credhelper' {
        It 'hands on words, input, and the exit code' {
            Set-Program 'credhelper' 'cat; exit 4'
            Get-Output "'in' | credhelper status --json 'a b' '`$(x)' a,b 007; `$LASTEXITCODE" | Should -Be "in`n4"
            Get-Calls | Should -Be 'credhelper <status> <--json> <a b> <$(x)> <a,b> <007>'
        }

        It 'exports whatever the name: <_>' -ForEach @('corp', 'a b', "it's", '"q"', '$(touch x)', '`x`', '-x', 'é', '%d!') {
            $quoted = $_.Replace("'", "''")
            Get-Output "credhelper use '$quoted'; `$env:AWS_PROFILE; sh -c 'printf %s `"`$AWS_PROFILE`"'" | Should -Be "$_`n$_"
            Get-Calls | Should -Be "credhelper <use> <--print> <$_>"
        }

        It 'goes back, and clears' {
            $text = 'credhelper use a; credhelper use b; credhelper use -; $env:AWS_PROFILE; credhelper use -; $env:AWS_PROFILE'
            Get-Output "$text; credhelper use --unset; Test-Path Env:AWS_PROFILE; credhelper use -; `$env:AWS_PROFILE" |
                Should -Be "a`nb`nFalse`nb"
        }

        It 'says so where there is no way back' {
            $done = Invoke-Shell 'credhelper use -; $LASTEXITCODE'
            $done.Output | Should -Be '1'
            $done.Errors | Should -Be 'credhelper: no other profile was in use in this shell. Run: credhelper use NAME'
            Get-Calls | Should -HaveCount 0
        }

        It 'keeps the profile where a login failed' {
            Set-Program 'credhelper' 'echo b; exit 130'
            Get-Output '$env:AWS_PROFILE = "a"; credhelper use b; "$env:AWS_PROFILE $LASTEXITCODE"' | Should -Be 'a 130'
        }

        It 'shows the help' {
            Get-Output 'credhelper use --help' | Out-Null
            Get-Calls | Should -Be 'credhelper <use> <--help>'
        }
    }

    Context 'a login just in time' {
        BeforeEach {
            Set-Session 'corp'
            Set-Session 'over' -Left 0 -Login 'yes' -State 'expired'
            Set-Link 'good' 'corp'
            Set-Link 'bad' 'over'
        }

        It 'asks nothing for <_>' -ForEach @(
            'aws s3 ls', 'aws s3 ls --profile good', 'aws --profile=good s3 ls', 'aws --version', 'aws help', 'aws s3 help'
            'aws configure list --profile bad', 'aws s3 ls --help --profile bad', 'echo aws --profile bad', 'awsx --profile bad'
            'aws s3 ls --profile $x', 'aws @x', '$env:AWS_PROFILE = "bad"; aws s3 ls', '% { aws --profile bad }', 'aws (', ''
            'aws sso logout --profile bad', 'terraform plan --profile bad'
        ) {
            Get-Typed $_ @{ AWS_PROFILE = 'good' } | Should -Be "[$_]"
            Get-Calls | Should -HaveCount 0
        }

        It 'logs in before <_>' -ForEach @(
            'aws s3 ls --profile bad', 'aws --profile=bad s3 ls', 'aws --region eu-west-1 --profile "bad" s3 ls'
            'true; aws s3 ls --profile bad && aws s3 ls --profile bad', 'foreach ($i in 1, 2) { aws s3 cp $i x --profile bad }'
        ) {
            Get-Typed $_ @{ AWS_PROFILE = 'good' } | Should -Be "[$_]"
            Get-Calls | Should -Be 'credhelper <ensure> <--profile=bad>'
        }

        It 'looks at the environment as the programs do' {
            Get-Typed 'terraform plan' @{ AWS_PROFILE = 'bad' } | Should -Be '[terraform plan]'
            Get-Typed 'terraform plan' @{ AWS_DEFAULT_PROFILE = 'bad' } | Should -Be '[terraform plan]'
            Get-Typed 'terraform plan' @{ AWS_PROFILE = 'bad'; AWS_ACCESS_KEY_ID = 'x' } | Should -Be '[terraform plan]'
            Get-Typed 'terraform version' @{ AWS_PROFILE = 'bad' } | Should -Be '[terraform version]'
            Get-Typed 'terraform plan' @{ AWS_PROFILE = 'bad'; CREDHELPER_COMMANDS = 'aws' } | Should -Be '[terraform plan]'
            Get-Calls | Should -HaveCount 2
        }

        It 'asks about what the board does not tell: <Case>' -ForEach @(
            @{ Case = 'garbage'; Line = "x`0$('y' * 600)" }, @{ Case = 'another format'; Line = "2 active 9999999999 no 0 corp`n" }
            @{ Case = 'nothing'; Line = '' }, @{ Case = 'too much'; Line = 'x' * 100000 }
            @{ Case = 'code'; Line = "1 active 9999999999 no 0 `$(touch x)`n" }, @{ Case = 'the past'; Line = "1 active 5 no 0 corp`n" }
        ) {
            Set-Line 'odd' $Line
            Set-Link 'odd' 'odd'
            Get-Typed 'aws s3 ls --profile odd' | Should -Be '[aws s3 ls --profile odd]'
            Get-Calls | Should -Be 'credhelper <ensure> <--profile=odd>'
        }

        It 'waits for no named pipe, and reads no folder' {
            & mkfifo "$Board/session/pipe"
            New-Item -ItemType Directory -Path "$Board/session/folder" | Out-Null
            foreach ($name in 'pipe', 'folder', 'gone') {
                Set-Link $name $name
                Get-Typed "aws s3 ls --profile $name" | Should -Be "[aws s3 ls --profile $name]"
            }
            Get-Calls | Should -HaveCount 3
        }

        It 'asks where there is no board' {
            Remove-Item -LiteralPath $Board -Recurse -Force
            Get-Typed 'aws s3 ls' | Should -Be '[aws s3 ls]'
            Get-Calls | Should -Be 'credhelper <ensure> <--profile=default>'
        }

        It 'knows the profiles of another config file' {
            Set-Link 'bad' 'corp' '+2Fetc+2Faws'
            Get-Typed 'aws s3 ls' @{ AWS_PROFILE = 'bad'; AWS_CONFIG_FILE = '/etc/aws' } | Should -Be '[aws s3 ls]'
            Get-Calls | Should -HaveCount 0
        }

        It 'gives up on both where the login is called off, and keeps the exit code of before where it is not' {
            Set-Program 'credhelper' 'exit 130'
            Get-Typed 'aws s3 ls --profile bad' | Should -Be '[]'
            Get-Output '__credhelper_ensure bad; $LASTEXITCODE' | Should -Be "False`n130"
            Set-Program 'credhelper' 'exit 0'
            Get-Output '& sh -c "exit 7"; __credhelper_ensure bad; $LASTEXITCODE' | Should -Be "True`n7"
        }

        It 'asks about the very name: <_>' -ForEach @('a b', "it's", '"q"', 'a\', 'a\"', '\\', '$(touch x)', '-x', 'é') {
            Get-Output "__credhelper_ensure '$($_.Replace("'", "''"))'" @{ AWS_CONFIG_FILE = 'x' } | Should -Be 'True'
            Get-Calls | Should -Be "credhelper <ensure> <--profile=$_>"
        }

        It 'asks in the folder where the shell is, with the terminal of the shell' {
            Set-Program 'credhelper' 'pwd; echo told >&2'
            $done = Invoke-Shell "Set-Location '$World/home'; `$null = 1 | ForEach-Object { __credhelper_ensure bad }"
            $done.Output | Should -Be "$World/home"
            $done.Errors | Should -Be 'told'
        }

        It 'takes `aws sso login` for its own' {
            Get-Typed 'aws sso login --profile bad' | Should -Be '[& (__credhelper_binary) aws-sso-login   --profile bad]'
            Get-Typed 'aws --profile bad sso login; echo x' |
                Should -Be '[& (__credhelper_binary) aws-sso-login --profile bad  ; echo x]'
            Get-Calls | Should -HaveCount 0
        }

        It 'does nothing where no person is' {
            Get-Output '__credhelper_before "aws s3 ls --profile bad"' | Should -Be 'aws s3 ls --profile bad'
            Get-Calls | Should -HaveCount 0
        }

        It 'hands on whatever line was read, once' {
            $text = '$Lines.Enqueue("a `"b`" $(c)"); $Lines.Enqueue(""); 1, 2 | % { "[$(PSConsoleHostReadLine)]" }'
            Get-Output "$text; . '$Hook'; `$Lines.Enqueue('x'); PSConsoleHostReadLine" | Should -Be "[a `"b`" `$(c)]`n[]`nx"
        }
    }

    Context 'the prompt' {
        It 'shows the profile and the time left: <Expected>' -ForEach @(
            @{ Left = 28800; Login = 'no'; Shown = $null; Expected = 'corp' }
            @{ Left = 28800; Login = 'no'; Shown = 25950; Expected = 'corp 7h12m' }
            @{ Left = 28800; Login = 'no'; Shown = 3900 ; Expected = 'corp 1h04m' }
            @{ Left = 28800; Login = 'no'; Shown = 2550; Expected = 'corp 42m' }
            @{ Left = -5; Login = 'soon'; Shown = -5; Expected = 'corp expired' }
            @{ Left = -5; Login = 'no'; Shown = $null; Expected = 'corp' }
            @{ Left = -5; Login = 'yes'; Shown = $null; Expected = 'corp expired' }
        ) {
            Set-Session 'corp' -Left $Left -Login $Login -Shown $Shown
            Set-Link 'corp' 'corp'
            Get-Output '$null = prompt; $CREDHELPER_TEXT' @{ AWS_PROFILE = 'corp' } | Should -Be $Expected
            Get-Calls | Should -HaveCount 0
        }

        It 'shows nothing of what the board does not know, and nothing that steers a terminal' {
            Get-Output '$null = prompt; "<$CREDHELPER_SEGMENT>"' @{ AWS_PROFILE = 'corp' } | Should -Be '<>'
            Set-Session 'corp'
            Set-Link 'a+1B+5D0+0A+24+28x+29' 'corp'
            $text = '$env:AWS_PROFILE = "a" + [char] 27 + "]0`n" + ''$(x)''; $null = prompt; "$(credhelper_prompt)"'
            Get-Output $text | Should -Be 'a?]0?$(x)'
        }

        It 'warns once' {
            Set-Session 'corp' -Left 840 -Login 'soon' -Shown 840
            Set-Link 'corp' 'corp'
            $done = Invoke-Shell '$null = prompt; $null = prompt' @{ AWS_PROFILE = 'corp' }
            $done.Errors | Should -Match '\Acredhelper: session corp ends in 1[34] min\. Run: credhelper login corp\z'
        }

        It 'says once that a session is over which lived before' {
            Set-Session 'corp'
            Set-Link 'corp' 'corp'
            $over = "[System.IO.File]::WriteAllText('$Board/session/corp', `"1 expired 0 yes 0 corp``n`")"
            $done = Invoke-Shell "`$null = prompt; $over; `$null = prompt; `$null = prompt" @{ AWS_PROFILE = 'corp' }
            $done.Errors | Should -Be 'credhelper: session corp has ended. Run: credhelper login corp'
        }

        It 'lets the prompt of before see $? and $LASTEXITCODE, and wraps it once' {
            $text = "function global:prompt { `"`$? `$LASTEXITCODE`" }; . '$Hook'; . '$Hook'"
            Get-Output "$text; & sh -c 'exit 3'; prompt" | Should -Be 'False 3'
            Get-Output "$text; & sh -c 'exit 0'; prompt" | Should -Be 'True 0'
        }

        It 'is of no harm where the board is garbage' {
            Set-Line 'corp' "`0`$(touch x)"
            Set-Link 'corp' 'corp'
            Get-Output '$null = prompt; "<$CREDHELPER_SEGMENT>$($Error.Count)"' @{ AWS_PROFILE = 'corp' } | Should -Be '<>0'
        }
    }

    Context 'completion' {
        It 'asks with the words before the cursor, and quotes what it gets' {
            $told = 'printf "%s|%s|%s\n" "$_CREDHELPER_COMPLETE" "$_CREDHELPER_WORDS" "$_CREDHELPER_WORD"'
            $offers = 'printf "plain\thelp\n%s\n" "a b" "it''s" "\$(x)" 007'
            Set-Program 'credhelper' "$told >>'$Calls'; echo noise >&2; $offers; exit 5"
            $text = '$found = TabExpansion2 -inputScript "credhelper use --default a" -cursorColumn 26'
            $text += '; $found.CompletionMatches.CompletionText; $found.CompletionMatches[0].ToolTip'
            $text += '; Test-Path Env:_CREDHELPER_*'
            Get-Output $text | Should -Be "plain`n'a b'`n'it''s'`n'`$(x)'`n'007'`nhelp`nFalse"
            Get-Calls | Should -Be 'credhelper <>', 'lines_complete|use', '--default|a'
        }
    }
}
