// Package files serves SFTP (draft-ietf-secsh-filexfer-02) and scp's old protocol on standard input and output, as
// OpenSSH's programs do: for images that have none, and with bounds for clients that may do nothing else.
package files

import (
	"errors"
	"io"
	"os"

	"github.com/pkg/sftp"
)

// Options are the bounds.
type Options struct {
	// The folder that is everything for the client; empty: all there is.
	Root     string
	ReadOnly bool
}

type stdio struct {
	io.Reader
	io.Writer
}

func (stdio) Close() error { return os.Stdin.Close() }

// Serve returns when the client has ended.
func Serve(options Options, in io.Reader, out io.Writer) error {
	var err error
	if options.Root == "" {
		err = serveAll(options, stdio{in, out})
	} else {
		err = serveRoot(options, stdio{in, out})
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func serveAll(options Options, channel stdio) error {
	var bounds []sftp.ServerOption
	if options.ReadOnly {
		bounds = append(bounds, sftp.ReadOnly())
	}
	server, err := sftp.NewServer(channel, bounds...)
	if err != nil {
		return err
	}
	defer server.Close()
	return server.Serve()
}

// serveRoot: the kernel resolves each path below the folder, so that no symbolic link leads out of it.
func serveRoot(options Options, channel stdio) error {
	root, err := os.OpenRoot(options.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	inside := &tree{root: root, readOnly: options.ReadOnly}
	handlers := sftp.Handlers{FileGet: inside, FilePut: inside, FileCmd: inside, FileList: inside}
	server := sftp.NewRequestServer(channel, handlers)
	defer server.Close()
	return server.Serve()
}
