package board

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// mbpoll asks the board with a client that is not ours; its references count
// from one. Without the program the test is skipped, unless every part must be
// there.
func mbpoll(t *testing.T, args ...string) (said string, ok bool) {
	t.Helper()
	path, err := exec.LookPath("mbpoll")
	if err != nil {
		if os.Getenv("BORDERGATE_PARTS") == "all" {
			t.Fatal("mbpoll is not installed: run \"make setup-test\", or apt-get install mbpoll")
		}
		t.Skip("mbpoll is not installed: run \"make setup-test\", or apt-get install mbpoll")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	line := []string{"-m", "rtu", "-b", "115200", "-P", "none", "-o", "5", "-1", "-a", "1"}
	out, err := exec.CommandContext(ctx, path, append(line, args...)...).CombinedOutput()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return string(out), err == nil
}

func TestMbpollKnowsTheBoard(t *testing.T) {
	b := powered(t, nil)
	b.SetInput(4, true)
	for _, c := range []struct {
		name string
		args []string
		want []string // in what it says
		ok   bool
	}{
		{"inputs", []string{"-t", "1", "-r", "1", "-c", "8"}, []string{"[1]: \t0", "[3]: \t1", "[4]: \t1", "[5]: \t1", "[8]: \t1"}, true},
		{"input registers", []string{"-t", "3", "-r", "5", "-c", "1"}, []string{"[5]: \t1"}, true},
		{"relays", []string{"-t", "0", "-r", "1", "-c", "8"}, []string{"[1]: \t0", "[8]: \t0"}, true},
		{"inputs that do not exist", []string{"-t", "1", "-r", "17", "-c", "1"}, []string{"Illegal data address"}, false},
		{"relays that do not exist", []string{"-t", "0", "-r", "9", "-c", "1"}, []string{"Illegal data address"}, false},
		{"a mode register", []string{"-t", "4", "-r", "4097", "-c", "1"}, []string{"[4097]: \t0"}, true},
		{"a register that does not exist", []string{"-t", "4", "-r", "4200", "-c", "1"}, []string{"Illegal data address"}, false},
	} {
		said, ok := mbpoll(t, append(c.args, b.opts.Link)...)
		for _, w := range c.want {
			if !strings.Contains(said, w) || ok != c.ok {
				t.Errorf("%s: no %q, or %v, in:\n%s", c.name, w, ok, said)
			}
		}
	}
}

func TestMbpollSwitchesRelays(t *testing.T) {
	b := powered(t, nil)
	for _, c := range []struct {
		args []string
		want string // of relays 0 to 2
		ok   bool
	}{
		{[]string{"-t", "0", "-r", "2", b.opts.Link, "1"}, "010", true},
		{[]string{"-t", "0", "-r", "1", b.opts.Link, "1", "0", "1"}, "101", true},
		{[]string{"-t", "4", "-r", "3", b.opts.Link, "0"}, "100", true},
		{[]string{"-t", "4", "-r", "1", b.opts.Link, "7"}, "100", false},
		{[]string{"-t", "0", "-r", "9", b.opts.Link, "1"}, "100", false},
	} {
		said, ok := mbpoll(t, c.args...)
		got := ""
		for _, on := range b.Outputs()[:3] {
			got += map[bool]string{false: "0", true: "1"}[on]
		}
		if got != c.want || ok != c.ok {
			t.Errorf("%v: relays %s, want %s:\n%s", c.args, got, c.want, said)
		}
	}
}
