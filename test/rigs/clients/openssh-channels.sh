# Runs a command on many channels of one connection: COUNT CONTROL-SOCKET COMMAND SSH-ARGUMENTS...
count=$1 control=$2 command=$3
shift 3
ssh -M -N -f -S "$control" "$@" || exit
i=0
while [ $i -lt "$count" ]; do
  (output=$(ssh -S "$control" "$@" "I=$i; $command" </dev/null); echo "$i $? $output") &
  i=$((i + 1))
done
wait
ssh -S "$control" -O exit "$@" 2>/dev/null
