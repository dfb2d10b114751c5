package main

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test's program be the daemon.
func TestMain(m *testing.M) {
	if os.Getenv("GATED_IN_TEST") != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// station is a file whose gate has nothing behind it: it stays closed and says
// why.
func station(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile("../../configs/gate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(
		"/var/lib/bordergate", dir, "/run/bordergate/gated.sock", dir+"/sock", "127.0.0.1:7080", "127.0.0.1:0", "0000 0000 0000", "1234 5678 9abc",
	).Replace(string(text))
	path := filepath.Join(dir, "gate.yaml")
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// daemon is a running gated, of which the log's lines are followed.
type daemon struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func begin(t *testing.T, path string) *daemon {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	d := &daemon{cmd: exec.CommandContext(ctx, os.Args[0], "--config", path)}
	d.cmd.Env = append(os.Environ(), "GATED_IN_TEST=1")
	out, err := d.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.lines = bufio.NewScanner(out)
	return d
}

// until follows the log to the first line with text.
func (d *daemon) until(t *testing.T, text string) {
	t.Helper()
	for d.lines.Scan() {
		if strings.Contains(d.lines.Text(), text) {
			return
		}
	}
	t.Fatalf("the log ended without %q", text)
}

func (d *daemon) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// TestSIGHUP sends the real signal to a real process.
func TestSIGHUP(t *testing.T) {
	path := station(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := begin(t, path)
	d.until(t, `msg="Gate started"`)
	write(strings.NewReplacer("cache_max_age: 72h", "cache_max_age: 24h", "unit: 1\n", "unit: 2\n").Replace(string(text)))
	d.signal(t, syscall.SIGHUP)
	d.until(t, `msg="Setting is taken up" key=policy.cache_max_age from=72h to=24h`)
	d.until(t, `msg="Setting is not taken up" key=turnstile.unit from=1 to=2 why="restart needed"`)
	write("version: 7\n")
	d.signal(t, syscall.SIGHUP)
	d.until(t, "the last good one holds")
	d.signal(t, syscall.SIGTERM)
	for d.lines.Scan() { // to its end
	}
	if err := d.cmd.Wait(); err == nil || d.cmd.ProcessState.ExitCode() != exitFaults {
		t.Errorf("ended with %v, want %d", err, exitFaults)
	}
}
