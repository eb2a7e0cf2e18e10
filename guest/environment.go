package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// mergeEnv replaces what is there already: with a name given twice some programs see the first value, others the last.
func mergeEnv(inherited, own []string) []string {
	at := make(map[string]int, len(inherited)+len(own))
	merged := make([]string, 0, len(inherited)+len(own))
	for _, list := range [][]string{inherited, own} {
		for _, variable := range list {
			name, _, _ := strings.Cut(variable, "=")
			if known, ok := at[name]; ok {
				merged[known] = variable
				continue
			}
			at[name] = len(merged)
			merged = append(merged, variable)
		}
	}
	return merged
}

// findProgram looks a bare name up in the PATH that the program will see; anything with a slash is a path.
func findProgram(name string, env []string) (string, error) {
	if name == "" {
		return "", syscall.ENOENT
	}
	if strings.Contains(name, "/") {
		return name, nil
	}
	found := error(syscall.ENOENT)
	for _, folder := range filepath.SplitList(valueOf(env, "PATH")) {
		path := filepath.Join(folder, name)
		info, err := os.Stat(path)
		if err != nil || info.IsDir() {
			continue
		}
		if info.Mode()&0o111 == 0 {
			found = fs.ErrPermission
			continue
		}
		return path, nil
	}
	return "", found
}

func valueOf(env []string, name string) string {
	for _, variable := range env {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value
		}
	}
	return ""
}
