package main

import (
	"bufio"
	"errors"
	"net"
	"strings"
	"time"
)

type greetResult struct {
	Greeted int `json:"greeted"`
	// Latency: from connect() to the identification line.
	sampled
}

// greet connects, reads the server's identification, and hangs up: what a server pays before any cryptography.
func greet(args []string) error {
	set, target := flags("greet")
	count := set.Int("count", 100, "connections")
	parallel := set.Int("parallel", 8, "connections at a time")
	if err := set.Parse(args); err != nil {
		return err
	}
	measured, err := sample(*count, *parallel, func() (time.Duration, error) {
		start := time.Now()
		err := target.greeted()
		return time.Since(start), err
	})
	if err != nil {
		return err
	}
	return print(greetResult{*count, measured})
}

func (t *target) greeted() error {
	conn, err := net.DialTimeout("tcp", t.address, t.timeout)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(t.timeout)); err != nil {
		return err
	}
	line, err := bufio.NewReaderSize(conn, 256).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "SSH-") {
		err = errors.New("the server did not begin with its identification")
	}
	return err
}
