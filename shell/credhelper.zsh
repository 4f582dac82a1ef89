# credhelper for zsh: completion of commands and options.
#   source /path/to/credhelper.zsh
if command -v credhelper >/dev/null 2>&1; then
  eval "$(_CREDHELPER_COMPLETE=zsh_source command credhelper)"
fi
