package vision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is one life of a worker.
type process struct {
	w    *Worker
	cmd  *exec.Cmd
	conn net.Conn
	wg   sync.WaitGroup
	box  *os.File
	said *tail
	// end takes the first reason why this life is over; messages counts what was heard, ready is closed by the first.
	end      chan error
	messages atomic.Uint64
	ready    chan struct{}
	// heard is closed when all the worker's messages have been read, gone when the process has been waited for.
	heard, gone chan struct{}
}

// runOnce starts a worker and returns when it has gone: how long it had been ready, and why it went. Crash is what is left of a
// worker that was not ended on purpose.
//
// The thread is locked for the worker's whole life: the kernel sends the parent-death signal when the THREAD that started the child
// ends, and the Go runtime ends idle threads at will.
func (w *Worker) runOnce(ctx context.Context) (ready time.Duration, crash *Crash, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := w.start()
	if err != nil {
		return 0, nil, err
	}
	defer p.box.Close()
	p.wg.Go(p.hear)
	p.wg.Go(func() {
		err := p.cmd.Wait()
		close(p.gone)
		// A worker's last words say more than its exit status.
		<-p.heard
		p.fail(exitError(err))
	})
	quit := make(chan struct{})
	p.wg.Go(func() { p.fail(p.command(quit)) })

	ready, err = p.supervise(ctx)
	p.shut(ctx)
	close(quit)
	p.wg.Wait()
	if ctx.Err() == nil && !errors.Is(err, ErrRetired) {
		crash = p.crash(err, ready)
	}
	return ready, crash, err
}

// start makes the socket pair and the process.
func (w *Worker) start() (*process, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make worker socket: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "worker"), os.NewFile(uintptr(fds[1]), "supervisor")
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err = errors.Join(err, ours.Close()); err != nil {
		return nil, fmt.Errorf("make worker socket: %w", err)
	}
	lines, sink, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make worker log pipe: %w", err), conn.Close())
	}
	defer sink.Close()
	box, err := newBox()
	if err != nil {
		return nil, errors.Join(err, conn.Close(), lines.Close())
	}

	cmd := exec.Command(w.o.Program, w.o.Args...)
	cmd.Env = append([]string{"LANG=C.UTF-8", "PATH=/usr/bin:/bin", "OPENCV_LOG_LEVEL=ERROR"}, w.o.Env...)
	cmd.ExtraFiles = []*os.File{theirs, box}
	cmd.Stderr = sink
	// An own process group keeps a terminal's ctrl-C from ending the worker before the daemon has closed the lane.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start worker: %w", err), conn.Close(), lines.Close(), box.Close())
	}
	p := &process{
		w: w, cmd: cmd, conn: conn, box: box, said: &tail{}, end: make(chan error, 1), ready: make(chan struct{}),
		heard: make(chan struct{}), gone: make(chan struct{}),
	}
	p.wg.Go(func() {
		defer lines.Close()
		forward(lines, w.log, p.said)
	})
	return p, nil
}

// fail notes why this life is over; only the first reason counts.
func (p *process) fail(err error) {
	if err == nil {
		return
	}
	select {
	case p.end <- err:
	default:
	}
}

// supervise waits for the end and brings it about when a limit is passed.
func (p *process) supervise(ctx context.Context) (ready time.Duration, err error) {
	o, quiet := p.w.o, newSilence(p.w.o)
	turn := time.NewTicker(quiet.turn)
	defer turn.Stop()
	memory := time.NewTicker(o.MemoryCheck)
	defer memory.Stop()
	up := p.ready
	var since time.Time
	age := func() time.Duration {
		if since.IsZero() {
			return 0
		}
		return time.Since(since)
	}
	idle := 0
	for {
		select {
		case <-ctx.Done():
			return age(), ctx.Err()
		case err := <-p.end:
			return age(), err
		case <-up:
			up, since = nil, time.Now()
		case <-turn.C:
			state := func() procState { return stateOf(p.cmd.Process.Pid) }
			if err := quiet.look(p.messages.Load(), up == nil, state); err != nil {
				return age(), err
			}
		case <-memory.C:
			if idle++; p.w.watching() {
				idle = 0
			}
			rested := up == nil && time.Duration(idle)*o.MemoryCheck >= o.Rest
			if err := o.outgrown(p.cmd.Process.Pid, age(), rested); err != nil {
				return age(), err
			}
		}
	}
}

// outgrown tells that a worker must go: for good reason at once, or because it is time and nobody is being watched.
func (o Options) outgrown(pid int, age time.Duration, rested bool) error {
	rss, anon, err := memoryOf(pid)
	switch {
	case err != nil:
		return nil // it has gone, which is noticed elsewhere
	case rss > o.MaxRSS:
		return fmt.Errorf("%w: %d MiB", ErrMemory, rss>>20)
	case rested && anon > o.MaxAnon:
		return fmt.Errorf("%w: %d MiB of its own memory", ErrRetired, anon>>20)
	case rested && age > o.MaxAge:
		return fmt.Errorf("%w: %v old", ErrRetired, age.Round(time.Second))
	default:
		return nil
	}
}

// shut ends the process for certain. At the daemon's own end the worker gets a moment to leave by itself, since closing a camera
// cleanly spares the next start a reset.
func (p *process) shut(ctx context.Context) {
	_ = p.conn.Close()
	if ctx.Err() != nil {
		t := time.NewTimer(500 * time.Millisecond)
		defer t.Stop()
		select {
		case <-p.gone:
			return
		case <-t.C:
		}
	}
	_ = p.cmd.Process.Kill()
	<-p.gone
}

// hear reads until the socket's end. A worker that closed its socket and stays is ended.
func (p *process) hear() {
	err := p.receive()
	close(p.heard)
	p.fail(err)
	t := time.NewTimer(500 * time.Millisecond)
	defer t.Stop()
	select {
	case <-p.gone:
	case <-t.C:
		p.fail(fmt.Errorf("%w: socket closed", ErrExit))
	}
}

// receive turns the worker's messages into events; nil at the socket's end.
func (p *process) receive() error {
	first := true
	for {
		m, err := Read(p.conn)
		switch {
		case isGone(err):
			return nil
		case err != nil:
			return err
		}
		switch m := m.(type) {
		case ready:
			if !first {
				return fmt.Errorf("%w: ready twice", ErrProtocol)
			}
			first = false
			p.w.queue.push(Up{Name: p.w.o.Name, PID: p.cmd.Process.Pid})
			close(p.ready)
		case Fault:
			return fmt.Errorf("%w: %s", ErrWorker, m.Text)
		case Event:
			if first {
				return fmt.Errorf("%w: kind %d before ready", ErrProtocol, m.(Message).kind())
			}
			p.w.queue.push(m)
		default:
			return fmt.Errorf("%w: kind %d", ErrProtocol, m.kind())
		}
		p.messages.Add(1)
	}
}

// command sends the configuration, then what is wanted whenever it changes.
func (p *process) command(quit <-chan struct{}) error {
	if err := p.send(p.w.o.Config); err != nil {
		return err
	}
	select {
	case <-p.ready:
	case <-quit:
		return nil
	}
	var told desire
	for {
		d := p.w.takeDesire()
		for _, m := range told.steps(d) {
			if err := p.send(m); err != nil {
				return err
			}
		}
		told = d
		select {
		case <-p.w.kick:
		case <-quit:
			return nil
		}
	}
}

// steps are the messages that bring a worker from one state to another.
func (d desire) steps(to desire) []Message {
	var out []Message
	switch {
	case to.watching && (!d.watching || d.session != to.session):
		out = append(out, watch{Session: to.session})
	case d.watching && !to.watching:
		out = append(out, stop{})
	}
	if to.still {
		out = append(out, still{})
	}
	if to.mirror != d.mirror {
		out = append(out, mirror{On: to.mirror})
	}
	return out
}

func (p *process) send(m Message) error {
	if err := p.conn.SetWriteDeadline(time.Now().Add(sendLimit)); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if err := Write(p.conn, m); !isGone(err) {
		return err
	}
	return nil
}

// isGone tells an end of the socket from a fault on it: the process's exit says why.
func isGone(err error) bool {
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func exitError(err error) error {
	if err == nil {
		return fmt.Errorf("%w: exit status 0", ErrExit)
	}
	return fmt.Errorf("%w: %w", ErrExit, err)
}
