package vision

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"
)

// Bounds of what a worker may add to the daemon's log.
const (
	maxLogLine   = 400
	logLines     = 20
	logWindow    = 10 * time.Second
	logReadBytes = 4096
)

// residentBytes reads a process's resident memory.
func residentBytes(pid int) (int64, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0, errors.New("read memory: statm has no second field")
	}
	pages, err := strconv.ParseInt(string(f[1]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	return pages * int64(os.Getpagesize()), nil
}

// forward logs a worker's lines until its end of the pipe is closed: at most logLines in a window, each cut at maxLogLine bytes.
func forward(r io.Reader, log *slog.Logger) {
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
			log.Info("Worker says", "line", string(line[:min(len(line), maxLogLine)]))
		}
		for more && err == nil {
			_, more, err = br.ReadLine()
		}
	}
}
