package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// An ScpOrder is what a client of scp's old protocol asks the other end for (scp.c of OpenSSH: scp -t, scp -f).
type ScpOrder struct {
	// The client sends; otherwise it receives.
	Sink      bool
	Recursive bool
	// Modes and times are kept.
	Preserve bool
	// The target must be a folder.
	Folder bool
	Paths  []string
}

// A place is where files are: below a folder (os.Root), or anywhere.
type place interface {
	OpenFile(name string, flag int, mode os.FileMode) (*os.File, error)
	Stat(name string) (os.FileInfo, error)
	Mkdir(name string, mode os.FileMode) error
	Chmod(name string, mode os.FileMode) error
	Chtimes(name string, accessed, modified time.Time) error
}

// ServeScp returns when the order is done; false: the client has been told of something that went wrong.
func ServeScp(options Options, order ScpOrder, in io.Reader, out io.Writer) (bool, error) {
	wire := newScpWire(in, out)
	err := serveScp(options, order, wire)
	var told scpFatal
	if errors.As(err, &told) {
		return false, wire.fatal(told)
	}
	return !wire.failed, err
}

func serveScp(options Options, order ScpOrder, wire *scpWire) error {
	if order.Sink && options.ReadOnly {
		return scpFatal("nothing can be written here")
	}
	if options.Root == "" {
		return order.serve(everywhere{}, filepath.Glob, atHome, wire)
	}
	root, err := os.OpenRoot(options.Root)
	if err != nil {
		return scpFatal(reasonOf(err))
	}
	defer root.Close()
	glob := func(pattern string) ([]string, error) { return fs.Glob(root.FS(), pattern) }
	return order.serve(root, glob, within, wire)
}

type globber func(pattern string) ([]string, error)

func (o ScpOrder) serve(at place, glob globber, resolve func(string) string, wire *scpWire) error {
	paths := make([]string, 0, len(o.Paths))
	for _, name := range o.Paths {
		paths = append(paths, resolve(name))
	}
	if o.Sink {
		return (&scpSink{place: at, order: o, wire: wire}).receive(paths)
	}
	return (&scpSource{place: at, glob: glob, order: o, wire: wire}).send(paths)
}

// atHome reads a tilde as a shell does; there may be none that could.
func atHome(name string) string {
	home, err := os.UserHomeDir()
	if err != nil || (name != "~" && !strings.HasPrefix(name, "~/")) {
		return name
	}
	return path.Join(home, name[1:])
}

type everywhere struct{}

func (everywhere) OpenFile(name string, flag int, mode os.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, mode)
}
func (everywhere) Stat(name string) (os.FileInfo, error)     { return os.Stat(name) }
func (everywhere) Mkdir(name string, mode os.FileMode) error { return os.Mkdir(name, mode) }
func (everywhere) Chmod(name string, mode os.FileMode) error { return os.Chmod(name, mode) }
func (everywhere) Chtimes(name string, accessed, modified time.Time) error {
	return os.Chtimes(name, accessed, modified)
}

// reasonOf leaves out how the system was asked.
func reasonOf(err error) string {
	var inPath *fs.PathError
	if errors.As(err, &inPath) {
		return fmt.Sprintf("%s: %v", inPath.Path, inPath.Err)
	}
	return err.Error()
}
