package vision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lines collects a log for a test.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// serve runs a fake worker and ends it with the test.
func serve(t *testing.T, mode string, change func(*Options)) (*Worker, *lines) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	o := DefaultOptions()
	o.Program, o.Args, o.Name = self, []string{"fake-worker", mode}, "face"
	o.Config = WorkerConfig{Role: RoleDocument, Source: "/dev/video0", Width: 1280, Height: 720, FPS: 25}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	if change != nil {
		change(&o)
	}
	w := NewWorker(o)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve returned %v", err)
		}
	})
	return w, log
}

// await returns the next event of a type; others pass by.
func await[E Event](t *testing.T, w *Worker) E {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case e := <-w.Events():
			if want, ok := e.(E); ok {
				return want
			}
		case <-limit:
			var none E
			t.Fatalf("no %T came", none)
		}
	}
}

func TestWorkerDelivers(t *testing.T) {
	w, _ := serve(t, "good", nil)
	w.Watch(7)
	up := await[Up](t, w)
	if up.Name != "face" || up.PID <= 0 {
		t.Errorf("up %+v", up)
	}
	if s := await[Symbol](t, w); s.Session != 7 || string(s.Payload) != "payload" || s.FrameAt != 1 {
		t.Errorf("symbol %+v", s)
	}
	if f := await[Face](t, w); f.Session != 7 || f.Count != 1 || len(f.Raw) != 3 {
		t.Errorf("face %+v", f)
	}
	w.Still()
	if m := await[Image](t, w); len(m.JPEG) != 2 || m.Width != 4 {
		t.Errorf("image %+v", m)
	}
	w.Stop()
	w.Watch(8)
	if f := await[Face](t, w); f.Session != 8 {
		t.Errorf("face of session %d, want 8", f.Session)
	}
}

func TestWorkerKilledComesBackWatching(t *testing.T) {
	w, _ := serve(t, "good", nil)
	w.Watch(3)
	first := await[Up](t, w)
	await[Face](t, w)
	for range 3 {
		if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if d := await[Down](t, w); !errors.Is(d.Err, ErrExit) || !strings.Contains(d.Err.Error(), "killed") {
			t.Errorf("down because %v, want its exit by a signal", d.Err)
		}
		next := await[Up](t, w)
		if next.PID == first.PID {
			t.Error("the dead worker came up")
		}
		if f := await[Face](t, w); f.Session != 3 {
			t.Errorf("face of session %d after the restart, want 3", f.Session)
		}
		first = next
	}
}

func TestWorkerEnded(t *testing.T) {
	quick := func(o *Options) { o.Beat, o.StartLimit = 200*time.Millisecond, 5*time.Second }
	for mode, c := range map[string]struct {
		change func(*Options)
		want   error
	}{
		"silent":              {quick, ErrBeat},
		"stopped":             {quick, ErrBeat},
		"silent before ready": {func(o *Options) { o.StartLimit = 200 * time.Millisecond }, ErrStart},
		"garbage":             {nil, ErrMagic},
		"version":             {nil, ErrVersion},
		"early face":          {nil, ErrProtocol},
		"fault":               {nil, ErrWorker},
		"memory":              {func(o *Options) { o.MaxRSS, o.MemoryCheck = 128<<20, 10*time.Millisecond }, ErrMemory},
		"not there":           {func(o *Options) { o.Program = "/nonexistent" }, os.ErrNotExist},
	} {
		t.Run(mode, func(t *testing.T) {
			w, _ := serve(t, mode, c.change)
			for range 2 {
				if d := await[Down](t, w); !errors.Is(d.Err, c.want) {
					t.Fatalf("down because %v, want %v", d.Err, c.want)
				}
			}
		})
	}
}

func TestWorkerGetsNothingElse(t *testing.T) {
	t.Setenv("BORDERGATE_SECRET", "not for the worker")
	ours, err := os.Create(filepath.Join(t.TempDir(), "open-here"))
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	w, log := serve(t, "environment", func(o *Options) { o.Env = []string{"ADDED=yes"} })
	await[CameraHealth](t, w)
	for !strings.Contains(log.String(), "descriptors") {
		await[CameraHealth](t, w)
	}
	said := log.String()
	if strings.Contains(said, "SECRET") || !strings.Contains(said, "ADDED=yes") {
		t.Errorf("environment: %s", said)
	}
	if strings.Contains(said, "open-here") || strings.Count(said, "=socket:") != 1 || strings.Count(said, "=pipe:") != 1 || strings.Contains(said, "memfd") {
		t.Errorf("descriptors other than its socket and its log: %s", said)
	}
}

func TestWorkerDiesWithItsParent(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command(self, "fake-daemon")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	_, scan := fmt.Fscan(out, &pid)
	fd, open := unix.PidfdOpen(pid, 0)
	if err := errors.Join(scan, open, daemon.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	_ = daemon.Wait() // killed
	ended := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(ended, 30_000); n != 1 || err != nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		t.Errorf("the worker outlived its parent: %d, %v", n, err)
	}
}

func TestWorkerIsReplacedOnlyWhenIdle(t *testing.T) {
	w, _ := serve(t, "good", func(o *Options) {
		o.MaxAge, o.MemoryCheck, o.Rest = time.Millisecond, 5*time.Millisecond, 20*time.Millisecond
	})
	w.Watch(1)
	await[Up](t, w)
	for range 10 {
		switch e := (<-w.Events()).(type) {
		case Down:
			t.Fatalf("replaced while watching: %v", e.Err)
		default:
		}
	}
	w.Stop()
	if d := await[Down](t, w); !errors.Is(d.Err, ErrRetired) || d.Crash != nil {
		t.Errorf("down because %v, crash %+v", d.Err, d.Crash)
	}
	await[Up](t, w)
}

func TestServeRefuses(t *testing.T) {
	w := NewWorker(Options{Name: "face", Config: WorkerConfig{Role: RoleFace, Source: "x"}})
	if err := w.Serve(context.Background()); !errors.Is(err, ErrConfig) {
		t.Errorf("got %v, want ErrConfig", err)
	}
}

func TestBackoff(t *testing.T) {
	w := NewWorker(Options{})
	if d := w.backoff(0); d != 0 {
		t.Errorf("first restart after %v, want at once", d)
	}
	last := time.Duration(0)
	for n := 1; n < 40; n++ {
		d := w.backoff(n)
		if d < last || d > 2*time.Second || d <= 0 {
			t.Errorf("restart %d after %v, before it %v", n, d, last)
		}
		last = d
	}
}

func TestQueueKeepsTheNewestAndTheLife(t *testing.T) {
	q := newQueue()
	q.push(Up{PID: 1})
	for i := range 100 {
		q.push(Face{Session: uint32(i)})
		q.push(CameraHealth{AgeMillis: int32(i)})
		q.push(Symbol{Session: uint32(i)})
	}
	q.push(Down{})
	var faces, symbols []uint32
	var life, health int
	for {
		e, ok := q.pop()
		if !ok {
			break
		}
		switch e := e.(type) {
		case Face:
			faces = append(faces, e.Session)
		case Symbol:
			symbols = append(symbols, e.Session)
		case CameraHealth:
			health++
			if e.AgeMillis != 99 {
				t.Errorf("old health %d kept", e.AgeMillis)
			}
		default:
			life++
		}
	}
	if len(faces) != keepFaces || faces[0] != 100-keepFaces || faces[len(faces)-1] != 99 {
		t.Errorf("faces %v", faces)
	}
	if len(symbols) != keepSymbols || life != 2 || health != 1 {
		t.Errorf("symbols %d, up and down %d, health %d", len(symbols), life, health)
	}
}

func TestSteps(t *testing.T) {
	for name, c := range map[string]struct {
		from, to desire
		want     []Message
	}{
		"nothing":        {desire{}, desire{}, nil},
		"watch":          {desire{}, desire{watching: true, session: 1}, []Message{watch{1}}},
		"same session":   {desire{watching: true, session: 1}, desire{watching: true, session: 1}, nil},
		"next session":   {desire{watching: true, session: 1}, desire{watching: true, session: 2}, []Message{watch{2}}},
		"stop":           {desire{watching: true, session: 1}, desire{}, []Message{stop{}}},
		"still":          {desire{}, desire{still: true}, []Message{still{}}},
		"mirror":         {desire{}, desire{mirror: true}, []Message{mirror{On: true}}},
		"no mirror":      {desire{mirror: true}, desire{}, []Message{mirror{}}},
		"mirror goes on": {desire{mirror: true}, desire{mirror: true}, nil},
		"stop and still": {desire{watching: true}, desire{still: true}, []Message{stop{}, still{}}},
	} {
		got := c.from.steps(c.to)
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
	}
}
