# bash completion for ysdb; written by `ysdb completion bash`
_ysdb() {
    local IFS=$'\n'
    COMPREPLY=($(ysdb __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _ysdb ysdb
