package main

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// awaitEnv takes lines of NAME=VALUE up to an empty one, byte by byte, because what follows belongs to the program. A
// terminal would show them.
func awaitEnv(stdin *os.File) ([]string, error) {
	if shown, err := hideInput(stdin); err == nil {
		defer shown()
	}
	var variables []string
	for {
		line, err := readLine(stdin)
		if err != nil {
			return nil, err
		}
		if line == "" {
			return variables, nil
		}
		if strings.Index(line, "=") < 1 {
			return nil, usageError("this is no variable: " + line)
		}
		variables = append(variables, line)
	}
}

// mostEnvLine: a terminal takes no longer line (N_TTY_BUF_SIZE).
const mostEnvLine = 4096

func readLine(stdin *os.File) (string, error) {
	var line []byte
	for one := make([]byte, 1); len(line) < mostEnvLine; line = append(line, one[0]) {
		if n, err := stdin.Read(one); n != 1 {
			return "", errors.Join(errors.New("the variables have no end"), err)
		}
		if one[0] == '\n' {
			return string(line), nil
		}
	}
	return "", usageError("the line is too long")
}

// hideInput gives what shows it again; an error where there is no terminal.
func hideInput(terminal *os.File) (func(), error) {
	descriptor := int(terminal.Fd())
	before, err := unix.IoctlGetTermios(descriptor, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	hidden := *before
	hidden.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(descriptor, unix.TCSETS, &hidden); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(descriptor, unix.TCSETS, before) }, nil
}
