package vision

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// keepCrashes bounds the crash files of one worker; the oldest go first.
const keepCrashes = 20

// Crash is what is left of a worker that ended badly. It names the frame by number, time, size and digest, and shows nothing of it.
type Crash struct {
	Worker string    `json:"worker"`
	At     time.Time `json:"at"`
	Error  string    `json:"error"`
	PID    int       `json:"pid"`
	// Ready is how long it had been ready, 0 when it never was.
	Ready time.Duration `json:"ready_ns"`
	// Now is CLOCK_MONOTONIC at its end, for comparison with the traces'.
	Now int64 `json:"now"`
	// Work and Camera are the last steps of its two lanes; nil when there was none.
	Work   *Trace `json:"work,omitempty"`
	Camera *Trace `json:"camera,omitempty"`
	// Model is the network of the last step.
	Model *ModelFile `json:"model,omitempty"`
	// Said are its last lines.
	Said []string `json:"said,omitempty"`
	// File is where this was written, if it was.
	File string `json:"-"`
}

// Summary is the crash in a line, for a log and a status page.
func (c *Crash) Summary() string {
	s := c.At.UTC().Format(time.RFC3339)
	t := c.Work
	if t == nil || t.Stage == stageIdle && c.Camera != nil {
		t = c.Camera
	}
	if t != nil {
		s += fmt.Sprintf(": frame %d (%dx%d), step %s", t.Frame, t.Width, t.Height, t.Stage)
	}
	return s + ": " + c.Error
}

// stageIdle is the work lane's step between two frames.
const stageIdle = "idle"

// crash puts together what is known of a life that ended.
func (p *process) crash(cause error, ready time.Duration) *Crash {
	c := &Crash{
		Worker: p.w.o.Name, At: time.Now().UTC(), Error: cause.Error(), PID: p.cmd.Process.Pid, Ready: ready, Now: monotonic(), Said: p.said.lines(),
	}
	if t, err := readBox(p.box, LaneWork); err == nil {
		c.Work = &t
		if i := slices.IndexFunc(p.w.o.Config.Models, func(m ModelFile) bool { return m.Name == t.Stage }); i >= 0 {
			c.Model = &p.w.o.Config.Models[i]
		}
	}
	if t, err := readBox(p.box, LaneCamera); err == nil {
		c.Camera = &t
	}
	return c
}

// write stores the crash in a folder and takes the oldest away.
func (c *Crash) write(dir string) error {
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return fmt.Errorf("write crash file: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write crash file: %w", err)
	}
	prefix := "crash-" + c.Worker + "-"
	file := filepath.Join(dir, prefix+c.At.Format("20060102T150405.000000Z")+".json")
	if err := os.WriteFile(file, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write crash file: %w", err)
	}
	c.File = file
	return thin(dir, prefix)
}

// thin removes the oldest files of a worker. Their names sort by time.
func thin(dir, prefix string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list crash files: %w", err)
	}
	var names []string
	for _, e := range list {
		if strings.HasPrefix(e.Name(), prefix) && e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	var errs []error
	for _, n := range names[:max(0, len(names)-keepCrashes)] {
		errs = append(errs, os.Remove(filepath.Join(dir, n)))
	}
	return errors.Join(errs...)
}
