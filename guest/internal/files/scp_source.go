package files

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// A scpSource gives the client what it asks for.
type scpSource struct {
	place
	glob  globber
	order ScpOrder
	wire  *scpWire
}

func (s *scpSource) send(paths []string) error {
	// The client begins.
	if _, err := s.wire.answer(); err != nil {
		return err
	}
	for _, name := range paths {
		for _, found := range s.expand(name) {
			if err := s.sendOne(found); err != nil {
				return err
			}
		}
	}
	return nil
}

// expand does what the shell of an sshd would: patterns that lead nowhere stand for themselves.
func (s *scpSource) expand(name string) []string {
	if _, err := s.Stat(name); err == nil || !strings.ContainsAny(name, "*?[") {
		return []string{name}
	}
	found, err := s.glob(name)
	if err != nil || len(found) == 0 {
		return []string{name}
	}
	return found
}

var (
	errNoFile   = errors.New("not a regular file")
	errLineFeed = errors.New("the name has a line feed")
)

// sendOne tells the client of what cannot be sent, and goes on with the next.
func (s *scpSource) sendOne(name string) error {
	// Nobody may be at the other end of a pipe.
	file, err := s.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return s.wire.warn(err)
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return s.wire.warn(err)
	case strings.Contains(path.Base(name), "\n"):
		return s.wire.warn(&os.PathError{Path: name, Err: errLineFeed})
	case info.IsDir() && s.order.Recursive:
		return s.sendFolder(name, file, info)
	case !info.Mode().IsRegular():
		return s.wire.warn(&os.PathError{Path: name, Err: errNoFile})
	}
	return s.sendFile(name, file, info)
}

func (s *scpSource) sendFolder(name string, folder *os.File, info os.FileInfo) error {
	wanted, err := s.announce('D', 0, name, info)
	if err != nil || !wanted {
		return err
	}
	entries, problem := folder.ReadDir(-1)
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, entry := range entries {
		if err := s.sendOne(path.Join(name, entry.Name())); err != nil {
			return err
		}
	}
	if problem != nil {
		if err := s.wire.warn(problem); err != nil {
			return err
		}
	}
	if err := s.wire.say("E\n"); err != nil {
		return err
	}
	_, err = s.wire.answer()
	return err
}

func (s *scpSource) sendFile(name string, file *os.File, info os.FileInfo) error {
	wanted, err := s.announce('C', info.Size(), name, info)
	if err != nil || !wanted {
		return err
	}
	sent, problem := io.CopyN(s.wire.out, file, info.Size())
	if missing := info.Size() - sent; missing > 0 {
		// It has become shorter, or cannot be read: the client waits for what was announced.
		if _, err := io.CopyN(s.wire.out, zeros{}, missing); err != nil {
			return err
		}
		err = s.wire.warn(&os.PathError{Path: name, Err: problem})
	} else {
		err = s.wire.done()
	}
	if err != nil {
		return err
	}
	_, err = s.wire.answer()
	return err
}

// announce tells whether the client wants it.
func (s *scpSource) announce(kind byte, size int64, name string, info os.FileInfo) (bool, error) {
	if s.order.Preserve {
		seconds := info.ModTime().Unix()
		if err := s.wire.say(fmt.Sprintf("T%d 0 %d 0\n", seconds, accessedOf(info, seconds))); err != nil {
			return false, err
		}
		if wanted, err := s.wire.answer(); err != nil || !wanted {
			return false, err
		}
	}
	line := fmt.Sprintf("%c%04o %d %s\n", kind, info.Mode().Perm(), size, path.Base(name))
	if err := s.wire.say(line); err != nil {
		return false, err
	}
	return s.wire.answer()
}

func accessedOf(info os.FileInfo, otherwise int64) int64 {
	if status, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(status.Atim.Sec)
	}
	return otherwise
}

type zeros struct{}

func (zeros) Read(to []byte) (int, error) {
	clear(to)
	return len(to), nil
}
