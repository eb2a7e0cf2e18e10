// The guest helper: one static program that runs inside of containers and does there what the server cannot do from
// outside. It speaks the dialect of ContainerSSH's guest agent, so that servers and helpers of either project fit together.
package main

import (
	"fmt"
	"io"
	"os"

	"containerssh-agent/internal/forward"
)

// Exit statuses that a server may look at.
const (
	exitUsage     = 1
	exitFailed    = 1
	exitStart     = 2
	exitNoHeader  = 3
	exitNoProgram = 127
)

const help = `Usage:
  console [--env NAME=VALUE]... [--wait|--wait-env] [--pid] [--last-word WORD] -- PROGRAM [ARGUMENT]...
      Becomes the program. --wait: after a NUL or a newline on standard input. --pid: the process number goes to standard
      output first, as four bytes, little endian. --clear-env: of the own environment nothing stays. --wait-env: after lines
      of NAME=VALUE and an empty one on standard input, which become part of the environment. --last-word: stays
      after the program, says RS, the word, its exit code and RS on both outputs, and waits for TERM.
      --limit NAME=NUMBER: as with setrlimit(2).
  signal --pid NUMBER --signal NAME
      Sends a signal to the group of a process, or to the process if it leads none.
  dismiss NUMBER...
      Ends programs that stay.
  wait-signal --signal NAME... [--message TEXT]
      Sleeps until one of the signals comes, then prints the text.
  write-file PATH
      Writes standard input to a file that only its owner can read.
  forward-server
      Connects places of this container with the server at the other end of standard input and output.
  sftp-server [--root FOLDER] [--read-only]
      Serves SFTP on standard input and output; within the folder alone, if one is given.
  scp [--root FOLDER] [--read-only] -- -t|-f [-dpqrv] PATH...
      Serves scp's old protocol, with the same bounds; without any it becomes the scp of the image, if there is one.
  install PATH
      Copies this program.
  sandbox-init [--limit NAME=NUMBER]... [--filter DESCRIPTOR [--hostname NAME] [--loopback] [-- MOUNTS...]]
      The first process of a sandbox: starts programs for the server that started it. Not for use by hand.
  enter [--group FILE]... [--user NUMBER] -- PROGRAM [ARGUMENT]...
      Joins control groups, each by its file of processes or threads, becomes the user and then the program.
  license
  --help
Signals: ABRT ALRM FPE HUP ILL INT KILL PIPE QUIT SEGV TERM USR1 USR2
`

const license = `This program is part of ContainerSSH in TypeScript, Apache License 2.0
(https://www.apache.org/licenses/LICENSE-2.0). It contains github.com/pkg/sftp (BSD 2-Clause), github.com/kr/fs and
parts of Go's libraries (BSD 3-Clause).
`

// A usageError is told with the help, as servers' logs expect it.
type usageError string

func (e usageError) Error() string { return string(e) }

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	var err error
	status := 0
	switch command {
	case "console":
		status, err = console(args)
	case "signal":
		status, err = sendSignal(args)
	case "dismiss":
		status, err = dismiss(args)
	case "wait-signal":
		status, err = waitSignal(args)
	case "write-file":
		status, err = writeFile(args)
	case "forward-server":
		status = forward.Serve(os.Stdin, os.Stdout, os.Stderr)
	case "sftp-server":
		status, err = sftpServer(args)
	case "scp":
		status, err = scp(args)
	case "install":
		status, err = install(args)
	case "sandbox-init":
		status, err = sandboxInit(args)
	case "enter":
		status, err = enter(args)
	case "license":
		_, err = io.WriteString(os.Stdout, license)
	case "-h", "--help":
		_, err = io.WriteString(os.Stdout, help)
	default:
		err = usageError(fmt.Sprintf("there is no command %q", command))
	}
	return report(status, err)
}

func report(status int, err error) int {
	if err == nil {
		return status
	}
	if _, ok := err.(usageError); ok {
		fmt.Fprintln(os.Stderr, err)
		io.WriteString(os.Stdout, help)
		return max(status, exitUsage)
	}
	// Without a newline: it may stand in front of a terminal's prompt, and the server's tests know it so.
	fmt.Fprint(os.Stderr, err)
	return max(status, exitFailed)
}
