package app

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPartsLevelHoldsForItsTimeAndForItAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := NewLogs(&out)
		log := l.Logger()
		link, face := log.With("part", "link"), log.With("camera", "face").With("worker", 1)
		said := func(log *slog.Logger) bool {
			before := out.Len()
			log.Debug("Detail")
			return out.Len() > before
		}
		if said(log) || said(link) {
			t.Error("debug is on from the start")
		}
		l.SetPart("link", slog.LevelDebug, time.Minute)
		l.SetPart("face", slog.LevelDebug, time.Hour)
		if !said(link) || !said(face) || said(log) {
			t.Error("the parts' level is not theirs alone")
		}
		if s := l.Levels(); s.Level != "info" || len(s.Parts) != 2 || s.Parts[1] != (PartStatus{"link", "debug", 60}) {
			t.Errorf("levels %+v", s)
		}
		<-time.After(time.Minute)
		if said(link) || !said(face) {
			t.Error("a part's level outlives its time, or another's does not")
		}
		l.SetPart("face", 0, 0)
		l.SetLevel(slog.LevelDebug)
		if !said(face) || !said(log) {
			t.Error("a part without its own level has not the common one")
		}
	})
}

func TestTheLastLinesAreKeptAndNoMore(t *testing.T) {
	var out bytes.Buffer
	l := NewLogs(&out)
	log := l.Logger()
	for i := range 2 * keptLines {
		log.Info("Line", "n", i)
	}
	log.Warn("Long", "text", strings.Repeat("ü", keptLine))
	last := l.Last()
	if len(last) != keptLines || !strings.Contains(last[0], fmt.Sprintf("n=%d", keptLines+1)) || len(last[keptLines-1]) > keptLine+8 {
		t.Errorf("%d lines, first %s", len(last), last[0])
	}
	if strings.Count(out.String(), "\n") != 2*keptLines+1 || l.lines(slog.LevelWarn) != 1 || l.lines(slog.LevelInfo) != 2*keptLines {
		t.Error("not every line was written, or counted")
	}
}
