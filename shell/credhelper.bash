# credhelper for bash: completion of commands and options.
#   source /path/to/credhelper.bash
if command -v credhelper >/dev/null 2>&1; then
  eval "$(_CREDHELPER_COMPLETE=bash_source command credhelper)"
fi
