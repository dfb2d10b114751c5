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
	// end takes the first reason why this life is over; beat is kicked by every message, ready closed by the first.
	end   chan error
	beat  chan struct{}
	ready chan struct{}
	// heard is closed when all the worker's messages have been read, gone when the process has been waited for.
	heard, gone chan struct{}
}

// runOnce starts a worker and returns when it has gone. Good tells that it was ready for long enough.
//
// The thread is locked for the worker's whole life: the kernel sends the parent-death signal when the THREAD that started the child
// ends, and the Go runtime ends idle threads at will.
func (w *Worker) runOnce(ctx context.Context) (good bool, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := w.start()
	if err != nil {
		return false, err
	}
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

	good, err = p.supervise(ctx)
	p.shut(ctx)
	close(quit)
	p.wg.Wait()
	return good, err
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

	cmd := exec.Command(w.o.Program, w.o.Args...)
	cmd.Env = append([]string{"LANG=C.UTF-8", "PATH=/usr/bin:/bin", "OPENCV_LOG_LEVEL=ERROR"}, w.o.Env...)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = sink
	// An own process group keeps a terminal's ctrl-C from ending the worker before the daemon has closed the lane.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start worker: %w", err), conn.Close(), lines.Close())
	}
	p := &process{
		w: w, cmd: cmd, conn: conn, end: make(chan error, 1), beat: make(chan struct{}, 1), ready: make(chan struct{}),
		heard: make(chan struct{}), gone: make(chan struct{}),
	}
	p.wg.Go(func() {
		defer lines.Close()
		forward(lines, w.log)
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
func (p *process) supervise(ctx context.Context) (good bool, err error) {
	silence := time.NewTimer(p.w.o.StartLimit)
	defer silence.Stop()
	memory := time.NewTicker(p.w.o.MemoryCheck)
	defer memory.Stop()
	ready, late := p.ready, ErrStart
	var since time.Time
	for {
		select {
		case <-ctx.Done():
			return true, ctx.Err()
		case err := <-p.end:
			return !since.IsZero() && time.Since(since) >= p.w.o.GoodRun, err
		case <-ready:
			ready, late, since = nil, ErrBeat, time.Now()
			silence.Reset(p.w.o.Beat)
		case <-p.beat:
			if ready == nil {
				silence.Reset(p.w.o.Beat)
			}
		case <-silence.C:
			return false, late
		case <-memory.C:
			if rss, err := residentBytes(p.cmd.Process.Pid); err == nil && rss > p.w.o.MaxRSS {
				return !since.IsZero(), fmt.Errorf("%w: %d MiB", ErrMemory, rss>>20)
			}
		}
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
		select {
		case p.beat <- struct{}{}:
		default:
		}
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
