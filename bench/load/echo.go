package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

type echoResult struct {
	Active    int     `json:"active"`
	Idle      int     `json:"idle"`
	LatencyUs latency `json:"latencyUs"`
	// CPU time of this generator.
	CPUSeconds float64 `json:"cpuSeconds"`
}

// terminal is one connection with a program that echoes.
type terminal struct {
	in  io.Writer
	out io.Reader
}

// strike sends one byte and waits for it to come back.
func (t *terminal) strike() (time.Duration, error) {
	key := []byte{'x'}
	start := time.Now()
	if _, err := t.in.Write(key); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(t.out, key); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

func echo(args []string) error {
	set, target := flags("echo")
	active := set.Int("active", 1, "connections that type")
	quiet := set.Int("idle", 0, "connections that do not")
	keys := set.Int("keys", 1000, "keystrokes per active connection")
	rate := set.Float64("rate", 100, "keystrokes per second and connection")
	command := set.String("command", "cat", "command that echoes; empty asks for a shell")
	hold := set.Bool("hold", false, "type once for each line on stdin, over the same connections, until it ends; the line may say how many keys instead of -keys, how many of the active connections type them, and the -rate")
	if err := set.Parse(args); err != nil {
		return err
	}
	if *rate <= 0 || *active < 1 {
		return errors.New("-rate and -active must be positive")
	}
	clients, err := target.dialMany(*active+*quiet, 16)
	if err != nil {
		return err
	}
	terminals := make([]*terminal, *active)
	err = workers(*active+*quiet, 16, func(i int) error {
		t, err := start(clients[i], *command)
		if err != nil {
			return err
		}
		if i < *active {
			terminals[i] = t
			// The first echo pays for caches and lazily made objects.
			_, err = t.strike()
		}
		return err
	})
	if err != nil {
		return err
	}
	usual := typing{*keys, *active, *rate}
	strikeAll := func(as typing) error {
		before := cpuSeconds()
		times, err := typeAll(terminals[:as.active], as.keys, time.Duration(float64(time.Second)/as.rate))
		if err != nil {
			return err
		}
		idle := len(clients) - as.active
		return print(echoResult{as.active, idle, latencies(times), cpuSeconds() - before})
	}
	if *hold {
		err = onDemand(strikeAll, usual)
	} else {
		err = strikeAll(usual)
	}
	for _, client := range clients {
		client.Close()
	}
	return err
}

type echoReady struct {
	Ready int `json:"ready"`
}

// typing is one round of keystrokes.
type typing struct {
	keys   int
	active int
	// Keystrokes per second and connection.
	rate float64
}

// parse reads what a line has of it; the rest is as usual.
func (usual typing) parse(line string) (typing, error) {
	as := usual
	fields := strings.Fields(line)
	for i, field := range fields[:min(len(fields), 3)] {
		number, err := strconv.Atoi(field)
		if err != nil || number < 1 {
			return as, fmt.Errorf("line %q: expected positive numbers", line)
		}
		switch i {
		case 0:
			as.keys = number
		case 1:
			as.active = number
		case 2:
			as.rate = float64(number)
		}
	}
	if as.active > usual.active {
		return as, fmt.Errorf("line %q: expected at most %d connections", line, usual.active)
	}
	return as, nil
}

// onDemand says that it is ready, and runs the round once for each line of stdin.
func onDemand(round func(typing) error, usual typing) error {
	if err := print(echoReady{1}); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		as, err := usual.parse(lines.Text())
		if err != nil {
			return err
		}
		if err := round(as); err != nil {
			return err
		}
	}
	return lines.Err()
}

func start(client *ssh.Client, command string) (*terminal, error) {
	session, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	in, err := session.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := session.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if command == "" {
		return &terminal{in, out}, session.Shell()
	}
	return &terminal{in, out}, session.Start(command)
}

// typeAll lets each terminal type at its own phase of the period: people do not press keys in step.
func typeAll(terminals []*terminal, keys int, period time.Duration) ([]time.Duration, error) {
	times := make([]time.Duration, len(terminals)*keys)
	errs := make([]error, len(terminals))
	var wait sync.WaitGroup
	for i, t := range terminals {
		wait.Go(func() {
			time.Sleep(period * time.Duration(i) / time.Duration(len(terminals)))
			next := time.Now()
			for k := range keys {
				times[i*keys+k], errs[i] = t.strike()
				if errs[i] != nil {
					return
				}
				next = next.Add(period)
				time.Sleep(time.Until(next))
			}
		})
	}
	wait.Wait()
	return times, errors.Join(errs...)
}
