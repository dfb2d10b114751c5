package station

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// ErrEnded is returned for a process that ended by itself.
var ErrEnded = errors.New("process ended by itself")

// process is one child.
type process struct {
	name string
	log  string // file of its output
	pid  int
	done chan struct{} // closed when it has ended
	err  error         // how, after done
}

// start runs a program with its output appended to a log file.
func start(name, logFile, program string, args ...string) (*process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	// The terminal's Ctrl-C is for the simulator alone, which ends its
	// children in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &process{name: name, log: logFile, done: make(chan struct{})}
	began := make(chan error, 1)
	go p.run(cmd, log, began)
	if err := <-began; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// run starts the child and waits for it on one thread: the death signal comes
// when the thread ends that made the child, not when the process does.
func (p *process) run(cmd *exec.Cmd, log *os.File, began chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	defer log.Close()
	if err := cmd.Start(); err != nil {
		p.err = err
		began <- err
		return
	}
	p.pid = cmd.Process.Pid
	began <- nil
	p.err = cmd.Wait()
}

// signal sends a signal to a child that has not been waited for.
func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(p.pid, s) // it may end at this very moment
	}
}

// stop ends the child in order, and by force after the grace time.
func (p *process) stop(grace time.Duration) {
	p.signal(syscall.SIGTERM)
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-p.done:
	case <-t.C:
		p.kill()
	}
}

// kill ends the child at once and waits for its end.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// ended is the error of a child that is no more, nil while it runs.
func (p *process) ended() error {
	select {
	case <-p.done:
		if p.err == nil {
			return fmt.Errorf("%w: %s, without an error", ErrEnded, p.name)
		}
		return fmt.Errorf("%w: %s: %w", ErrEnded, p.name, p.err)
	default:
		return nil
	}
}

// command runs a program to its end and returns its standard output.
func command(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	out, err := cmd.Output()
	if err == nil {
		return out, nil
	}
	text := ""
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		text = ": " + string(exit.Stderr[:min(len(exit.Stderr), 500)])
	}
	words := args[:min(len(args), 2)]
	return out, fmt.Errorf("run %s %v: %w%s", filepath.Base(program), words, err, text)
}
