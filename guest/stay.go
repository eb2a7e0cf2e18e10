package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// mostStaying: far longer than any client takes its output.
const mostStaying = time.Hour

// stay runs the program as a child, and stays after its end until the server has read what it wrote: both outputs end with
// RS, the word, the exit code, RS, and whoever has read that sends TERM. What was killed, perhaps by the cluster, ends as
// if it had no parent: then the cluster tells why.
func stay(path string, options consoleOptions, env []string) (int, error) {
	// Caught, so that the child has them as usual; they reach it by itself, since it is of our group.
	signal.Notify(make(chan os.Signal, 1))
	files := []*os.File{os.Stdin, os.Stdout, os.Stderr}
	child, err := os.StartProcess(path, options.program, &os.ProcAttr{Env: env, Files: files})
	if err != nil {
		return exitNoProgram, errors.New(options.program[0] + ": " + err.Error())
	}
	state, err := child.Wait()
	if err != nil {
		return exitFailed, err
	}
	code := codeOf(state.Sys().(syscall.WaitStatus))
	if code == killed {
		return code, nil
	}
	dismissed := make(chan os.Signal, 1)
	signal.Notify(dismissed, syscall.SIGTERM)
	lastWord := fmt.Sprintf("\x1e%s%d\x1e", options.lastWord, code)
	for _, output := range files[1:] {
		if _, err := output.WriteString(lastWord); err != nil {
			return code, nil // nobody listens any more
		}
	}
	select {
	case <-dismissed:
	case <-time.After(mostStaying):
	}
	return code, nil
}

const killed = 128 + int(syscall.SIGKILL)

// codeOf is what a shell would return.
func codeOf(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// dismiss sends home parents that have said their last word. One that is gone is none of our concern.
func dismiss(args []string) (int, error) {
	if len(args) == 0 {
		return exitUsage, usageError("dismiss wants process numbers")
	}
	for _, arg := range args {
		pid, err := strconv.Atoi(arg)
		if err != nil || pid < 2 {
			return exitUsage, usageError("dismiss wants numbers from 2 on, not " + arg)
		}
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && err != syscall.ESRCH {
			return exitNotSent, err
		}
	}
	return 0, nil
}
