package files

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
)

// A scpSink takes what the client sends: folders within folders, and files.
type scpSink struct {
	place
	order ScpOrder
	wire  *scpWire
	umask os.FileMode
}

// What the client announces, before its content.
type scpEntry struct {
	folder bool
	mode   os.FileMode
	size   int64
	name   string
	times  *scpTimes
}

type scpTimes struct{ accessed, modified time.Time }

func (s *scpSink) receive(paths []string) error {
	if len(paths) != 1 {
		return scpFatal("there must be one target")
	}
	s.umask = umask()
	target := paths[0]
	info, err := s.Stat(target)
	isFolder := err == nil && info.IsDir()
	if s.order.Folder && !isFolder {
		return scpFatal(target + ": not a directory")
	}
	return s.level(target, isFolder)
}

// umask: there is no way to ask for it without setting it.
func umask() os.FileMode {
	mask := syscall.Umask(0)
	syscall.Umask(mask)
	return os.FileMode(mask)
}

// level takes all that goes into a folder, or the one thing that becomes the target.
func (s *scpSink) level(target string, isFolder bool) error {
	if err := s.wire.done(); err != nil {
		return err
	}
	var times *scpTimes
	for {
		line, err := s.wire.line()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if line == "" {
			return scpFatal("an empty line")
		}
		switch line[0] {
		case scpWarning:
			s.wire.failed = true
		case scpEnd:
			return scpFatal("the client gave up: " + line[1:])
		case 'E':
			return s.wire.done()
		case 'T':
			if times, err = parseTimes(line); err == nil {
				err = s.wire.done()
			}
		default:
			err = s.take(line, target, isFolder, times)
			times = nil
		}
		if err != nil {
			return err
		}
	}
}

// take tells the client of what cannot be made, and goes on with the next.
func (s *scpSink) take(line, target string, isFolder bool, times *scpTimes) error {
	entry, err := s.parse(line)
	if err != nil {
		return err
	}
	entry.times = times
	if isFolder {
		target = path.Join(target, entry.name)
	}
	if entry.folder {
		return s.takeFolder(target, entry)
	}
	return s.takeFile(target, entry)
}

func (s *scpSink) takeFolder(target string, entry scpEntry) error {
	if !s.order.Recursive {
		return scpFatal("a directory without -r")
	}
	info, err := s.Stat(target)
	isNew := err != nil
	if isNew {
		// Until all is in it.
		err = s.Mkdir(target, entry.mode|0o700)
	} else if !info.IsDir() {
		err = &os.PathError{Path: target, Err: syscall.ENOTDIR}
	}
	if err != nil {
		return s.wire.warn(err)
	}
	if err := s.level(target, true); err != nil {
		return err
	}
	if isNew || s.order.Preserve {
		err = s.Chmod(target, entry.mode)
	}
	if entry.times != nil && err == nil {
		err = s.Chtimes(target, entry.times.accessed, entry.times.modified)
	}
	if err != nil {
		return s.wire.warn(err)
	}
	return nil
}

func (s *scpSink) takeFile(target string, entry scpEntry) error {
	file, err := s.OpenFile(target, os.O_WRONLY|os.O_CREATE, entry.mode)
	if err != nil {
		return s.wire.warn(err)
	}
	if err := s.wire.done(); err != nil {
		file.Close()
		return err
	}
	// What cannot be written is read all the same: the client sends it.
	content := &lenient{to: file}
	if _, err := io.CopyN(content, s.wire.in, entry.size); err != nil {
		file.Close()
		return err
	}
	if _, err := s.wire.answer(); err != nil {
		file.Close()
		return err
	}
	if err := s.finish(file, target, entry, content.err); err != nil {
		return s.wire.warn(err)
	}
	return s.wire.done()
}

func (s *scpSink) finish(file *os.File, target string, entry scpEntry, err error) error {
	if info, problem := file.Stat(); err == nil && problem == nil && info.Mode().IsRegular() {
		err = file.Truncate(entry.size)
	}
	if s.order.Preserve && err == nil {
		err = file.Chmod(entry.mode)
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if entry.times != nil && err == nil {
		err = s.Chtimes(target, entry.times.accessed, entry.times.modified)
	}
	return err
}

type lenient struct {
	to  io.Writer
	err error
}

func (l *lenient) Write(bytes []byte) (int, error) {
	if l.err == nil {
		_, l.err = l.to.Write(bytes)
	}
	return len(bytes), nil
}

// parse: C0644 299 group, or D0755 0 folder.
func (s *scpSink) parse(line string) (scpEntry, error) {
	var mode uint32
	var size int64
	head, rest, _ := strings.Cut(line, " ")
	_, err := fmt.Sscanf(head[1:], "%o", &mode)
	sizeText, name, hasName := strings.Cut(rest, " ")
	if err == nil {
		_, err = fmt.Sscanf(sizeText, "%d", &size)
	}
	if (line[0] != 'C' && line[0] != 'D') || err != nil || !hasName || mode > 0o7777 || size < 0 {
		return scpEntry{}, scpFatal("this is no protocol of scp: " + line)
	}
	if name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
		return scpEntry{}, scpFatal("this is no name of a file: " + name)
	}
	// Set-user-ID and its like are not for whoever copies.
	kept := os.FileMode(mode) & 0o777
	if !s.order.Preserve {
		kept &^= s.umask
	}
	return scpEntry{folder: line[0] == 'D', mode: kept, size: size, name: name}, nil
}

// parseTimes: T<modified> <microseconds> <accessed> <microseconds>
func parseTimes(line string) (*scpTimes, error) {
	var modified, modifiedMicro, accessed, accessedMicro int64
	_, err := fmt.Sscanf(line, "T%d %d %d %d", &modified, &modifiedMicro, &accessed, &accessedMicro)
	if err != nil {
		return nil, scpFatal("these are no times: " + line)
	}
	return &scpTimes{
		accessed: time.Unix(accessed, accessedMicro*1000),
		modified: time.Unix(modified, modifiedMicro*1000),
	}, nil
}
