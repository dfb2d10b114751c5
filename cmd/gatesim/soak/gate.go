package soak

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"bordergate/cmd/gatesim/bare"
)

// gate is the gate's process, which may be killed and started again. What it
// has said stays.
type gate struct {
	argv []string
	env  []string
	logs string
	log  *said

	mu  sync.Mutex
	run *life // nil while it is down
	up  chan struct{}
}

// life is one process.
type life struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{} // closed when all it said was read
	err  error
}

func newGate(argv, env []string, logs string, o bare.Options) *gate {
	return &gate{argv: append(append([]string{}, argv...), bare.Flags(o)...), env: env, logs: logs, log: newSaid(), up: make(chan struct{})}
}

func (g *gate) start() error {
	file, err := os.OpenFile(g.logs, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start gate: %w", err)
	}
	defer file.Close()
	cmd := exec.Command(g.argv[0], g.argv[1:]...)
	cmd.Env = append(os.Environ(), g.env...)
	cmd.Stderr = file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it ends by itself when its input does
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("start gate: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start gate: %w", err)
	}
	l := &life{cmd: cmd, in: in, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			g.log.take(lines.Text())
		}
		l.err = cmd.Wait()
		g.log.wake()
	}()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.run = l
	close(g.up)
	return nil
}

// kill ends the process at once; what it had said is read to its end.
func (g *gate) kill() {
	if l := g.take(); l != nil {
		_ = l.cmd.Process.Kill()
		<-l.done
	}
}

// stop ends the process in order.
func (g *gate) stop() error {
	l := g.take()
	if l == nil {
		return nil
	}
	_ = l.in.Close()
	select {
	case <-l.done:
		return l.err
	case <-time.After(20 * time.Second):
		_ = l.cmd.Process.Kill()
		<-l.done
		return errors.New("gate did not end in order")
	}
}

func (g *gate) take() *life {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.run
	if l != nil {
		g.run, g.up = nil, make(chan struct{})
	}
	return l
}

// failed is why the process is no more, nil while it runs or was killed here.
func (g *gate) failed() error {
	g.mu.Lock()
	l := g.run
	g.mu.Unlock()
	if l == nil {
		return nil
	}
	select {
	case <-l.done:
		return fmt.Errorf("gate ended by itself: %w (see %s)", errors.Join(l.err, io.EOF), g.logs)
	default:
		return nil
	}
}

// alive waits for a process and gives it.
func (g *gate) alive(ctx context.Context) (*life, error) {
	g.mu.Lock()
	l, up := g.run, g.up
	g.mu.Unlock()
	for l == nil {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-up:
		}
		g.mu.Lock()
		l, up = g.run, g.up
		g.mu.Unlock()
	}
	return l, g.failed()
}

// tell hands one line to the process; one that is being killed hears nothing.
func (l *life) tell(format string, a ...any) { _, _ = fmt.Fprintf(l.in, format+"\n", a...) }

// recordLimit bounds how long a round's part of the records may take, with
// kills in between.
const recordLimit = 2 * time.Minute

// record has n more records written, by as many lives as that takes.
func (g *gate) record(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, recordLimit, errors.New("records did not become durable in time"))
	defer cancel()
	target := g.log.count() + n
	for {
		missing := target - g.log.count()
		if missing <= 0 {
			return nil
		}
		l, err := g.alive(ctx)
		if err != nil {
			return err
		}
		l.tell("record %d", missing)
		if err := g.log.wait(ctx, l.done, func() bool { return len(g.log.records) >= target }); err != nil {
			return err
		}
	}
}

// said is what the gate has said in all its lives.
type said struct {
	mu      sync.Mutex
	changed chan struct{}

	records  map[place]promised
	acked    map[string][2]uint64 // by stream: acknowledged, next
	at       string               // where the replica stands
	accounts map[string]string
	counts   map[string]uint64
	dumps    int
	asks     int
	wrong    []string
}

// place is a record's for ever.
type place struct {
	stream string
	epoch  uint64
	seq    uint64
}

// promised is a record that was said to be durable.
type promised struct {
	hash, nonce string
	times       int
}

func newSaid() *said {
	return &said{
		changed: make(chan struct{}), records: make(map[place]promised), acked: make(map[string][2]uint64),
		accounts: make(map[string]string), counts: make(map[string]uint64),
	}
}

func (s *said) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.records)
}

func (s *said) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notify()
}

func (s *said) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// take reads one line. A line that a kill cut short says nothing.
func (s *said) take(text string) {
	word, rest, _ := strings.Cut(text, " ")
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.notify()
	switch word {
	case bare.SaidRecorded:
		var p place
		var r promised
		if n, _ := fmt.Sscanf(rest, "%s %d %d %s %s", &p.stream, &p.epoch, &p.seq, &r.hash, &r.nonce); n == 5 && len(r.nonce) == bare.NonceLen {
			r.times = s.records[p].times + 1
			s.records[p] = r
		}
	case bare.SaidAcked:
		var stream string
		var v [2]uint64
		if n, _ := fmt.Sscanf(rest, "%s %d %d", &stream, &v[0], &v[1]); n == 3 {
			s.acked[stream] = v
		}
	case bare.SaidPlace:
		s.at = rest
		s.asks++
	case bare.SaidAccount:
		if id, state, ok := strings.Cut(rest, " "); ok {
			s.accounts[id] = state
		}
	case bare.SaidCount:
		var cause string
		var n uint64
		if k, _ := fmt.Sscanf(rest, "%s %d", &cause, &n); k == 2 {
			s.counts[cause] += n
		}
	case bare.SaidDumped:
		s.dumps++
	case bare.SaidWrong:
		s.wrong = append(s.wrong, rest)
	}
}

// wait returns when ok or when the process ended. Ok is called with the lock.
func (s *said) wait(ctx context.Context, ended <-chan struct{}, ok func() bool) error {
	for {
		s.mu.Lock()
		good, changed := ok(), s.changed
		s.mu.Unlock()
		if good {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ended:
			return nil
		case <-changed:
		}
	}
}
