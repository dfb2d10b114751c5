package vision

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be the worker it supervises.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "fake-worker" {
		os.Exit(fakeWorker(os.Args[2]))
	}
	if len(os.Args) > 1 && os.Args[1] == "fake-daemon" {
		os.Exit(fakeDaemon())
	}
	os.Exit(m.Run())
}

// fakeWorker does what its mode says. Every mode ends with its socket, so that no test leaves a process behind.
func fakeWorker(mode string) int {
	c, err := OpenChild()
	if err != nil {
		return 9
	}
	cfg, err := c.Config()
	if err != nil {
		return 8
	}
	switch mode {
	case "silent before ready":
		return untilEnd(c)
	case "fault":
		_ = c.Fail(fmt.Errorf("model refused: %s", cfg.Source))
		return 2
	case "early face":
		_ = c.Send(Face{})
		return untilEnd(c)
	}
	if c.Ready() != nil {
		return 7
	}
	switch mode {
	case "silent":
		return untilEnd(c)
	case "stopped":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		return untilEnd(c)
	case "deaf":
		// The end of its socket does not end this one.
		for {
			_ = syscall.Pause()
		}
	case "abort":
		c.Note(LaneCamera, Trace{Stage: "read", Frame: 8})
		c.Note(LaneWork, Trace{Stage: "detect", Frame: 6})
		c.Note(LaneWork, Trace{Stage: "feature", Frame: 7, FrameAt: 70, Width: 1280, Height: 720, Digest: 0xfeed, Mean: 90})
		fmt.Fprintln(os.Stderr, "terminate called after an exception")
		_ = syscall.Kill(os.Getpid(), syscall.SIGABRT)
		return untilEnd(c)
	case "garbage":
		_, _ = c.conn.Write([]byte("[ WARN:0] something printed to the wrong place"))
		return untilEnd(c)
	case "version":
		_, _ = c.conn.Write([]byte{magic[0], magic[1], Version + 1, byte(kindHealth), 0, 0, 0, 0})
		return untilEnd(c)
	case "memory":
		hog := make([]byte, 256<<20)
		for i := range hog {
			hog[i] = 1
		}
		return behave(c, hog[:1])
	case "environment":
		fmt.Fprintln(os.Stderr, strings.Join(os.Environ(), " "), "descriptors", descriptors())
	}
	return behave(c, nil)
}

// fakeDaemon supervises a worker and says its number once it is ready.
func fakeDaemon() int {
	self, err := os.Executable()
	if err != nil {
		return 9
	}
	o := DefaultOptions()
	o.Program, o.Args, o.Name = self, []string{"fake-worker", "deaf"}, "face"
	o.Config = WorkerConfig{Role: RoleDocument, Source: "/dev/video0"}
	o.Beat = time.Hour
	w := NewWorker(o)
	go func() { _ = w.Serve(context.Background()) }()
	for e := range w.Events() {
		if up, ok := e.(Up); ok {
			fmt.Println(up.PID) //nolint:forbidigo // this is a program's output
		}
	}
	return 0
}

// untilEnd reads orders and does nothing.
func untilEnd(c *Child) int {
	for {
		if _, err := c.Next(); err != nil {
			return 0
		}
	}
}

// descriptors counts open descriptors that lead anywhere else than the runtime's own.
func descriptors() string {
	var out []string
	for fd := range 64 {
		var st syscall.Stat_t
		if syscall.Fstat(fd, &st) == nil {
			l, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
			if !strings.Contains(l, "anon_inode") {
				out = append(out, fmt.Sprintf("%d=%s", fd, l))
			}
		}
	}
	return strings.Join(out, ",")
}

// behave beats, and answers every watch with a symbol and a face, every still with an image.
func behave(c *Child, ballast []byte) int {
	done := make(chan struct{})
	go func() {
		t := time.NewTicker(20 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				if c.Send(CameraHealth{OK: true, FPS: 25, Err: string(ballast[:0])}) != nil {
					return
				}
			case <-done:
				return
			}
		}
	}()
	defer close(done)
	for {
		cmd, err := c.Next()
		if err != nil {
			return 0
		}
		switch cmd.Kind {
		case CommandWatch:
			_ = c.Send(Symbol{Session: cmd.Session, FrameAt: 1, Symbology: "qr", Payload: []byte("payload")})
			_ = c.Send(Face{Session: cmd.Session, FrameAt: 2, Count: 1, Raw: []float32{1, 2, 3}})
		case CommandStill:
			_ = c.Send(Image{FrameAt: 3, Width: 4, Height: 5, JPEG: []byte{0xff, 0xd8}})
		}
	}
}
