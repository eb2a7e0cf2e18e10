package main

import (
	"slices"
	"testing"
)

func TestOwnVariablesReplaceInheritedOnes(t *testing.T) {
	merged := mergeEnv([]string{"A=1", "B=2"}, []string{"A=3", "C=x=y", "C=z"})
	if want := []string{"A=3", "B=2", "C=z"}; !slices.Equal(merged, want) {
		t.Errorf("%q, not %q", merged, want)
	}
}

func TestConsoleTakesEverythingAfterTheDashes(t *testing.T) {
	options, err := parseConsole([]string{"--wait", "--env", "A=b", "--pid", "--", "cat", "--", "--pid"})
	if err != nil || !options.wait || !options.pid || !slices.Equal(options.program, []string{"cat", "--", "--pid"}) {
		t.Errorf("%+v %v", options, err)
	}
}

func TestBadArgumentsAreUsageErrors(t *testing.T) {
	parsers := map[string]func(...string) error{
		"console": func(args ...string) error { _, err := parseConsole(args); return err },
		"signal":  func(args ...string) error { _, _, err := parseSend(args); return err },
		"wait":    func(args ...string) error { _, _, err := parseWait(args); return err },
	}
	bad := map[string][][]string{
		"console": {{}, {"--"}, {"--pid"}, {"--pid", "--pid", "--", "x"}, {"--env", "--", "x"}, {"--env", "A", "--", "x"}, {"x"}},
		"signal": {{}, {"--pid", "1"}, {"--signal", "TERM"}, {"--pid", "0", "--signal", "TERM"}, {"--pid", "-1", "--signal", "TERM"},
			{"--pid", "1", "--signal", "SIGTERM"}, {"--pid", "1", "--pid", "2", "--signal", "TERM"}, {"--pid"}},
		"wait": {{}, {"--signal"}, {"--signal", "NONE"}, {"--message"}, {"--signal", "TERM", "--message"}},
	}
	for name, lines := range bad {
		for _, line := range lines {
			if _, ok := parsers[name](line...).(usageError); !ok {
				t.Errorf("%s takes %q", name, line)
			}
		}
	}
}
