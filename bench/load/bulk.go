package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// chunk is large enough that neither system calls nor the channel's packets of 32 KiB are limited by it.
const chunk = 1 << 20

type bulkResult struct {
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	// 1 MB is 1,000,000 bytes.
	MBPerSecond float64 `json:"mbPerSecond"`
	// CPU time of this generator.
	CPUSeconds float64 `json:"cpuSeconds"`
	// Of the light client, the first one included; the library does not tell.
	KeyExchanges int `json:"keyExchanges,omitempty"`
}

// direction is one way of a stream, for the library's client and for the raw one.
type direction struct {
	library func(session *ssh.Session, command string, bytes int64) error
	raw     func(*rawStream) error
}

// bulk runs `stream` on as many connections as asked for; logging in is not part of the time.
func bulk(name string, args []string, stream direction) error {
	set, target := flags(name)
	bytes := set.Int64("bytes", 1<<30, "bytes per stream")
	streams := set.Int("streams", 1, "streams, each on its own connection")
	command := set.String("command", "", "the server's command; {bytes} stands for the number of bytes, {blocks} for that of blocks of 64 KiB")
	first := set.String("first", "", "command that runs to its end before, outside of the time: a server may start something for each connection")
	raw := set.Bool("raw", false, "one stream over aes128-gcm@openssh.com with a client that costs less than the library's")
	rekey := set.Int64("rekey", rekeyBytes, "with -raw: asks for new keys after so many bytes in one direction")
	if err := set.Parse(args); err != nil {
		return err
	}
	if *command == "" {
		return errors.New("-command is missing")
	}
	if *rekey < 1<<16 {
		return errors.New("-rekey: expected at least 65536 bytes")
	}
	program := strings.NewReplacer(
		"{bytes}", strconv.FormatInt(*bytes, 10), "{blocks}", strconv.FormatInt(*bytes/65536, 10),
	).Replace(*command)
	if *raw {
		elapsed, exchanges, err := rawBulk(target, stream.raw, *first, program, *bytes, *rekey)
		if err != nil {
			return err
		}
		return printBulk(*bytes, elapsed, exchanges)
	}
	clients, err := target.dialMany(*streams, *streams)
	if err != nil {
		return err
	}
	if *first != "" {
		if err := workers(*streams, *streams, func(i int) error { return runOn(clients[i], *first) }); err != nil {
			return err
		}
	}
	begin := time.Now()
	err = workers(*streams, *streams, func(i int) error {
		session, err := clients[i].NewSession()
		if err != nil {
			return err
		}
		defer session.Close()
		return stream.library(session, program, *bytes)
	})
	if err != nil {
		return err
	}
	elapsed := time.Since(begin)
	for _, client := range clients {
		client.Close()
	}
	return printBulk(*bytes*int64(*streams), elapsed, 0)
}

func printBulk(total int64, elapsed time.Duration, exchanges int) error {
	seconds := elapsed.Seconds()
	return print(bulkResult{total, seconds, float64(total) / seconds / 1e6, cpuSeconds(), exchanges})
}

func down(args []string) error {
	return bulk("down", args, direction{libraryDown, (*rawStream).down})
}

func libraryDown(session *ssh.Session, command string, bytes int64) error {
	out, err := session.StdoutPipe()
	if err != nil {
		return err
	}
	if err := session.Start(command); err != nil {
		return err
	}
	var got int64
	buffer := make([]byte, chunk)
	for {
		n, err := out.Read(buffer)
		got += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if got != bytes {
		return fmt.Errorf("%q sent %d bytes instead of %d", command, got, bytes)
	}
	return session.Wait()
}

func up(args []string) error {
	return bulk("up", args, direction{libraryUp, (*rawStream).up})
}

func libraryUp(session *ssh.Session, command string, bytes int64) error {
	in, err := session.StdinPipe()
	if err != nil {
		return err
	}
	if err := session.Start(command); err != nil {
		return err
	}
	buffer := make([]byte, chunk)
	for left := bytes; left > 0; {
		n, err := in.Write(buffer[:min(left, chunk)])
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	if err := in.Close(); err != nil {
		return err
	}
	return session.Wait()
}
