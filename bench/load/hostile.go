package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// hostileReady is printed when all clients have done their worst, hostileResult after stdin has ended.
type hostileReady struct {
	Ready int `json:"ready"`
}
type hostileResult struct {
	Clients int `json:"clients"`
	// Connections that the server ended, with or without SSH_MSG_DISCONNECT.
	Ended int `json:"ended"`
	// How often each ending was seen: "disconnect 2: text", "closed", "alive", "open failure 1: text".
	Endings map[string]int `json:"endings"`
	// Payload bytes that all clients sent as channel data or requests.
	BytesSent int64 `json:"bytesSent"`
	// Bytes of channel data that all clients took from the server.
	BytesReceived int64 `json:"bytesReceived"`
}

// attacker is one client of a mode; an error is how its connection ended.
type attacker struct {
	rawSession
	command        string
	bytes          int64
	sent, received atomic.Int64
}

// mode does what its name says until it can do no more; nil means that the connection is still alive.
var modes = map[string]func(*attacker) error{
	"window":  (*attacker).hugeWindow,
	"overrun": (*attacker).overrun,
	"packet0": (*attacker).packetZero,
	"replies": (*attacker).replies,
}

func hostile(args []string) error {
	set, target := flags("hostile")
	name := set.String("mode", "window", "window: grants 4 GiB and does not read; overrun: sends past the server's window; "+
		"packet0: announces packets of 0 bytes; replies: asks for replies and does not read them")
	count := set.Int("clients", 1, "clients at once")
	command := set.String("command", "cat /dev/zero", "command to run in the channel")
	bytes := set.Int64("bytes", 64<<20, "overrun, replies: bytes that one client sends at most")
	quiet := set.Duration("quiet", time.Second, "a client that could not send for so long has done its worst")
	if err := set.Parse(args); err != nil {
		return err
	}
	mode, ok := modes[*name]
	if !ok {
		return fmt.Errorf("no such mode: %s", *name)
	}
	attackers := make([]*attacker, *count)
	err := workers(*count, 16, func(i int) error {
		wire, err := target.dialRaw()
		attackers[i] = &attacker{rawSession: rawSession{rawWire: wire}, command: *command, bytes: *bytes}
		return err
	})
	if err != nil {
		return err
	}
	endings := make([]error, *count)
	err = workers(*count, *count, func(i int) error {
		if err := attackers[i].conn.SetDeadline(time.Now().Add(target.timeout)); err != nil {
			return err
		}
		endings[i] = mode(attackers[i])
		if endings[i] == nil {
			time.Sleep(*quiet)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := print(hostileReady{*count}); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return report(attackers, endings, *quiet)
}

// report sees which of the clients that look alive really are: it reads what has arrived until nothing comes any more.
func report(attackers []*attacker, endings []error, quiet time.Duration) error {
	result := hostileResult{Clients: len(attackers), Endings: map[string]int{}}
	err := workers(len(attackers), len(attackers), func(i int) error {
		if endings[i] == nil {
			endings[i] = attackers[i].drain(quiet)
		}
		return attackers[i].conn.Close()
	})
	for i, ending := range endings {
		result.BytesSent += attackers[i].sent.Load()
		result.BytesReceived += attackers[i].received.Load()
		text, ended := describe(ending)
		result.Endings[text]++
		if ended {
			result.Ended++
		}
	}
	return errors.Join(err, print(result))
}

func describe(ending error) (text string, ended bool) {
	var gone *disconnected
	var refused *openFailure
	var late net.Error
	switch {
	case ending == nil:
		return "alive", false
	case errors.As(ending, &gone):
		return fmt.Sprintf("disconnect %d: %s", gone.reason, gone.text), true
	case errors.As(ending, &refused):
		return fmt.Sprintf("open failure %d: %s", refused.reason, refused.text), false
	case errors.Is(ending, errChannelClosed):
		return "channel closed", false
	case errors.As(ending, &late) && late.Timeout():
		return "alive", false
	}
	return "closed", true
}
