// Package mosquittotest runs Debian's mosquitto as a process of its own on a
// free port of this machine, for tests and measurements against a broker that
// is not ours. The queue limits are mosquitto's defaults and it keeps nothing
// on disk: 20 messages under way and 1,000 waiting for a client, the rest is
// dropped without a word, and a restart forgets everything.
//
// A broker with Files demands TLS 1.3 and a certificate from everybody, and
// takes its name from it; without them it is open and in clear.
package mosquittotest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
)

// ErrMissing says that there is no mosquitto on this machine.
var ErrMissing = errors.New("mosquitto is not installed: run \"make setup\", or apt-get install mosquitto")

// Options of a broker.
type Options struct {
	Dir string // folder for its configuration; it must exist
	// Files is a folder with ca.crt, broker.crt and broker.key, and with acl
	// where names have rights, as "hqd broker certify" makes it. Empty: no TLS.
	Files string
	// More are lines for the configuration, such as a limit of a queue.
	More []string
}

// Broker is a running or stopped mosquitto. It is not for concurrent use.
type Broker struct {
	o      Options
	port   int
	cmd    *exec.Cmd
	exited chan struct{} // closed once the process is gone and its words are read
	words  []byte        // what it said
	drops  atomic.Int64
}

// Start finds a free port and starts a broker there.
func Start(o Options) (*Broker, error) {
	if _, err := program(); err != nil {
		return nil, err
	}
	var err error
	for range 5 { // another process may take the port between our look and the start
		b := &Broker{o: o}
		if b.port, err = freePort(); err != nil {
			break
		}
		if err = b.Start(); err == nil {
			return b, nil
		}
	}
	return nil, fmt.Errorf("start mosquitto: %w", err)
}

// program is where Debian puts the broker, which is on nobody's path but
// root's.
func program() (string, error) {
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrMissing
}

func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// Address is host:port, the same over every start.
func (b *Broker) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }

// URL is the broker's address as a session takes it.
func (b *Broker) URL() string {
	if b.o.Files != "" {
		return "ssl://" + b.Address()
	}
	return "tcp://" + b.Address()
}

// Pid is the process's number, 0 while there is none.
func (b *Broker) Pid() int {
	if b.cmd == nil {
		return 0
	}
	return b.cmd.Process.Pid
}

// Start starts a stopped broker where it was before, and returns when it
// listens.
func (b *Broker) Start() error {
	if b.cmd != nil {
		return nil
	}
	path, err := program()
	if err != nil {
		return err
	}
	file := filepath.Join(b.o.Dir, "mosquitto.conf")
	if err := os.WriteFile(file, []byte(b.configuration()), 0o600); err != nil {
		return err
	}
	cmd := exec.Command(path, "-c", file)
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	b.cmd, b.exited = cmd, make(chan struct{})
	ready := make(chan bool, 2)
	go func() {
		b.words = b.listen(said, ready)
		_ = cmd.Wait()
		close(b.exited)
	}()
	if <-ready {
		return nil
	}
	b.Kill()
	return fmt.Errorf("mosquitto ended: %s", b.words)
}

// listen waits for the line that says it is ready and reads on to the end, so
// that the process never blocks on its own words.
func (b *Broker) listen(said io.Reader, ready chan<- bool) []byte {
	var words []byte
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		switch {
		case strings.HasSuffix(lines.Text(), " running"):
			ready <- true
		case strings.Contains(lines.Text(), "messages are being dropped"):
			b.drops.Add(1)
		case len(words) < 4<<10:
			words = append(append(words, lines.Bytes()...), '\n')
		}
	}
	_, _ = io.Copy(io.Discard, said) // a line was too long for the scanner
	ready <- false                   // nobody waits any more if it was ready once
	return words
}

// Drops is how often it said that it began to drop messages for a client whose
// queue is full.
func (b *Broker) Drops() int64 { return b.drops.Load() }

// Kill ends the process with SIGKILL, as a power cut would; a second call does
// nothing.
func (b *Broker) Kill() {
	if b.cmd == nil {
		return
	}
	_ = b.cmd.Process.Kill()
	<-b.exited
	b.cmd = nil
}

// configuration names no queue limit: the defaults are what is to be tried.
func (b *Broker) configuration() string {
	lines := []string{
		"listener " + strconv.Itoa(b.port) + " 127.0.0.1",
		"user root", // who starts it is who it stays; without root this means nothing
		"persistence false",
		"log_dest stderr",
		"log_type error", "log_type warning", "log_type notice", "log_type information",
		"connection_messages false",
		"set_tcp_nodelay true",
	}
	if b.o.Files == "" {
		lines = append(lines, "allow_anonymous true")
	} else {
		in := func(name string) string { return filepath.Join(b.o.Files, name) }
		lines = append(lines,
			"allow_anonymous false", "tls_version tlsv1.3", "require_certificate true",
			"use_identity_as_username true", "use_username_as_clientid true",
			"cafile "+in("ca.crt"), "certfile "+in("broker.crt"), "keyfile "+in("broker.key"))
		if _, err := os.Stat(in("acl")); err == nil {
			lines = append(lines, "acl_file "+in("acl"))
		}
	}
	return strings.Join(append(lines, b.o.More...), "\n") + "\n"
}

// Test is what New needs of a test.
type Test interface {
	Helper()
	Cleanup(func())
	TempDir() string
	Skip(...any)
	Fatalf(string, ...any)
}

// New starts a broker for one test. Where there is no mosquitto the test is
// skipped, unless BORDERGATE_PARTS=all says that every part must be there.
func New(t Test, files string) *Broker {
	t.Helper()
	b, err := Start(Options{Dir: t.TempDir(), Files: files})
	if errors.Is(err, ErrMissing) && os.Getenv("BORDERGATE_PARTS") != "all" {
		t.Skip(err.Error())
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(b.Kill)
	return b
}

// Again starts a killed broker on its port or fails the test.
func (b *Broker) Again(t Test) {
	t.Helper()
	if err := b.Start(); err != nil {
		t.Fatalf("start mosquitto again: %v", err)
	}
}
