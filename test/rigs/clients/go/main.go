// A command line above golang.org/x/crypto/ssh; see client.ts.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/term"
)

var (
	port     = flag.Int("port", 0, "")
	user     = flag.String("user", "", "")
	password = flag.String("password", "", "")
	key      = flag.String("key", "", "")
	terminal = flag.Bool("terminal", false, "")
	rekey    = flag.Uint64("rekey", 0, "")
	_        = flag.Bool("debug", false, "the library has nothing to say")
	channels = flag.Int("channels", 0, "")
)

func main() {
	flag.Parse()
	client, err := dial()
	check(err)
	if *channels > 0 {
		check(many(client, flag.Arg(0)))
		return
	}
	err = run(client, flag.Arg(0))
	var exit *ssh.ExitError
	if errors.As(err, &exit) && exit.Signal() == "" {
		os.Exit(exit.ExitStatus())
	}
	if exit != nil {
		fmt.Fprintln(os.Stderr, "exit-signal", exit.Signal())
		os.Exit(255)
	}
	check(err)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(255)
	}
}

func dial() (*ssh.Client, error) {
	config := &ssh.ClientConfig{
		Config:          ssh.Config{RekeyThreshold: *rekey},
		User:            *user,
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Timeout:         time.Minute,
	}
	if *password != "" {
		config.Auth = append(config.Auth, ssh.Password(*password))
	}
	if *key != "" {
		text, err := os.ReadFile(*key)
		if err != nil {
			return nil, err
		}
		signer, err := ssh.ParsePrivateKey(text)
		if err != nil {
			return nil, err
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	return ssh.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", *port), config)
}

func run(client *ssh.Client, command string) error {
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	session.Stdin, session.Stdout, session.Stderr = os.Stdin, os.Stdout, os.Stderr
	if *terminal {
		columns, lines, err := term.GetSize(0)
		if err != nil {
			return err
		}
		if err := session.RequestPty("xterm", lines, columns, nil); err != nil {
			return err
		}
		resized := make(chan os.Signal, 1)
		signal.Notify(resized, syscall.SIGWINCH)
		go func() {
			for range resized {
				if columns, lines, err := term.GetSize(0); err == nil {
					_ = session.WindowChange(lines, columns)
				}
			}
		}()
	}
	return session.Run(command)
}

func many(client *ssh.Client, command string) error {
	var group sync.WaitGroup
	failures := make(chan error, *channels)
	for i := range *channels {
		group.Go(func() {
			session, err := client.NewSession()
			if err != nil {
				failures <- err
				return
			}
			output, err := session.Output(fmt.Sprintf("I=%d; %s", i, command))
			status := 0
			var exit *ssh.ExitError
			if errors.As(err, &exit) {
				status = exit.ExitStatus()
			} else if err != nil {
				failures <- err
				return
			}
			fmt.Printf("%d %d %s\n", i, status, strings.TrimSpace(string(output)))
		})
	}
	group.Wait()
	close(failures)
	return <-failures
}
