# fish completion for ysdb; written by `ysdb completion fish`
function __ysdb_candidates
    ysdb __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null
end
complete -c ysdb -f -a '(__ysdb_candidates)'
complete -c ysdb -F -n 'not __ysdb_candidates | string length -q'
