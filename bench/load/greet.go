package main

import (
	"bufio"
	"errors"
	"net"
	"strings"
	"time"
)

type greetResult struct {
	Greeted   int     `json:"greeted"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"perSecond"`
	// From connect() to the identification line.
	LatencyUs latency `json:"latencyUs"`
	// CPU time of this generator.
	CPUSeconds float64 `json:"cpuSeconds"`
}

// greet connects, reads the server's identification, and hangs up: what a server pays before any cryptography.
func greet(args []string) error {
	set, target := flags("greet")
	count := set.Int("count", 100, "connections")
	parallel := set.Int("parallel", 8, "connections at a time")
	if err := set.Parse(args); err != nil {
		return err
	}
	times := make([]time.Duration, *count)
	begin := time.Now()
	err := workers(*count, *parallel, func(i int) error {
		start := time.Now()
		err := target.greeted()
		times[i] = time.Since(start)
		return err
	})
	if err != nil {
		return err
	}
	seconds := time.Since(begin).Seconds()
	return print(greetResult{*count, seconds, float64(*count) / seconds, latencies(times), cpuSeconds()})
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
