package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"
)

// waitSignal is what a container does whose programs all come by exec. As its first process it also inherits those
// whose parents have ended, and must take note of their ends, or they would stay as zombies.
func waitSignal(args []string) (int, error) {
	wanted, message, err := parseWait(args)
	if err != nil {
		return exitUsage, err
	}
	arrived := make(chan os.Signal, 1)
	children := make(chan os.Signal, 1)
	signal.Notify(arrived, wanted...)
	if os.Getpid() == 1 {
		signal.Notify(children, syscall.SIGCHLD)
		reap()
	}
	for {
		select {
		case <-children:
			reap()
		case <-arrived:
			_, err := io.WriteString(os.Stdout, message)
			return 0, err
		}
	}
}

// reap takes all that have ended: one SIGCHLD may stand for several.
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 && err != syscall.EINTR {
			return
		}
	}
}

func parseWait(args []string) (wanted []os.Signal, message string, err error) {
	for at := 0; at < len(args); at += 2 {
		if at+1 >= len(args) {
			return nil, "", usageError(args[at] + " wants a value")
		}
		switch args[at] {
		case "--signal":
			signal, err := signalOf(args[at+1])
			if err != nil {
				return nil, "", err
			}
			wanted = append(wanted, signal)
		case "--message":
			message = args[at+1]
		default:
			return nil, "", usageError("wait-signal has no option " + args[at])
		}
	}
	if len(wanted) == 0 {
		return nil, "", usageError("wait-signal wants --signal")
	}
	return wanted, message, nil
}
