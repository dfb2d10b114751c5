package browsertest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Program is the browser, of the Debian package of the same name.
const Program = "chromium-headless-shell"

// Patience is how long one thing in the browser may take on a loaded machine.
const Patience = time.Minute

// leaving is how long the last of a killed browser may hold its pipes.
const leaving = 5 * time.Second

// Browser is one running browser.
type Browser struct {
	t      testing.TB
	wire   *wire
	errors lines
}

// Start runs a browser for the test, which a short run leaves out.
func Start(t testing.TB) *Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("short: without the browser")
	}
	path, err := exec.LookPath(Program)
	if err != nil {
		missing(t, "no browser: install it with: apt-get install "+Program)
	}
	b := &Browser{t: t}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, flags(t.TempDir())...)
	cmd.Stderr = &b.errors
	cmd.WaitDelay = leaving // what a helper of it still holds keeps nobody
	// A group of its own, so that its helpers end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	down, toBrowser, err := os.Pipe()
	if err != nil {
		t.Fatalf("make pipe: %v", err)
	}
	fromBrowser, up, err := os.Pipe()
	if err != nil {
		t.Fatalf("make pipe: %v", err)
	}
	cmd.ExtraFiles = []*os.File{down, up} // descriptors 3 and 4, as the browser expects them
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	_, _ = down.Close(), up.Close()
	b.wire = newWire(fromBrowser, toBrowser)
	t.Cleanup(func() {
		_ = toBrowser.Close() // the browser ends when nobody drives it any more
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		_ = fromBrowser.SetReadDeadline(time.Now().Add(leaving))
		<-b.wire.done
		_ = fromBrowser.Close()
	})
	return b
}

// missing skips a test that lacks a part of others.
func missing(t testing.TB, text string) {
	t.Helper()
	if os.Getenv("BORDERGATE_PARTS") == "all" {
		t.Fatal(text)
	}
	t.Skip(text)
}

func flags(profile string) []string {
	list := []string{
		"--remote-debugging-pipe", "--user-data-dir=" + profile, "--no-first-run", "--no-default-browser-check",
		"--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
		"--disable-default-apps", "--disable-sync", "--metrics-recording-only", "--no-pings", "--hide-scrollbars",
		"--force-color-profile=srgb", "--mute-audio", "--autoplay-policy=no-user-gesture-required", "--js-flags=--expose-gc",
	}
	if os.Geteuid() == 0 {
		list = append(list, "--no-sandbox") // the sandbox refuses to run for root
	}
	return append(list, "about:blank")
}

// Script is a file that make has fetched into bin/.test for pages to be judged
// with, found from whatever folder the test runs in.
func Script(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		b, readErr := os.ReadFile(filepath.Join(dir, "bin", ".test", name))
		if readErr == nil {
			return string(b)
		}
		if !errors.Is(readErr, os.ErrNotExist) {
			t.Fatalf("read %s: %v", name, readErr)
		}
		dir = filepath.Dir(dir)
	}
	missing(t, "no bin/.test/"+name+": fetch it with: make setup-test")
	return ""
}

// lines keeps the end of what the browser says on its standard error.
type lines struct {
	mu   sync.Mutex
	last []byte
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = append(l.last, b...)
	if n := len(l.last) - 4096; n > 0 {
		l.last = l.last[n:]
	}
	return len(b), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.last)
}
