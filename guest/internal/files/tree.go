package files

import (
	"io"
	"os"
	"path"
	"strings"

	"github.com/pkg/sftp"
)

// A tree is a folder that is `/` for its client.
type tree struct {
	root     *os.Root
	readOnly bool
}

// within: of the client's path, from the folder on.
func within(name string) string {
	below := strings.TrimPrefix(path.Clean("/"+name), "/")
	if below == "" {
		return "."
	}
	return below
}

func (t *tree) Fileread(request *sftp.Request) (io.ReaderAt, error) {
	return t.root.Open(within(request.Filepath))
}

func (t *tree) Filewrite(request *sftp.Request) (io.WriterAt, error) {
	return t.OpenFile(request)
}

func (t *tree) OpenFile(request *sftp.Request) (sftp.WriterAtReaderAt, error) {
	if t.readOnly {
		return nil, sftp.ErrSSHFxPermissionDenied
	}
	wanted := request.Pflags()
	flags := os.O_WRONLY
	if wanted.Read {
		flags = os.O_RDWR
	}
	// Not O_APPEND: the client says at which place it writes, and the system refuses that for such files.
	if wanted.Creat {
		flags |= os.O_CREATE
	}
	if wanted.Trunc {
		flags |= os.O_TRUNC
	}
	if wanted.Excl {
		flags |= os.O_EXCL
	}
	return t.root.OpenFile(within(request.Filepath), flags, 0o644)
}

// list gives what is there, once.
type list []os.FileInfo

func (l list) ListAt(to []os.FileInfo, from int64) (int, error) {
	if from >= int64(len(l)) {
		return 0, io.EOF
	}
	copied := copy(to, l[from:])
	if copied < len(to) {
		return copied, io.EOF
	}
	return copied, nil
}

func (t *tree) Filelist(request *sftp.Request) (sftp.ListerAt, error) {
	name := within(request.Filepath)
	if request.Method == "Stat" {
		info, err := t.root.Stat(name)
		return list{info}, err
	}
	folder, err := t.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	entries, err := folder.Readdir(-1)
	return list(entries), err
}

func (t *tree) Lstat(request *sftp.Request) (sftp.ListerAt, error) {
	info, err := t.root.Lstat(within(request.Filepath))
	return list{info}, err
}

func (t *tree) Readlink(name string) (string, error) { return t.root.Readlink(within(name)) }
