package main

import (
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"syscall"

	"containerssh-agent/internal/sandbox"
)

type consoleOptions struct {
	env      []string
	clearEnv bool
	wait     bool
	waitEnv  bool
	pid      bool
	lastWord string
	streams  string
	limits   []sandbox.Limit
	program  []string
}

// console shakes hands with the server and becomes the program: the process number stays. With a last word it is the
// program's parent.
func console(args []string) (int, error) {
	options, err := parseConsole(args)
	if err != nil {
		return exitUsage, err
	}
	if options.streams != "" {
		takeStreams(options.streams)
	}
	if options.wait {
		if err := awaitStart(os.Stdin); err != nil {
			return exitStart, err
		}
	}
	if options.waitEnv {
		told, err := awaitEnv(os.Stdin)
		if err != nil {
			return exitStart, err
		}
		options.env = append(options.env, told...)
	}
	if options.pid {
		header := binary.LittleEndian.AppendUint32(nil, uint32(os.Getpid()))
		if _, err := os.Stdout.Write(header); err != nil {
			return exitNoHeader, err
		}
	}
	if err := sandbox.SetLimits(options.limits); err != nil {
		return exitStart, err
	}
	inherited := os.Environ()
	if options.clearEnv {
		inherited = nil
	}
	env := mergeEnv(inherited, options.env)
	path, err := findProgram(options.program[0], env)
	if err == nil && options.lastWord != "" {
		return stay(path, options, env)
	}
	if err == nil {
		err = syscall.Exec(path, options.program, env)
	}
	return exitNoProgram, errors.New(options.program[0] + ": " + err.Error())
}

func parseConsole(args []string) (consoleOptions, error) {
	var options consoleOptions
	for at := 0; at < len(args); at++ {
		switch args[at] {
		case "--":
			options.program = args[at+1:]
			if len(options.program) == 0 {
				return options, usageError("there is no program after --")
			}
			return options, nil
		case "--wait":
			options.wait = true
		case "--wait-env":
			options.waitEnv = true
		case "--clear-env":
			options.clearEnv = true
		case "--pid":
			if options.pid {
				return options, usageError("--pid is there twice")
			}
			options.pid = true
		case "--last-word":
			at++
			if at >= len(args) || args[at] == "" || strings.HasPrefix(args[at], "--") {
				return options, usageError("--last-word wants a word")
			}
			options.lastWord = args[at]
		case "--streams":
			at++
			if at >= len(args) || !strings.HasPrefix(args[at], "/") {
				return options, usageError("--streams wants an absolute path")
			}
			options.streams = args[at]
		case "--limit":
			at++
			limit, err := parseLimit(args, at)
			if err != nil {
				return options, err
			}
			options.limits = append(options.limits, limit)
		case "--env":
			at++
			if at >= len(args) || strings.HasPrefix(args[at], "--") || strings.Index(args[at], "=") < 1 {
				return options, usageError("--env wants NAME=VALUE")
			}
			options.env = append(options.env, args[at])
		default:
			return options, usageError("console has no option " + args[at])
		}
	}
	return options, usageError("console wants -- and a program")
}

// awaitStart takes exactly one byte: what follows belongs to the program.
func awaitStart(stdin *os.File) error {
	start := make([]byte, 1)
	if n, err := stdin.Read(start); n != 1 {
		return errors.Join(errors.New("there is no start byte"), err)
	}
	if start[0] != 0 && start[0] != '\n' {
		return usageError("the start byte is neither NUL nor a newline")
	}
	return nil
}
