package vision

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Bounds of what a worker may add to the daemon's log.
const (
	maxLogLine   = 400
	logLines     = 20
	logWindow    = 10 * time.Second
	logReadBytes = 4096
	tailLines    = 12
	tailPause    = time.Second
)

// memoryOf reads a process's resident memory, and the part of it that is no file's.
func memoryOf(pid int) (rss, anon int64, err error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, 0, fmt.Errorf("read memory: %w", err)
	}
	rss, anon = -1, -1
	for line := range bytes.Lines(b) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		f := bytes.Fields(rest)
		if len(f) == 0 {
			continue
		}
		kib, err := strconv.ParseInt(string(f[0]), 10, 64)
		switch {
		case err != nil:
		case string(name) == "VmRSS":
			rss = kib << 10
		case string(name) == "RssAnon":
			anon = kib << 10
		}
	}
	if rss < 0 || anon < 0 {
		return 0, 0, errors.New("read memory: status has no VmRSS or RssAnon")
	}
	return rss, anon, nil
}

// tail keeps the first lines of what a worker said last without a pause: a runtime that ends says why first, and goes on for pages.
type tail struct {
	mu   sync.Mutex
	at   time.Time
	last []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if now.Sub(t.at) > tailPause {
		t.last = nil
	}
	t.at = now
	if len(t.last) < tailLines {
		t.last = append(t.last, line)
	}
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.last)
}

// forward logs a worker's lines until its end of the pipe is closed: at most logLines in a window, each cut at maxLogLine bytes.
func forward(r io.Reader, log *slog.Logger, said *tail) {
	br := bufio.NewReaderSize(r, logReadBytes)
	var start time.Time
	lines, lost := 0, 0
	for {
		line, more, err := br.ReadLine()
		if err != nil {
			if lost > 0 {
				log.Warn("Worker lines left out", "lines", lost)
			}
			return
		}
		if now := time.Now(); now.Sub(start) > logWindow {
			if lost > 0 {
				log.Warn("Worker lines left out", "lines", lost)
			}
			start, lines, lost = now, 0, 0
		}
		if lines++; lines > logLines {
			lost++
		} else {
			text := string(line[:min(len(line), maxLogLine)])
			said.add(text)
			log.Info("Worker says", "line", text)
		}
		for more && err == nil {
			_, more, err = br.ReadLine()
		}
	}
}
