package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Logs is the daemon's log. Its level can be changed while it runs, for the
// whole and, for a while, for one part; and it keeps its last lines.
type Logs struct {
	level slog.LevelVar
	parts atomic.Pointer[map[string]partLevel] // never written to; nil: none

	mu      sync.Mutex
	out     io.Writer
	last    []string // oldest first
	counts  map[slog.Level]uint64
	known   map[string]bool // parts that have spoken up
	setting sync.Mutex      // one change of parts at a time
}

// partLevel is a level that runs out.
type partLevel struct {
	level slog.Level
	until time.Time
}

// Bounds of the lines that are kept, and of the time a part's level holds.
const (
	keptLines   = 500
	keptLine    = 2 << 10
	maxPartTime = 24 * time.Hour
)

// mainPart is the part of lines that name none.
const mainPart = "gated"

// partKeys are the attributes that name a part.
var partKeys = []string{"part", "device", "camera"}

// NewLogs makes a log that writes to out, at level info.
func NewLogs(out io.Writer) *Logs {
	return &Logs{out: out, counts: map[slog.Level]uint64{}, known: map[string]bool{mainPart: true}}
}

// SetLevel sets the level of every part that has none of its own.
func (l *Logs) SetLevel(v slog.Level) { l.level.Set(v) }

// SetPart sets one part's level for a time; none ends it.
func (l *Logs) SetPart(part string, v slog.Level, hold time.Duration) {
	l.setting.Lock()
	defer l.setting.Unlock()
	next := maps.Clone(l.partLevels())
	if next == nil {
		next = map[string]partLevel{}
	}
	maps.DeleteFunc(next, func(_ string, p partLevel) bool { return !time.Now().Before(p.until) })
	delete(next, part)
	if hold > 0 {
		next[part] = partLevel{v, time.Now().Add(min(hold, maxPartTime))}
	}
	l.parts.Store(&next)
}

func (l *Logs) partLevels() map[string]partLevel {
	if p := l.parts.Load(); p != nil {
		return *p
	}
	return nil
}

// enabled is asked for every line.
func (l *Logs) enabled(part string, v slog.Level) bool {
	if p, ok := l.partLevels()[part]; ok && time.Now().Before(p.until) {
		return v >= p.level
	}
	return v >= l.level.Level()
}

// Write takes one whole line from the text handler.
func (l *Logs) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.TrimSuffix(string(line), "\n")
	if len(text) > keptLine {
		text = strings.ToValidUTF8(text[:keptLine], "") + "…"
	}
	if len(l.last) >= keptLines {
		l.last = append(l.last[:0], l.last[1:]...)
	}
	l.last = append(l.last, text)
	return l.out.Write(line)
}

// Last are the newest lines, oldest first.
func (l *Logs) Last() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.last)
}

func (l *Logs) count(v slog.Level) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[v]++
}

// lines is how many lines there were of a level.
func (l *Logs) lines(v slog.Level) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[v]
}

// LevelStatus is how much is logged now.
type LevelStatus struct {
	Level string       `json:"level"`
	Parts []PartStatus `json:"parts"` // with a level of their own
	Known []string     `json:"known"` // parts that have one to set
}

// PartStatus is one part's own level.
type PartStatus struct {
	Part  string  `json:"part"`
	Level string  `json:"level"`
	ForS  float64 `json:"for_s"` // how long it still holds
}

// know notes a part. There are as many as the code names.
func (l *Logs) know(part string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[part] = true
}

func (l *Logs) knownParts() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.known))
}

// Levels tells how much is logged now.
func (l *Logs) Levels() LevelStatus {
	s := LevelStatus{Level: levelWord(l.level.Level()), Parts: []PartStatus{}, Known: l.knownParts()}
	for _, part := range slices.Sorted(maps.Keys(l.partLevels())) {
		p := l.partLevels()[part]
		if left := time.Until(p.until); left > 0 {
			s.Parts = append(s.Parts, PartStatus{part, levelWord(p.level), left.Seconds()})
		}
	}
	return s
}

func levelWord(v slog.Level) string { return strings.ToLower(v.String()) }

// parseLevel takes the words of the configuration.
func parseLevel(word string) (v slog.Level, err error) {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, word) {
		return v, fmt.Errorf("no level %.20q: debug, info, warn or error", word)
	}
	return v, v.UnmarshalText([]byte(word))
}

// Logger is the log for the daemon's parts.
func (l *Logs) Logger() *slog.Logger {
	// Every level: whether a line is wanted was decided before.
	text := slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.Level(-100)})
	return slog.New(&partHandler{logs: l, part: mainPart, inner: text})
}

// logsOf is the log behind a logger, nil where it is of another make.
func logsOf(log *slog.Logger) *Logs {
	if h, ok := log.Handler().(*partHandler); ok {
		return h.logs
	}
	return nil
}

// partHandler knows whose lines it handles.
type partHandler struct {
	logs  *Logs
	part  string
	inner slog.Handler
}

// Enabled implements slog.Handler.
func (h *partHandler) Enabled(_ context.Context, v slog.Level) bool { return h.logs.enabled(h.part, v) }

// Handle implements slog.Handler.
func (h *partHandler) Handle(ctx context.Context, r slog.Record) error {
	h.logs.count(r.Level)
	return h.inner.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *partHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := &partHandler{h.logs, h.part, h.inner.WithAttrs(attrs)}
	for _, a := range attrs {
		if slices.Contains(partKeys, a.Key) && a.Value.Kind() == slog.KindString {
			out.part = a.Value.String()
			h.logs.know(out.part)
		}
	}
	return out
}

// WithGroup implements slog.Handler.
func (h *partHandler) WithGroup(name string) slog.Handler {
	return &partHandler{h.logs, h.part, h.inner.WithGroup(name)}
}
