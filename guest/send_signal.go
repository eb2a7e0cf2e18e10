package main

import (
	"strconv"
	"syscall"
)

const exitNotSent = 3

func sendSignal(args []string) (int, error) {
	pid, signal, err := parseSend(args)
	if err != nil {
		return exitUsage, err
	}
	if err := deliver(pid, signal); err != nil {
		return exitNotSent, err
	}
	return 0, nil
}

// deliver tells the whole group, as sshd does, if the process leads one: a pipeline ends together. Number 1 leads the
// group 1, but kill(2) takes -1 for everybody.
func deliver(pid int, signal syscall.Signal) error {
	if group, err := syscall.Getpgid(pid); pid > 1 && err == nil && group == pid {
		if syscall.Kill(-pid, signal) == nil {
			return nil
		}
	}
	return syscall.Kill(pid, signal)
}

func parseSend(args []string) (pid int, signal syscall.Signal, err error) {
	for at := 0; at < len(args); at += 2 {
		if at+1 >= len(args) {
			return 0, 0, usageError(args[at] + " wants a value")
		}
		value := args[at+1]
		switch args[at] {
		case "--pid":
			if pid != 0 {
				return 0, 0, usageError("--pid is there twice")
			}
			if pid, err = strconv.Atoi(value); err != nil || pid < 1 {
				return 0, 0, usageError("--pid wants a number from 1 on, not " + value)
			}
		case "--signal":
			if signal, err = signalOf(value); err != nil {
				return 0, 0, err
			}
		default:
			return 0, 0, usageError("signal has no option " + args[at])
		}
	}
	if pid == 0 || signal == 0 {
		return 0, 0, usageError("signal wants --pid and --signal")
	}
	return pid, signal, nil
}
