# credhelper for fish: completion of commands and options.
#   source /path/to/credhelper.fish
if command -q credhelper
    env _CREDHELPER_COMPLETE=fish_source credhelper | source
end
