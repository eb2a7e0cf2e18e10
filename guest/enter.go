package main

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
)

type enterOptions struct {
	groups  []string
	user    int
	program []string
}

// enter joins control groups, becomes a user, and then the program: nothing of it runs outside of the groups.
func enter(args []string) (int, error) {
	options, err := parseEnter(args)
	if err != nil {
		return exitUsage, err
	}
	// In version 1 a thread joins (cgroups(7)), and that is the one that becomes the program.
	runtime.LockOSThread()
	for _, group := range options.groups {
		if err := os.WriteFile(group, []byte("0"), 0); err != nil {
			return exitFailed, err
		}
	}
	if options.user != 0 {
		if err := becomeUser(options.user); err != nil {
			return exitFailed, err
		}
	}
	return exitFailed, syscall.Exec(options.program[0], options.program, os.Environ())
}

func becomeUser(user int) error {
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setgid(user); err != nil {
		return err
	}
	return syscall.Setuid(user)
}

func parseEnter(args []string) (enterOptions, error) {
	var options enterOptions
	for at := 0; at+1 < len(args); at += 2 {
		value := args[at+1]
		switch args[at] {
		case "--":
			options.program = args[at+1:]
			return options, nil
		case "--group":
			options.groups = append(options.groups, value)
		case "--user":
			user, err := strconv.Atoi(value)
			if err != nil || user < 1 {
				return options, usageError("--user wants a number from 1 on, not " + value)
			}
			options.user = user
		default:
			return options, usageError("enter has no option " + args[at])
		}
	}
	return options, usageError("enter wants -- and a program")
}
