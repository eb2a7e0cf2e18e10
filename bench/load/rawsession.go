package main

import (
	"fmt"

	"golang.org/x/crypto/ssh"
)

// rawSession is a session channel of the raw client.
type rawSession struct {
	*rawWire
	// The window the server granted when the channel was opened.
	window uint32
	remote uint32
}

// openFailure is the server's refusal of a channel, RFC 4254 section 5.1.
type openFailure struct {
	reason uint32
	text   string
}

func (f *openFailure) Error() string { return fmt.Sprintf("open failure %d: %s", f.reason, f.text) }

// openSession opens a channel with any window and packet size one likes.
func (s *rawSession) openSession(window, packet uint32) error {
	err := s.send(message(msgChannelOpen, struct {
		Kind                   string
		Channel, Window, Limit uint32
	}{"session", 0, window, packet}))
	if err != nil {
		return err
	}
	for {
		payload, err := s.next()
		if err != nil {
			return err
		}
		switch payload[0] {
		case msgOpenConfirmed:
			var m struct{ Ours, Theirs, Window, Limit uint32 }
			if err := ssh.Unmarshal(payload[1:], &m); err != nil {
				return err
			}
			s.window, s.remote = m.Window, m.Theirs
			return nil
		case msgOpenFailure:
			var m struct {
				Ours, Reason uint32
				Text, Lang   string
			}
			if err := ssh.Unmarshal(payload[1:], &m); err != nil {
				return err
			}
			return &openFailure{m.Reason, m.Text}
		}
	}
}

// exec asks for a command; whoever reads next learns whether it runs.
func (s *rawSession) exec(command string) error {
	return s.send(message(msgChannelRequest, struct {
		Channel uint32
		Kind    string
		Reply   bool
		Command string
	}{s.remote, "exec", true, command}))
}
