package files

import (
	"os"
	"time"

	"github.com/pkg/sftp"
)

func (t *tree) Filecmd(request *sftp.Request) error {
	if t.readOnly {
		return sftp.ErrSSHFxPermissionDenied
	}
	name, other := within(request.Filepath), within(request.Target)
	switch request.Method {
	case "Setstat":
		return t.setAttributes(name, request)
	case "Rename":
		// Version 3 of the protocol: not over something that is there.
		if _, err := t.root.Lstat(other); err == nil {
			return os.ErrExist
		}
		return t.root.Rename(name, other)
	case "Rmdir", "Remove":
		return t.remove(name, request.Method == "Rmdir")
	case "Mkdir":
		return t.root.Mkdir(name, 0o755)
	case "Link":
		return t.root.Link(name, other)
	case "Symlink":
		// The text of a link is the client's; it leads nowhere outside when it is followed here.
		return t.root.Symlink(request.Filepath, other)
	}
	return sftp.ErrSSHFxOpUnsupported
}

func (t *tree) PosixRename(request *sftp.Request) error {
	if t.readOnly {
		return sftp.ErrSSHFxPermissionDenied
	}
	return t.root.Rename(within(request.Filepath), within(request.Target))
}

func (t *tree) remove(name string, folder bool) error {
	info, err := t.root.Lstat(name)
	if err != nil {
		return err
	}
	if info.IsDir() != folder {
		return sftp.ErrSSHFxFailure
	}
	return t.root.Remove(name)
}

func (t *tree) setAttributes(name string, request *sftp.Request) error {
	given, values := request.AttrFlags(), request.Attributes()
	if given.Size {
		file, err := t.root.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		err = file.Truncate(int64(values.Size))
		if closing := file.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return err
		}
	}
	if given.UidGid {
		if err := t.root.Chown(name, int(values.UID), int(values.GID)); err != nil {
			return err
		}
	}
	if given.Permissions {
		if err := t.root.Chmod(name, values.FileMode().Perm()); err != nil {
			return err
		}
	}
	if given.Acmodtime {
		return t.root.Chtimes(name, time.Unix(int64(values.Atime), 0), time.Unix(int64(values.Mtime), 0))
	}
	return nil
}
